"""The audit book in a SQL database."""
