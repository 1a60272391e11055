"""Versions made from videos: playable and enhanced ones."""
