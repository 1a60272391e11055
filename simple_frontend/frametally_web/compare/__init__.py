"""Two sides of a comparison: how far they differ, and where most."""
