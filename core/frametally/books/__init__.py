"""Balances the books of announced, detected, counted and indexed frames, and proves their numbers."""
