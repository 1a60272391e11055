"""Drawings, for the tests of seals."""

from frametally_traffic.records import Drawing, DrawnLine

RECORDS = [
    Drawing(
        source="cam",
        revision=1,
        lines=(DrawnLine(name="stop", width_px=64, height_px=48, points=((1.0, 2.0), (60.0, 40.5))),),
    )
]
