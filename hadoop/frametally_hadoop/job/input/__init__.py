"""Reads the segments that the job counts."""
