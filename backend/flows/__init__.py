"""What follows what: the only rooms that know several domains."""
