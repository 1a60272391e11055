"""The alert book's layouts, oldest first."""
