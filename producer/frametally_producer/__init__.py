"""Media in: pictures and videos become stored frames with event time, announced on the log."""
