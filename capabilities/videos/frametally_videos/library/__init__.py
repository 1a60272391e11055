"""Stored videos: changes, retention, removal, and reading them as files."""
