"""Jobs on videos, each in a process of its own."""
