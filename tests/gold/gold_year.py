"""A year of three cameras in the store, as the counting job would have left it, with few intervals a day."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator

import msgspec
from tests.fakes.records import make_count, make_coverage, make_run, put_run, put_tracks

from frametally import keys
from frametally.ports.object_store import ObjectStore
from frametally.records import Coverage, IntervalCount, Run
from frametally.rules.times import HOUR_MS
from frametally.track_records import Track, TrackSighting

MODEL = "tiny-1"
SOURCES = ("east", "harbour", "Schöne Straße")
LABELS = ("bus", "car", "person")
INTERVAL_S = 21_600


def days_of_year(days: int = 365) -> Iterator[str]:
    """The days, the first of 2025."""
    first = datetime.date(2025, 1, 1)
    return ((first + datetime.timedelta(days=number)).isoformat() for number in range(days))


def put_day(store: ObjectStore, day: str, *, sequence: int = 1, seed: int = 0) -> Run:
    """Put a day's run: some intervals lack footage, some footage lacks objects, some objects lack tracks."""
    draw = random.Random(f"{day} {sequence} {seed}")  # noqa: S311 - the same counts at every run
    counts: list[IntervalCount] = []
    coverage: list[Coverage] = []
    tracks: list[Track] = []
    for start_ms in range(keys.day_start_ms(day), keys.day_start_ms(day) + 24 * HOUR_MS, INTERVAL_S * 1000):
        for source in SOURCES:
            if draw.random() < 0.1:
                continue
            where = {"model": MODEL, "source": source, "interval_s": INTERVAL_S}
            frames = draw.randrange(1, 5000)
            measured = draw.random() < 0.8
            found = [label for label in LABELS if draw.random() < 0.7]
            boxes = {label: draw.randrange(1, 9000) for label in found}
            objects = {label: draw.randrange(0, 3) for label in found}
            for label in found:
                counts.append(
                    make_count(
                        start_ms,
                        label,
                        boxes[label],
                        **where,
                        frames=frames,
                        peak=draw.randrange(1, 40),
                        objects=objects[label] if measured else None,
                        tracked_detections=boxes[label] if measured else None,
                        evidence=[],
                    )
                )
                for number in range(objects[label] if measured else 0):
                    tracks.append(_track(source, label, start_ms, f"{LABELS.index(label)}{number}"))
            coverage.append(
                make_coverage(
                    start_ms,
                    frames,
                    **where,
                    detections=sum(boxes.values()),
                    objects=sum(objects.values()) if measured else None,
                    analysed_fps=5.0 if measured else 0.5,
                    covered_ms=frames * 200,
                )
            )
    run = make_run(
        sequence,
        model=MODEL,
        interval_s=INTERVAL_S,
        day=day,
        frames=sum(one.frames for one in coverage),
        digest=f"{seed:016x}" * 4,
    )
    run = put_tracks(store, msgspec.structs.replace(run, settings={}), tracks)
    return put_run(store, run, counts, coverage)


def _track(source: str, label: str, start_ms: int, number: str) -> Track:
    seen = TrackSighting(
        image_path=keys.image_key("cam", start_ms + 5, "ab" * 32, 1),
        captured_at_ms=start_ms + 5,
        confidence=0.5,
        box=(1.0, 2.0, 3.0, 4.0),
    )
    return Track(
        id=f"{start_ms}-{number}",
        model=MODEL,
        source=source,
        label=label,
        hour_start_ms=start_ms,
        is_counted=True,
        first_seen_ms=start_ms + 5,
        last_seen_ms=start_ms + 905,
        boxes=4,
        first=seen,
        best=seen,
    )
