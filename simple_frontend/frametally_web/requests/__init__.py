"""What every request shares: its query, its answer, its problems."""
