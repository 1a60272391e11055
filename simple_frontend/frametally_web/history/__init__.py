"""The history of a number: its answer, and its route."""
