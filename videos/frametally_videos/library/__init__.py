"""Videos that are there: edited, kept, removed, and read as files."""
