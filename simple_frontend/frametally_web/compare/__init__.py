"""Two sides of a comparison: how far they are apart, and where most."""
