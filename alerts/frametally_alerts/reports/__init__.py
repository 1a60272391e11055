"""Scheduled reports: which are due, and the files that they are made of."""
