"""Computes a day's flows: the crossings, stays and visits of objects at lines and zones."""
