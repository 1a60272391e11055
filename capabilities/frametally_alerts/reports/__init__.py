"""Finds due scheduled reports, and makes their files."""
