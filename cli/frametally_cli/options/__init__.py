"""Options, times and ports that several commands share."""
