"""Live viewing of streams and cameras: results with their pictures, as they are detected."""
