"""Drawings: their checks, their storage, and their file formats."""
