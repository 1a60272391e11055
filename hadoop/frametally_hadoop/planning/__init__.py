"""Finds the days to count, and estimates the time."""
