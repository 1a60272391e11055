"""Turns pictures into boxes with one of the back-ends."""
