"""Makes the pictures and the tracks behind some of the minutes of benchmarks/dashboard_data.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from dashboard_data import (
    FIRST_DAY_MS,
    FRAMES_A_MINUTE,
    LABELS,
    MINUTE_MS,
    MODEL,
    SOURCES,
    Minute,
    day_of_boxes,
    frame_of,
    objects_of,
    picture_key,
    run_of,
)

from frametally import keys
from frametally.ports.object_store import ObjectStore
from frametally.records import encode
from frametally.track_records import Track, TrackSighting

_FRAME_MS = MINUTE_MS // FRAMES_A_MINUTE


def first_picture(minute: Minute, source: str) -> str:
    """Return the key of a source's first frame in a minute that has any box."""
    first = min(
        frame_of(LABELS.index(label), number)
        for (of, label), boxes in minute.boxes.items()
        if of == source
        for number in range(boxes)
    )
    return picture_key(source, minute.start_ms + _FRAME_MS * first)


def put_pictures(store: ObjectStore, minutes: Sequence[Minute]) -> int:
    """Store each source's first picture of each minute, if missing; return its size in bytes."""
    rng = np.random.default_rng(5)
    # Like a street: large areas of one colour, edges between them, and a little noise.
    coarse = rng.integers(40, 220, (60, 107, 3), dtype=np.uint8)
    street = cv2.resize(coarse, (854, 480), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    noisy = np.clip(street + rng.integers(-4, 5, street.shape), 0, 255).astype(np.uint8)
    jpeg = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    for minute in minutes:
        for source in sorted({source for source, _ in minute.boxes}):
            store.put(first_picture(minute, source), jpeg, if_absent=True, durable=False)
    return len(jpeg)


def put_tracks(store: ObjectStore, days: Sequence[int]) -> int:
    """Store the tracks of whole days, if missing; return the mean number per day."""
    tracks = 0
    for number in days:
        day_ms = FIRST_DAY_MS + number * 1440 * MINUTE_MS
        boxes = day_of_boxes(number)
        tracks += int(objects_of(boxes[boxes > 0]).sum())
        key = f"{keys.tracks_folder(run_of(day_ms, tracked=True).prefix)}/part-00000"
        if store.head(key) is None:
            body = b"".join(encode(track) + b"\n" for track in _tracks(boxes, day_ms))
            store.put(key, body, durable=False)
    return tracks // len(days)


def _tracks(boxes: np.ndarray, day_ms: int) -> Iterator[Track]:
    """Yield as many tracks of each source, minute and label as the index has, all of them counted."""
    for s, source in enumerate(SOURCES):
        number = 0
        for label, minute in zip(*(axis.tolist() for axis in np.nonzero(boxes[s].T)), strict=True):
            for n in range(int(objects_of(boxes[s, minute, label]))):
                start_ms = day_ms + minute * MINUTE_MS + _FRAME_MS * frame_of(label, n)
                number += 1
                yield _track(source, LABELS[label], start_ms, number)


def _track(source: str, label: str, start_ms: int, number: int) -> Track:
    def seen(at_ms: int, confidence: float) -> TrackSighting:
        return TrackSighting(
            image_path=picture_key(source, at_ms),
            captured_at_ms=at_ms,
            confidence=confidence,
            box=(float(10 + number % 500), 120.0, 64.0, 40.0),
        )

    hour_ms = start_ms - start_ms % 3_600_000
    return Track(
        id=f"{hour_ms}-{number}",
        model=MODEL,
        source=source,
        label=label,
        hour_start_ms=hour_ms,
        is_counted=True,
        first_seen_ms=start_ms,
        last_seen_ms=start_ms + 7 * _FRAME_MS,
        boxes=8,
        first=seen(start_ms, 0.6),
        best=seen(start_ms + 4 * _FRAME_MS, 0.9),
    )
