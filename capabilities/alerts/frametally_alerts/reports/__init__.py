"""Scheduled reports: which are due, and their files."""
