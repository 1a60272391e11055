"""A line over a source, for tests that query each time of its routes."""

from frametally.ports.object_store import ObjectStore
from frametally_traffic.drawings.revisions import change_drawing, with_shapes
from frametally_traffic.records import DrawnLine


def draw_line(store: ObjectStore) -> None:
    leg = DrawnLine(name="near", points=((0, 9), (9, 0)), inward="to_left", width_px=640, height_px=360)
    change_drawing(store, "gate", lambda drawing: with_shapes(drawing, [leg]))
