"""Cameras: opened, read, kept minute by minute as media, and announced."""
