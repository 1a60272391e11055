"""Writes the settings and secrets of the cloud stack."""
