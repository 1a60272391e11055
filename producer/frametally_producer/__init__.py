"""Turns pictures and videos into stored frames with event times, and announces them on the log."""
