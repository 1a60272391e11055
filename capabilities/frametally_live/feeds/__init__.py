"""Feeds: one process for each camera or stream."""
