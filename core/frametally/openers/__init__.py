"""Opens the ports that settings name: for work, or to look without creating anything."""
