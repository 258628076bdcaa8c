"""Tests of the database: sessions, migrations, column types and identifiers."""
