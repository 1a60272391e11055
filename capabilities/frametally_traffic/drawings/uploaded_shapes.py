"""Turns the regions and points that people send with a video into zones and a calibration."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from frametally.errors import Misconfigured
from frametally.ports.object_store import ObjectStore
from frametally_traffic.drawings.drawing_checks import DrawingRefused, check_shape
from frametally_traffic.drawings.revisions import change_drawing, with_shapes
from frametally_traffic.records import FEWEST_REFERENCES, Drawing, Drawn, DrawnCalibration, DrawnZone, Points

_ZONE, _CALIBRATION = "ROI", "calibration"


def draw_uploaded(
    store: ObjectStore,
    source: str,
    size_px: tuple[int, int],
    roi: Mapping[str, Any] | None,
    calibration: Mapping[str, Any] | None,
) -> list[str]:
    """Draw the shapes sent with a video over its source (a slug), unless they exist; they hold at all times.

    A further region is a further zone, `ROI 2`. An existing calibration stays.

    Returns:
        A sentence for each new shape, and for each that could not be drawn.

    Raises:
        Poison: The drawing is damaged.
        Retryable: The store is unavailable.
    """
    width_px, height_px = size_px
    sentences: list[str] = []

    def add(drawing: Drawing) -> Drawing:
        sentences.clear()
        shapes = list(drawing.shapes)
        names = {shape.name for shape in shapes}
        for name, points in _regions(roi):
            if not any(isinstance(shape, DrawnZone) and shape.points == points for shape in shapes):
                zone = DrawnZone(
                    name=_free_name(name, names), points=points, width_px=width_px, height_px=height_px
                )
                names.add(zone.name)
                sentences.extend(_added(shapes, zone, f"The region is the zone {zone.name} of the source."))
        points, metres = (_points(calibration, part) for part in ("points", "metres"))
        if len(points) >= FEWEST_REFERENCES and metres:
            present = [shape for shape in shapes if isinstance(shape, DrawnCalibration)]
            if not present:
                name = _free_name(_CALIBRATION, names)
                ground = DrawnCalibration(
                    name=name, points=points, metres=metres, width_px=width_px, height_px=height_px
                )
                sentences.extend(
                    _added(shapes, ground, f"The points are the calibration {name} of the source.")
                )
            elif all((shape.points, shape.metres) != (points, metres) for shape in present):
                sentences.append(f"The source keeps its own calibration, {present[0].name}.")
        return with_shapes(drawing, shapes)

    try:
        change_drawing(store, source, add)
    except (DrawingRefused, Misconfigured) as error:
        return [f"Nothing was drawn over the source: {error}."]
    return sentences


def _added(shapes: list[Drawn], shape: Drawn, done: str) -> Iterator[str]:
    try:
        check_shape(shape)
    except DrawingRefused as error:
        yield f"frametally did not draw it over the source: {error}."
    else:
        shapes.append(shape)
        yield done


def _free_name(name: str, names: Collection[str]) -> str:
    candidates = [name, *(f"{name} {number}" for number in range(2, len(names) + 2))]
    return next(name for name in candidates if name not in names)


def _regions(roi: Mapping[str, Any] | None) -> Iterator[tuple[str, Points]]:
    """Yield the name and the corners of each region."""
    for region in roi.get("regions", [roi]) if roi else ():
        if "points" in region:
            yield str(region.get("name") or _ZONE), _points(region, "points")
        else:
            left, top = float(region["x"]), float(region["y"])
            right, bottom = left + region["width"], top + region["height"]
            yield _ZONE, ((left, top), (right, top), (right, bottom), (left, bottom))


def _points(drawn: Mapping[str, Any] | None, part: str) -> Points:
    return tuple((float(x), float(y)) for x, y in (drawn or {}).get(part, ()))
