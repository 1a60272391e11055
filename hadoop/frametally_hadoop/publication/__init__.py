"""Checks and publishes what the job has counted."""
