"""The books on the page: status, runs and events."""
