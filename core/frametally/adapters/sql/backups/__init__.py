"""The rows of a SQL catalogue that backups keep."""
