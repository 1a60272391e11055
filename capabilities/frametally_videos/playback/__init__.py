"""Sends players the bytes, pictures and detections of stored videos."""
