"""The catalogue of videos in SQL tables."""
