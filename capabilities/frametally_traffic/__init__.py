"""Draws lines and zones over a source, and counts crossings, stays, movements and speeds with them."""
