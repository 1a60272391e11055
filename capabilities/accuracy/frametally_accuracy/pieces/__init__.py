"""Pieces of footage as units, for checks of visits and of crossings."""
