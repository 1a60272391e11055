"""Calibration: from points with metres to the matrix by which foot points stand on the ground.

Made once, when a calibration is saved, so numpy may help. `frametally_traffic.geometry` measures by it.
"""
