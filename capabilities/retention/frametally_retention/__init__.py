"""Removes old data by a policy, thins frames, and keeps what a legal hold names."""
