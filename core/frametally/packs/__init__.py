"""Frames in packs: one object has an index and the frames of one source and minute."""
