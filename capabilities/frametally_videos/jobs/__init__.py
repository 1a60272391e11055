"""Jobs on videos, each in a separate process."""
