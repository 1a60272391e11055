"""The shared parts of every request: its query, its answer, its problems."""
