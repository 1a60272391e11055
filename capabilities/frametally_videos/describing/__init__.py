"""Reads and checks the metadata of a video, by functions of an open video and of plain values."""
