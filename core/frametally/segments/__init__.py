"""Segments of detections, and the rules that make a partition's segments one chain."""
