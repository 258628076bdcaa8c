"""The operator's desk: pages under /desk on which one sees everything that runs, and acts on it."""
