"""Detects objects in frames from the log and the store, and writes segments of detections."""
