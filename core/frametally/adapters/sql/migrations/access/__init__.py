"""The access book's layouts, oldest first."""
