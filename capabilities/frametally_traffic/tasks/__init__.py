"""Tasks of the counting jobs, which run on a cluster's nodes."""
