"""Sends alerts to people and programs through channels."""
