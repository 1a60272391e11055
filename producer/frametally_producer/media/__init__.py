"""Turns picture and video files into stored frames."""
