"""Cameras and streams: captures them, detects objects as frames arrive, and shows them live."""
