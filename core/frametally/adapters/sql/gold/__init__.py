"""The gold tables on SQLite and PostgreSQL."""
