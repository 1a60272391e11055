"""The count index's layouts, oldest first."""
