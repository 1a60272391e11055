"""Looks at every part and sets servers up: `doctor`, `setup`."""
