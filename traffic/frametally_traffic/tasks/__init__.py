"""What tasks of the counting jobs do: it travels to a cluster's nodes."""
