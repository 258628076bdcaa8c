"""The ledger: the two tables that make a run durable, ordered and searchable, and every way they are written."""
