"""Computes the matrix that maps the picture to the ground from points with known positions in metres.

Runs once, when a calibration is saved, so it may use numpy. `frametally_traffic.geometry` measures with it.
"""
