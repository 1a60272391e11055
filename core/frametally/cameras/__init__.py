"""Cameras: where they may be, and how to log in to them."""
