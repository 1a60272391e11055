"""Makes what the benchmarks store: frames with given boxes, segments, and runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from itertools import islice, product
from typing import Any

from frametally import keys, records
from frametally.ports.object_store import ObjectStore
from frametally.segments.contents import encode_segment

LOG_ID, TOPIC, PARAMS = "log", "frames", "0a1b2c3d"
MEDIUM = "ab" * 32


def frame(
    model: str,
    source: str,
    at_ms: int,
    number: int,
    detections: list[records.Detection],
    *,
    medium: str = MEDIUM,
    size: tuple[int, int] = (640, 480),
    image_path: str = "",
) -> records.FrameDetections:
    """Return a frame as a worker stores it; `number` is its place in the medium."""
    return records.FrameDetections(
        image_path=image_path or keys.image_key(source, at_ms, medium, number),
        source=source,
        frame_index=number,
        captured_at_ms=at_ms,
        time_source="start_time",
        width_px=size[0],
        height_px=size[1],
        media=medium,
        model=model,
        detections=detections,
    )


def announcement(
    source: str, at_ms: int, number: int, *, size: tuple[int, int] = (854, 480), jpeg: bytes = b"jpeg"
) -> records.FrameAnnouncement:
    """Return a frame as the producer announces it; `jpeg` is its file."""
    return records.FrameAnnouncement(
        image_path=keys.image_key(source, at_ms, MEDIUM, number),
        source=source,
        frame_index=number,
        captured_at_ms=at_ms,
        time_source="start_time",
        width_px=size[0],
        height_px=size[1],
        bytes=len(jpeg),
        sha256=hashlib.sha256(jpeg).hexdigest(),
        media=MEDIUM,
    )


def segment(
    model: str, partition: int, first_offset: int, frames: Sequence[records.FrameDetections]
) -> tuple[str, bytes]:
    """Return a segment's key and bytes, as the consumer writes it."""
    body = encode_segment(
        model=model,
        log_id=LOG_ID,
        topic=TOPIC,
        partition=partition,
        first_offset=first_offset,
        next_offset=first_offset + len(frames),
        frames=frames,
        dead_letters=[],
    )
    return keys.segment_key(model, LOG_ID, TOPIC, partition, first_offset), body


def put_segment(
    store: ObjectStore,
    model: str,
    partition: int,
    first_offset: int,
    frames: Sequence[records.FrameDetections],
) -> None:
    """Store a segment, as the consumer does."""
    key, body = segment(model, partition, first_offset, frames)
    store.put(key, body, durable=False)


def put_segments(
    store: ObjectStore, model: str, frames: Iterable[records.FrameDetections], of_each: int
) -> None:
    """Store frames in segments of so many, one after the other."""
    rest, offset = iter(frames), 0
    while batch := list(islice(rest, of_each)):
        put_segment(store, model, 0, offset, batch)
        offset += len(batch)


def run(model: str, day: str, sequence: int, *, frames: int) -> records.Run:
    """Return a run of a day with one part file, at an interval of a minute."""
    run_id = f"{sequence:06d}-0123456789abcdef"
    return records.Run(
        run_id=run_id,
        sequence=sequence,
        model=model,
        params=PARAMS,
        interval_s=60,
        day=day,
        prefix=keys.run_folder(model, PARAMS, 60, day, run_id),
        parts=["part-00000.gz"],
        inputs_sha256="0" * 64,
        frames=frames,
        duplicates_dropped=0,
        hours={},
    )


def day_of_counts(
    of_day: records.Run,
    sources: Sequence[str],
    labels: Sequence[str],
    *,
    frames: int,
    detections: Callable[[int, int], int],
) -> tuple[list[records.IntervalCount], list[records.Coverage]]:
    """Return counts and coverage of each minute of a run's day.

    Each minute of a source has so many `frames`, and of a label `detections(minute, number of the label)`.
    """
    counts, coverage = [], []
    day_ms = keys.day_start_ms(of_day.day)
    for source, minute in product(sources, range(1440)):
        at_ms = day_ms + minute * 60_000
        common: dict[str, Any] = {
            **{"model": of_day.model, "source": source, "frames": frames},
            **{"interval_start_ms": at_ms, "interval_s": 60},
        }
        coverage.append(records.Coverage(**common))
        path = keys.image_key(source, at_ms, MEDIUM, minute)
        for number, label in enumerate(labels):
            boxes, seen = (
                detections(minute, number),
                records.Evidence(image_path=path, captured_at_ms=at_ms, count=1),
            )
            counts.append(
                records.IntervalCount(
                    label=label, detections=boxes, peak=1, objects=boxes, evidence=[seen], **common
                )
            )
    return counts, coverage


def manifest(
    sha256: str, source: str, span: tuple[int, int], frames: int, **more: Any
) -> records.MediaManifest:
    """Return the manifest of a whole video whose frames are of the times from `span[0]` to `span[1]`."""
    common: dict[str, Any] = {
        **{"sha256": sha256, "name": f"{source}.mp4", "source": source, "source_name": source},
        **{"kind": "video", "time_source": "start_time", "state": "complete"},
        **{"first_captured_at_ms": span[0], "last_captured_at_ms": span[1]},
        **dict.fromkeys(("frames_expected", "frames_put", "frames_announced"), frames),
    }
    return records.MediaManifest(**common, **more)
