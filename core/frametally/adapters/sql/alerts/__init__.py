"""The alert book in a SQL database."""
