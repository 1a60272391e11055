"""Computes the traffic report of a junction: movements by quarter-hour and class."""
