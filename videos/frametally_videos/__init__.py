"""Uploaded videos: accepted, checked, described, counted and played."""
