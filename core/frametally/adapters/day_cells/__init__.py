"""A day's counts as a few arrays, from which every count index answers."""
