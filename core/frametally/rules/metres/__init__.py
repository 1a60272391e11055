"""Metres: where objects stand on the ground, how far they went, and how fast."""
