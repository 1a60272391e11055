"""A day's flows: what objects did at the lines and zones that are drawn over their source."""
