"""Signed charts for pages of other sites."""
