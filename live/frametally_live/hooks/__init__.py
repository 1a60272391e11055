"""What the mission asks of this folder: each module answers one hook of its `plugin.py`."""
