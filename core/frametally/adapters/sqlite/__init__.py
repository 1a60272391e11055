"""A SQLite file as the frame log."""
