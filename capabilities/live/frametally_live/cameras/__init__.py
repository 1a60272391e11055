"""Cameras: allowed addresses, opening and reading, and the way of their frames into the store."""
