"""Has what is drawn counted: within zones in the counting job, at lines and zones in a job behind it."""
