"""The books: announced, detected, counted and indexed frames, and the proof of a number."""
