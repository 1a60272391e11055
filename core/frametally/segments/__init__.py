"""Segments of detections, and the rules by which a partition's segments are one chain."""
