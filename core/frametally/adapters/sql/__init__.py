"""SQLite and PostgreSQL: one engine, the count index and the ledger on it."""
