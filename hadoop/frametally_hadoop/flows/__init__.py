"""Counts what is drawn over sources, from the tracks of runs that are published: a job of its own."""
