"""Reads media files: pixels and event times."""
