"""A day's flows counted by numpy: what `rules.flows.counting` says, to the byte, as fast as a page needs."""
