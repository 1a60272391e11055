"""Footage with a zone drawn over it, counted by the job itself."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec
from tests.fakes.records import make_frame, make_segment
from tests.web.conftest import Place

from frametally import keys
from frametally.process.reports import NoProgress
from frametally.records import Detection, FrameDetections
from frametally_hadoop.driver import aggregate
from frametally_search.indexer import index_runs
from frametally_traffic.drawings.revisions import change_drawing
from frametally_traffic.records import DrawnZone, Point

MODEL = "m"
START_MS = 1_714_550_400_000  # 2024-05-01T08:00:00Z
STEP_MS = 200
LEFT: tuple[Point, ...] = ((0, 0), (320, 0), (320, 480), (0, 480))
RIGHT: tuple[Point, ...] = ((330, 0), (640, 0), (640, 480), (330, 480))


def drive(
    source: str = "gate", *, frames: int = 900, start_ms: int = START_MS, width_px: int = 640
) -> list[FrameDetections]:
    """Cars that drive from left to right, one every 12 s, 5 frames a second; a person stands on the right."""
    medium = hashlib.sha256(source.encode()).hexdigest()
    made = []
    for n in range(frames):
        at_ms = start_ms + n * STEP_MS
        made.append(
            make_frame(
                at_ms,
                n,
                [
                    Detection(label="car", confidence=0.9, box=(n % 60 * 10.0, 200.0, 60.0, 60.0)),
                    Detection(label="person", confidence=0.9, box=(500.0, 300.0, 30.0, 80.0)),
                ],
                source=source,
                media=medium,
                size_px=(width_px, 480),
                model=MODEL,
            )
        )
    return made


def draw(place: Place, *zones: tuple[str, Sequence[Point]], source: str = "gate") -> None:
    drawn = tuple(
        DrawnZone(name=name, points=tuple(points), width_px=640, height_px=480) for name, points in zones
    )
    change_drawing(place.store, source, lambda drawing: msgspec.structs.replace(drawing, zones=drawn))


def draw_from(place: Place, from_ms: int, source: str = "gate") -> None:
    """Draw the zones of a source from an event time on only."""
    change_drawing(
        place.store,
        source,
        lambda drawing: msgspec.structs.replace(
            drawing, zones=tuple(msgspec.structs.replace(zone, from_ms=from_ms) for zone in drawing.zones)
        ),
    )


def put(place: Place, frames: Sequence[FrameDetections], number: int = 0) -> None:
    """One segment of the chain."""
    data = make_segment(frames, model=MODEL, partition=number)
    place.store.put(keys.segment_key(MODEL, "log-1", "frames", number, 0), data)


def count(place: Place) -> None:
    """Count and index new footage."""
    aggregate(settings=place.settings, store=place.store, progress=NoProgress())
    index_runs(store=place.store, index=place.real_index, progress=NoProgress())


def counted_within(place: Place, frames: Sequence[FrameDetections]) -> None:
    """These frames, counted and indexed with a zone over the left half of the gate's picture."""
    put(place, frames)
    draw(place, ("left side", LEFT))
    count(place)
