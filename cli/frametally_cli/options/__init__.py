"""Options and times that several commands share, and the ports that they open."""
