"""What is live: streams of stored videos, each in a process of its own."""
