"""The access book in a SQL database."""
