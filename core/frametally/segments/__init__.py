"""Stores detections in segments, by rules that make a partition's segments one chain."""
