"""Which days need counting, and what it will take."""
