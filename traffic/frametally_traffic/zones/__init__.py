"""Charts of what stands in one zone."""
