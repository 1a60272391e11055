"""Lines, zones, movements and speeds: what is drawn over a source, and what is counted by it."""
