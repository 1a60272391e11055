"""A day's counts as a few arrays, and how every count index answers from them."""
