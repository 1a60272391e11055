"""Writes frames and manifests into the store, and announces frames on the log."""
