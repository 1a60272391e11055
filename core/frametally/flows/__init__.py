"""Counts a day's flows by numpy: what objects did at the lines and zones that are drawn over their source."""
