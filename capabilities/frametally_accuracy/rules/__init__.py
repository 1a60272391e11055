"""Defines the statistics of an accuracy check: draws units, and estimates totals from their answers."""
