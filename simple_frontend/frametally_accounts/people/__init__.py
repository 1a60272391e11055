"""Adds, changes and removes accounts and tokens, from the command line and the page."""
