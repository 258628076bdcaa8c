"""The database: engine, unit of work, column types, models and migrations."""
