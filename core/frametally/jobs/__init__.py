"""What people have done to videos, and what is there of it."""
