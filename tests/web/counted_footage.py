"""Footage whose every frame is in the store: the counts are made from the same lines that prove them."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from tests.fakes.records import (
    make_announcement,
    make_count,
    make_coverage,
    make_frame,
    make_manifest,
    make_run,
    make_segment,
    put_tracks,
)
from tests.kit.clips import grey_jpeg
from tests.web.conftest import Place

from frametally import keys
from frametally.media.stored_images import bitmap_of
from frametally.records import (
    Cause,
    Coverage,
    DeadLetter,
    Detection,
    Evidence,
    FrameDetections,
    IntervalCount,
    TimeSource,
    encode,
)
from frametally.track_records import Track, TrackSighting

MODEL = "m"
START_MS = 1_714_550_400_000  # 2024-05-01T08:00:00Z
MINUTE_MS = 60_000


ZONES = [
    "UTC",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Antarctica/Casey",
]
# Spring and autumn, the year's end, a skipped midnight (Sao Paulo, 2018-11-04), three hours that occurred
# twice (Casey, 2010-03-05).
CLOCKS_CHANGE = ["2024-03-30", "2024-10-26", "2024-12-30", "2018-11-03", "2024-04-06", "2010-03-03"]


def make_lines(
    source: str,
    *,
    frames: int,
    step_ms: int = 5000,
    seed: int = 1,
    start_ms: int = START_MS,
    time_source: TimeSource = "start_time",
) -> list[FrameDetections]:
    """Frames with some cars and, seldom, a bus; some boxes too weak to count."""
    rng = random.Random(seed)  # noqa: S311
    medium = hashlib.sha256(source.encode()).hexdigest()
    lines = []
    for number in range(frames):
        at_ms = start_ms + number * step_ms
        labels = ["car"] * rng.choice([0, 0, 1, 3]) + ["bus"] * (rng.random() < 0.1)
        boxes = [
            Detection(label=label, confidence=rng.choice([0.2, 0.25, 0.9]), box=(10.0 * n, 20.0, 30.0, 40.0))
            for n, label in enumerate(labels)
        ]
        lines.append(
            make_frame(
                at_ms,
                number,
                boxes,
                source=source,
                media=medium,
                size_px=(640, 480),
                time_source=time_source,
                model=MODEL,
            )
        )
    return lines


def publish_lines(
    place: Place,
    lines: Sequence[FrameDetections],
    *,
    interval_s: int = 60,
    in_segments_of: int = 7,
    objects: int | None = None,
    analysed_fps: float | None = None,
    tracked_percent: int = 100,
) -> list[IntervalCount]:
    """Put the lines, each twice over and in mixed segments, and publish what they count.

    Each bar has that many `objects`, and each frame covers 200 ms, if anything was tracked.
    """
    rng = random.Random(2)  # noqa: S311
    counts_box = place.settings.counted_boxes().rule()
    mixed = [*lines, *lines[::3]]
    rng.shuffle(mixed)
    for number in range(0, len(mixed), in_segments_of):
        part = list({line.image_path: line for line in mixed[number : number + in_segments_of]}.values())
        place.store.put(
            keys.segment_key(MODEL, "log", "frames", 0, number),
            make_segment(part, [], number, next_offset=number + in_segments_of, model=MODEL, log_id="log"),
        )
    by_interval: dict[tuple[str, int], list[FrameDetections]] = defaultdict(list)
    for line in lines:
        at_ms = line.captured_at_ms - line.captured_at_ms % (interval_s * 1000)
        by_interval[line.source, at_ms].append(line)
        place.store.put(line.image_path, b"\xff\xd8 not a picture, but what is stored")
    counts: list[IntervalCount] = []
    coverage: list[Coverage] = []
    for (source, at_ms), of_interval in by_interval.items():
        common: dict[str, Any] = {
            "model": MODEL,
            "source": source,
            "interval_start_ms": at_ms,
            "interval_s": interval_s,
        }
        covered_ms = None if analysed_fps is None else 200 * len(of_interval)
        of_labels = len(counts)
        for label in ("car", "bus"):
            per_frame = [
                (sum(one.label == label and counts_box(one) for one in line.detections), line)
                for line in of_interval
            ]
            if any(number for number, _ in per_frame):
                best = max(per_frame, key=lambda pair: (pair[0], -pair[1].captured_at_ms))
                shown = Evidence(
                    image_path=best[1].image_path, captured_at_ms=best[1].captured_at_ms, count=best[0]
                )
                counts.append(
                    make_count(
                        **common,
                        label=label,
                        frames=len(of_interval),
                        detections=sum(number for number, _ in per_frame),
                        peak=best[0],
                        objects=objects,
                        tracked_detections=None
                        if objects is None
                        else sum(number for number, _ in per_frame) * tracked_percent // 100,
                        evidence=[shown],
                    )
                )
        coverage.append(
            make_coverage(
                **common,
                frames=len(of_interval),
                objects=None if objects is None else objects * (len(counts) - of_labels),
                analysed_fps=analysed_fps,
                covered_ms=covered_ms,
            )
        )
    place.publish(counts, coverage, interval_s=interval_s, model=MODEL)
    return counts


def put_dead_letters(
    place: Place,
    letters: Sequence[tuple[FrameDetections | None, Cause, str]],
    messages: Mapping[str, bytes] | None = None,
) -> None:
    """Put a segment of dead letters: the announcements, if any, the cause and the reason.

    `messages` has those that announced another picture, by `image_path`.
    """
    others = messages or {}
    place.store.put(
        keys.segment_key(MODEL, "log", "dead", 0, 0),
        make_segment(
            [],
            [
                DeadLetter(
                    offset=offset,
                    message=b"{}"
                    if line is None
                    else others.get(line.image_path) or encode(make_announcement(line)),
                    source=line.source if line else None,
                    image_path=line.image_path if line else None,
                    stage="verify",
                    cause=cause,
                    reason=reason,
                )
                for offset, (line, cause, reason) in enumerate(letters)
            ],
            model=MODEL,
            log_id="log",
            topic="dead",
        ),
    )


def put_manifest(
    place: Place,
    line: FrameDetections,
    last: FrameDetections,
    name: str,
    frames: int = 1,
    **changes: Any,
) -> None:
    """The manifest of the medium of both frames."""
    manifest = make_manifest(
        frames,
        media=line.media,
        source=line.source,
        name=f"{name}.mp4",
        source_name=name,
        time_source=line.time_source,
        span_ms=(line.captured_at_ms, last.captured_at_ms),
    )
    manifest = msgspec.structs.replace(manifest, **changes)
    place.store.put(keys.media_key(manifest.sha256), encode(manifest))


def track(number: int, at_ms: int, source: str, *, label: str = "car", is_counted: bool = True) -> Track:
    """One object, seen first and best in two frames."""
    medium = hashlib.sha256(source.encode()).hexdigest()

    def sighting(ms: int, confidence: float) -> TrackSighting:
        return TrackSighting(
            image_path=keys.image_key(source, ms, medium, number),
            captured_at_ms=ms,
            confidence=confidence,
            box=(1.0, 2.0, 30.0, 40.0),
        )

    hour_ms = at_ms - at_ms % 3_600_000
    return Track(
        id=f"{hour_ms}-{number}",
        model=MODEL,
        source=source,
        label=label,
        hour_start_ms=hour_ms,
        is_counted=is_counted,
        first_seen_ms=at_ms,
        last_seen_ms=at_ms + 4000,
        boxes=9,
        first=sighting(at_ms, 0.7),
        best=sighting(at_ms + 2000, 0.95),
    )


def publish_objects(place: Place, picture: bytes) -> None:
    """Publish a minute with 30 objects, whose first and best frames all are that `picture`."""
    tracks = [track(number, START_MS + number * 1000, "gate") for number in range(30)]
    count = make_count(START_MS, "car", 270, peak=3, frames=300, objects=30, evidence=[])
    run = put_tracks(place.store, make_run(day="2024-05-01", frames=300), tracks)
    assert place.real_index.publish(run, [count], [make_coverage(START_MS, 300, analysed_fps=6.0)])
    for one in tracks:
        for seen in (one.first, one.best):
            place.store.put(seen.image_path, picture)


def count_hours(place: Place, first_day: str, days: int, *, interval_s: int = 900, model: str = "m") -> None:
    """One car in every interval: a bar's detections equal its length."""
    first_ms = keys.day_start_ms(first_day)
    starts = range(first_ms, first_ms + days * 86_400_000, interval_s * 1000)
    common: dict[str, Any] = {"model": model, "source": "gate", "interval_s": interval_s}
    counts = [
        make_count(
            **common, label="car", interval_start_ms=at, frames=3, detections=1, objects=1, evidence=[]
        )
        for at in starts
    ]
    coverage = [Coverage(**common, interval_start_ms=at, frames=3, analysed_fps=5.0) for at in starts]
    place.publish(counts, coverage, interval_s=interval_s, model=model)


def put_footage(place: Place) -> None:
    """Put a counted gate and yard, each of one video whose pictures are all stored."""
    footage = {
        name: make_lines(name.lower(), frames=12, seed=seed) for seed, name in enumerate(["Gate", "Yard"])
    }
    publish_lines(place, [line for lines in footage.values() for line in lines])
    picture = grey_jpeg(640, 480, 120)
    for name, lines in footage.items():
        for line in lines:
            place.store.put(line.image_path, picture)
        put_manifest(
            place,
            lines[0],
            lines[-1],
            name,
            frames=len(lines),
            start_ms=START_MS,
            announced_frames=bitmap_of(range(len(lines))),
        )
