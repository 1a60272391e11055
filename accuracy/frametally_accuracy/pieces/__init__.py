"""Pieces of footage as units: of checks of visits and of crossings."""
