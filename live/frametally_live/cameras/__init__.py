"""Cameras: where they may be, how they are opened and read, and their frames on the way into the store."""
