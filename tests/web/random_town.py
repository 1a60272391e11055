"""A town made up for questions: cameras that come and go, at very different rates, counted by two models.

The first model has counted two of the cameras within a zone, too.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from tests.web.conftest import Place

from frametally.records import Coverage, IntervalCount
from frametally.rules.places import ZONES as ZONE_COUNTS
from frametally.rules.places import Place as CountedPlace
from frametally.rules.places import series_model
from frametally.rules.times import DAY_MS

MODELS = ("small", "large")
LABELS = ("car", "bus", "person")
ZONE = "yard"
ZONED = ("bridge", "gate")
BASE_MS = 900_000
FIRST_MS = 1_710_979_200_000
"""Thursday 2024-03-21, 00:00 UTC: in Berlin the clocks change on the eleventh day."""
DAYS = 16


class Camera(NamedTuple):
    """When a camera films, and with how many frames per quarter of an hour."""

    days: Collection[int]
    frames: int
    level: float
    is_tracked: bool = True


CAMERAS = {
    "bridge": Camera(range(DAYS), 3, 9.0),
    "station": Camera([day for day in range(DAYS) if day % 5], 4, 14.0, is_tracked=False),
    "junction": Camera([10], 4500, 2.0),
    "gate": Camera(range(4, 12), 40, 1.5),
}


class Cell(NamedTuple):
    """A camera's view in a stored interval: its frames, and by label boxes, most at once, objects."""

    source: str
    start_ms: int
    frames: int
    is_tracked: bool
    counts: dict[str, tuple[int, int, int]]


def build(place: Place, seed: int) -> dict[str, list[Cell]]:
    """Publish the town, and return its cells by model; the first model's are the newest.

    Those within the zone have the zone's name.
    """
    rng = random.Random(seed)  # noqa: S311
    cells: dict[str, list[Cell]] = {}
    for model in reversed(MODELS):
        cells[model] = [
            _cell(rng, source, FIRST_MS + day * DAY_MS + slot * BASE_MS)
            for source, camera in CAMERAS.items()
            for day in (camera.days if model == MODELS[0] else [day for day in camera.days if day in (9, 10)])
            for slot in [*range(24, 40), *range(60, 72)]
            if rng.random() > 0.15
        ]
        _publish(place, cells[model], model)
    cells[ZONE] = [_within(cell) for cell in cells[MODELS[0]] if cell.source in ZONED]
    places = {source: str(CountedPlace(source, "zone", (ZONE,))) for source in ZONED}
    zoned = [cell._replace(source=places[cell.source]) for cell in cells[ZONE]]
    _publish(place, zoned, series_model(MODELS[0], ZONE_COUNTS))
    return cells


def _publish(place: Place, cells: Iterable[Cell], model: str) -> None:
    counts, coverage = [], []
    for cell in cells:
        at: dict[str, Any] = {
            "model": model,
            "source": cell.source,
            "interval_start_ms": cell.start_ms,
            "interval_s": BASE_MS // 1000,
            "frames": cell.frames,
        }
        fps = 5.0 if cell.is_tracked else 0.0
        objects = sum(of_label[2] for of_label in cell.counts.values()) if cell.is_tracked else None
        coverage.append(Coverage(**at, objects=objects, analysed_fps=fps, covered_ms=BASE_MS))
        counts += [
            IntervalCount(
                **at,
                label=label,
                detections=boxes,
                peak=peak,
                objects=objects if cell.is_tracked else None,
                tracked_detections=boxes if cell.is_tracked else None,
                evidence=[],
            )
            for label, (boxes, peak, objects) in cell.counts.items()
        ]
    place.publish(counts, coverage, interval_s=BASE_MS // 1000, model=model)


def _within(cell: Cell) -> Cell:
    """The part of a cell within the zone: half of its cars, and no person."""
    halves = {
        label: (-(-boxes // 2), -(-peak // 2), -(-objects // 2))
        for label, (boxes, peak, objects) in cell.counts.items()
        if label != "person"
    }
    return cell._replace(counts=halves)


def _cell(rng: random.Random, source: str, start_ms: int) -> Cell:
    camera = CAMERAS[source]
    counts = {}
    for label, part in zip(LABELS, (1.0, 0.1, 0.4), strict=True):
        boxes = round(camera.level * part * camera.frames * rng.uniform(0.2, 1.8))
        if boxes:
            counts[label] = (boxes, -(-boxes // camera.frames) + rng.randrange(3), 1 + boxes // 4)
    return Cell(source, start_ms, camera.frames, camera.is_tracked, counts)


class Truth(NamedTuple):
    """The sum of some cells, by the plainest arithmetic."""

    detections: int
    peak: int
    mean_per_frame: float | None
    objects: int | None
    frames: int


def truth_of(cells: Iterable[Cell], labels: Collection[str]) -> Truth:
    """Return the truth of some labels."""
    by_source: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_source[cell.source].append(cell)
    every = [cell for of_source in by_source.values() for cell in of_source]
    counts = [cell.counts[label] for cell in every for label in labels if label in cell.counts]
    means = [
        sum(cell.counts[label][0] for cell in of_source for label in labels if label in cell.counts)
        / sum(cell.frames for cell in of_source)
        for of_source in by_source.values()
    ]
    return Truth(
        sum(boxes for boxes, _, _ in counts),
        max((peak for _, peak, _ in counts), default=0),
        sum(means) / len(means) if means else None,
        sum(objects for _, _, objects in counts) if all(cell.is_tracked for cell in every) else None,
        sum(cell.frames for cell in every),
    )
