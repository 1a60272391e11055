"""Checks the conditions of rules: values over a threshold, gaps, late footage, blind cameras, failures."""
