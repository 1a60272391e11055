"""Accounts and tokens, added, changed and removed by a command or on the page."""
