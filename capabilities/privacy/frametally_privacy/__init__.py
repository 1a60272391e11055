"""Blackens and blurs parts of pictures before they are stored, by a policy."""
