"""Calibration: makes the matrix from picture to ground from points with metres.

Made once, when a calibration is saved, so numpy may help. `frametally_traffic.geometry` measures by it.
"""
