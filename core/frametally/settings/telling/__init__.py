"""Settings of what people are told."""
