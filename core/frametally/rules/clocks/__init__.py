"""Local clocks: when scheduled work is due."""
