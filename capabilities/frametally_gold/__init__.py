"""The gold tables: counts and videos as tables of a SQL database that people query."""
