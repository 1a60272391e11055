"""Cameras and streams: captured, detected as they come, and shown live."""
