"""Changes, expires and removes stored videos, and reads them as files."""
