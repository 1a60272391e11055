"""Frames in packs: one object holds the frames of one source and minute behind an index."""
