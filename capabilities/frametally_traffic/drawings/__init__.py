"""Checks and stores drawings, and reads and writes their file formats."""
