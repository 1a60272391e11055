"""Frames and manifests into the store and onto the log."""
