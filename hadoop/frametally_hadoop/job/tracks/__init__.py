"""Follows objects through frames."""
