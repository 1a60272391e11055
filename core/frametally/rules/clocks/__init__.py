"""Decides when scheduled work is due by local clocks."""
