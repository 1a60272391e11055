"""The books: what was announced, detected, counted and indexed, and the proof of a number."""
