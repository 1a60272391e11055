"""Removes old data by a policy, thins frames, and keeps the data of legal holds."""
