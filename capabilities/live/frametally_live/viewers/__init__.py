"""Live viewing: results as they are detected, with their pictures; streams and cameras."""
