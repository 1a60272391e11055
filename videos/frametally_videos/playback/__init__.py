"""Stored videos as players take them: in ranges, with their pictures and what was seen in them."""
