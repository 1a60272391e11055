"""The audit book's layouts, oldest first."""
