"""The books: their background reader, and the routes for status, runs, dead letters and metrics."""
