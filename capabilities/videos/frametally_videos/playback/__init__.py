"""Playing stored videos: ranges of bytes, pictures, and detections."""
