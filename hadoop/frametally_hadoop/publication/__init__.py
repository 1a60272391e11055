"""Checks and publishes the results of the job."""
