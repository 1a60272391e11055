"""The video catalogue's layouts, oldest first."""
