"""Counts per interval, as charts and exports show them."""
