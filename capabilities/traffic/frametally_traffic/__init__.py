"""Lines, zones, movements and speeds: draws them over a source, and counts by them."""
