"""The engine: what carries a hand-over to a worker. docket in production, this process's own loop as the fallback."""
