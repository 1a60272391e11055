"""The look into a video's bytes: what they hold, as a process of its own (`python -m` this package)."""
