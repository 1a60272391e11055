"""Counts with drawings: within zones in the counting job, at lines and zones in a second job after it."""
