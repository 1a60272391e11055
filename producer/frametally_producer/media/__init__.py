"""Turns a medium's file into stored frames: pictures, videos."""
