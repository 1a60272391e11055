"""The books of single videos, and of their catalogue."""
