"""A folder as the object store."""
