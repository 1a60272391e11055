"""All that a video's bytes tell of it, by functions of an open video and of plain values."""
