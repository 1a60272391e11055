"""Computes crossings, stays and speeds from paths of foot points: integers in, integers out."""
