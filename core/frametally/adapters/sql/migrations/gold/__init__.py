"""The gold tables' layouts, oldest first."""
