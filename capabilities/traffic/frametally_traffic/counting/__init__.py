"""Counts by drawings: within zones in the counting job, at lines and zones in a job after it."""
