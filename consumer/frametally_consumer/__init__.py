"""Detection: frames from the log and the store in, segments of detections out."""
