"""Cameras: allowed addresses, opening, reading, and storing their frames."""
