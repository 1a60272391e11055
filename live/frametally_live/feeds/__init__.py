"""Feeds: one process for each camera or stream that is wanted."""
