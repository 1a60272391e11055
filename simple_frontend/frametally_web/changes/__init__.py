"""Changes of footage from pages: previewed first, then made in a separate thread."""
