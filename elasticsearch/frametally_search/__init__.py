"""Publishes the runs of the counting job in the count index."""
