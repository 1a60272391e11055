"""How far a visit went on the ground, where a calibration is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from frametally.ports.object_store import ObjectStore
from frametally.records import MediaManifest
from frametally.rules.times import DAY_MS
from frametally_traffic.drawings.day_inputs import DrawnShapes
from frametally_traffic.flows.ways import Ways, feet_of
from frametally_traffic.geometry.foot_paths import FootPath
from frametally_traffic.geometry.ground import on_ground
from frametally_traffic.geometry.speed import NotMeasured, Way, way_between
from frametally_traffic.records import Drawing


class Lengths:
    """Lengths of visits by what is drawn over one source."""

    def __init__(self, store: ObjectStore, drawing: Drawing, media: Sequence[MediaManifest]) -> None:
        """Take what is drawn; `media` are the source's manifests."""
        self._drawn = DrawnShapes(store, drawing, media)

    def of(self, path: FootPath, time_ms: int) -> Way | NotMeasured | Literal["no_calibration"]:
        """Return how far a path goes by the calibration of a time, from where that first holds to where last.

        Raises:
            DrawingRefused: What is drawn is nothing on the source's frames.
        """
        day_start_ms = time_ms - time_ms % DAY_MS
        ground = Ways.of(self._drawn.of_day(day_start_ms), day_start_ms).ground_at(time_ms)
        if ground is None:
            return "no_calibration"
        feet = feet_of(path)
        within = [foot.time_ms for foot in feet if on_ground(ground, foot.x, foot.y)]
        return way_between(feet, ground, within[0], within[-1]) if within else "out_of_reach"
