"""Uploaded videos: accepts, checks, describes, counts and plays them."""
