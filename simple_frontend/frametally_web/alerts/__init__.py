"""Alerts: rules, channels, what was told, what waits, what failed and why."""
