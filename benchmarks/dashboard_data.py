"""Makes the data of a year of three cameras: the count index, a whole ledger, and frames of some minutes.

The counts are those of objects that come and go: each label has its rate (by Zipf's law: six in ten have the
first label, as cars on a street), each hour of the day and each source its share, and an object stays for
some frames. So, as in real footage, most labels are in few minutes, and the common ones in most.
"""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

import cv2
import footage
import msgspec
import numpy as np

from frametally import keys, records
from frametally.history_records import HourFile, HourList, hour_file_key
from frametally.ports.count_index import CountIndex
from frametally.ports.object_store import ObjectStore
from frametally.rules.seals import name_of
from frametally.rules.times import HOUR_MS
from frametally.track_records import Track, TrackSighting

MODEL = "yolov4-tiny-openvino-f32-0123abcd"
SOURCES = ("junction-east", "harbour", "school")
LABELS = [f"label-{number:02d}" for number in range(80)]
FIRST_DAY_MS = keys.day_start_ms("2025-01-01")
DAY_MS, MINUTE_MS = 86_400_000, 60_000
FRAMES_A_MINUTE = 300  # 5 frames a second
_FRAME_MS = MINUTE_MS // FRAMES_A_MINUTE

_OBJECTS_A_MINUTE = 8.0
_FRAMES_AN_OBJECT = 8
_ZIPF = 2.0
_PARTITIONS = 6
_SHARE = (1.3, 1.0, 0.7)


class Loaded(NamedTuple):
    """The loaded data: rows of counts and of coverage, and the detections that they represent."""

    counts: int
    coverage: int
    detections: int


class Minute(NamedTuple):
    """A minute with frames in the store: its start, and boxes by source and label."""

    start_ms: int
    boxes: dict[tuple[str, str], int]


def load_index(index: CountIndex, *, days: int, tracked: Collection[int] = ()) -> Loaded:
    """Publish `days` days, except those that exist already.

    Args:
        index: The index to fill.
        days: The number of days from the first one.
        tracked: Numbers of the days that have tracks in the store.
    """
    there = {run.day: run.sequence for run in index.current_runs()}
    rows = covered = detections = 0
    for number in range(days):
        day_ms = FIRST_DAY_MS + number * DAY_MS
        of_day = day_of_boxes(number)
        rows += int(np.count_nonzero(of_day))
        covered += of_day.shape[0] * of_day.shape[1]
        detections += int(of_day.sum())
        run = run_of(number, tracked=number in tracked)
        if there.get(run.day, 0) < run.sequence:
            index.publish(run, counts_of(of_day, day_ms), coverage_of(of_day, day_ms))
    return Loaded(rows, covered, detections)


def day_of_boxes(number: int) -> np.ndarray:
    """Return a day's boxes, shape (3 sources, 1440 minutes, 80 labels), dtype int64; always the same."""
    rng = np.random.default_rng(number)
    rates = 1.0 / np.arange(1, len(LABELS) + 1) ** _ZIPF
    rates *= _OBJECTS_A_MINUTE / rates.sum()
    hours = np.arange(1440) / 60
    by_day = 0.25 + 1.5 * np.clip(np.sin((hours - 5) / 16 * np.pi), 0, None)
    by_day *= 1440 / by_day.sum()
    mean = np.array(_SHARE)[:, None, None] * by_day[None, :, None] * rates[None, None, :]
    objects = rng.poisson(mean)
    return rng.poisson(objects * _FRAMES_AN_OBJECT).astype(np.int64)


def objects_of(boxes: np.ndarray) -> np.ndarray:
    """Return the number of objects for so many boxes (one or more) of one minute and label."""
    return 1 + boxes // 12


def frame_of(label: int, number: int) -> int:
    """Return the frame of a minute that has its `number`-th box of a label."""
    return (number * 7 + label) % FRAMES_A_MINUTE


def picture_key(source: str, at_ms: int) -> str:
    """Return the key of the picture of a source's frame."""
    return keys.image_key(source, at_ms, medium_of(source), at_ms // 200 % 10_000_000)


def run_of(number: int, *, tracked: bool) -> records.Run:
    """Return the run of a day; one with tracks replaces one without."""
    frames = len(SOURCES) * 1440 * FRAMES_A_MINUTE
    day = keys.utc_day(FIRST_DAY_MS + number * DAY_MS)
    run = footage.run(MODEL, day, 2 if tracked else 1, frames=frames)
    if not tracked:
        return run
    listed, _ = hours_of(number)
    return msgspec.structs.replace(
        run, hours_crc32=zlib.crc32(records.encode(listed)), hours=listed.digests()
    )


@cache
def hours_of(number: int) -> tuple[HourList, dict[str, bytes]]:
    """Return the list of the hour files with a day's tracks, and the files by their keys."""
    day_ms = FIRST_DAY_MS + number * DAY_MS
    lines: defaultdict[tuple[str, int], list[bytes]] = defaultdict(list)
    for position, track in enumerate(_tracks(day_of_boxes(number), day_ms)):
        key = msgspec.json.encode(["track", track.source, track.label, position, track.hour_start_ms])
        hour = track.hour_start_ms // HOUR_MS % 24
        lines[track.source, hour].append(key + b"\t" + records.encode(track) + b"\n")
    run = footage.run(MODEL, keys.utc_day(day_ms), 2, frames=0)
    hours: defaultdict[str, dict[int, HourFile]] = defaultdict(dict)
    files = {}
    for (source, hour), of_hour in lines.items():
        data = b"".join(of_hour)
        hours[source][hour] = HourFile(name_of(data), zlib.crc32(data))
        files[hour_file_key(MODEL, run.day, source, hour, name_of(data))] = data
    listed = HourList(
        run_id=run.run_id, model=MODEL, params=run.params, interval_s=60, day=run.day, hours=dict(hours)
    )
    return listed, files


def counts_of(boxes: np.ndarray, day_ms: int) -> Iterator[records.IntervalCount]:
    """Yield the counts of a day's boxes."""
    for s, source in enumerate(SOURCES):
        for minute, label in zip(*(axis.tolist() for axis in np.nonzero(boxes[s])), strict=True):
            start_ms, detections = day_ms + minute * MINUTE_MS, int(boxes[s, minute, label])
            peak = 1 + detections // 20
            at_ms = start_ms + 200 * (label % FRAMES_A_MINUTE)
            yield records.IntervalCount(
                model=MODEL,
                source=source,
                label=LABELS[label],
                interval_start_ms=start_ms,
                interval_s=60,
                frames=FRAMES_A_MINUTE,
                detections=detections,
                peak=peak,
                objects=int(objects_of(boxes[s, minute, label])),
                evidence=[
                    records.Evidence(image_path=picture_key(source, at_ms), captured_at_ms=at_ms, count=peak)
                ],
            )


def coverage_of(boxes: np.ndarray, day_ms: int) -> Iterator[records.Coverage]:
    """Yield the coverage of that day, all of which was filmed."""
    for s, source in enumerate(SOURCES):
        for minute in range(1440):
            yield records.Coverage(
                model=MODEL,
                source=source,
                interval_start_ms=day_ms + minute * MINUTE_MS,
                interval_s=60,
                frames=FRAMES_A_MINUTE,
                detections=int(boxes[s, minute].sum()),
                analysed_fps=5.0,
            )


def medium_of(source: str) -> str:
    """Return the identity of a source's medium."""
    return hashlib.sha256(source.encode()).hexdigest()


def put_segments(store: ObjectStore, minutes: Sequence[int]) -> list[Minute]:
    """Store segments for each of these minutes (counted from the first day) that match the index.

    Each has 450 frames of three minutes and one of six partitions, as a worker writes them.
    """
    found = []
    offset = 0
    for source in SOURCES:
        span = FIRST_DAY_MS, FIRST_DAY_MS + 365 * DAY_MS - 200
        manifest = footage.manifest(medium_of(source), source, span, 1, sampling="5")
        store.put(keys.media_key(medium_of(source)), records.encode(manifest))
    for minute in minutes:
        day, of_day = divmod(minute, 1440)
        boxes = day_of_boxes(day)[:, of_day]
        start_ms = FIRST_DAY_MS + minute * MINUTE_MS
        lines: list[list[records.FrameDetections]] = [[] for _ in range(_PARTITIONS)]
        for s, source in enumerate(SOURCES):
            for part in (-1, 0, 1):
                for frame in _frames(source, start_ms + part * MINUTE_MS, boxes[s]):
                    lines[(frame.captured_at_ms // 5000 + s) % _PARTITIONS].append(frame)
        for partition, frames in enumerate(lines):
            footage.put_segment(store, MODEL, partition, offset, frames)
        offset += len(lines[0])
        shown = {
            (source, LABELS[label]): int(boxes[s, label])
            for s, source in enumerate(SOURCES)
            for label in np.nonzero(boxes[s])[0]
        }
        found.append(Minute(start_ms, shown))
    return found


def _frames(source: str, start_ms: int, boxes: np.ndarray) -> Iterator[records.FrameDetections]:
    """Yield a minute of frames in which each label has as many boxes as in `boxes`."""
    medium = medium_of(source)
    of_frame: list[list[records.Detection]] = [[] for _ in range(FRAMES_A_MINUTE)]
    for label in np.nonzero(boxes)[0].tolist():
        for number in range(int(boxes[label])):
            box = (float(10 + number % 500), float(20 + label), 64.0, 40.0)
            one = records.Detection(label=LABELS[label], confidence=0.8, box=box)
            of_frame[frame_of(label, number)].append(one)
    for turn, detections in enumerate(of_frame):
        at_ms = start_ms + 200 * turn
        number = at_ms // 200 % 10_000_000
        path = picture_key(source, at_ms)
        yield footage.frame(
            MODEL, source, at_ms, number, detections, medium=medium, size=(854, 480), image_path=path
        )


def widen_ledger(path: Path, *, days: int) -> int:
    """Add the hours of the other segments of so many days to a ledger, so that it has its full size.

    Returns:
        The number of its rows of hours afterwards.
    """
    with sqlite3.connect(path) as ledger:
        numbers = dict(ledger.execute("SELECT name, number FROM frametally_ledger_names"))
        columns = [row[1] for row in ledger.execute("PRAGMA table_info(frametally_ledger_hours)")]
        there = ledger.execute("SELECT count(*) FROM frametally_ledger_hours").fetchone()[0]
        if there < days * 1000:

            def rows() -> Iterator[tuple[int, ...]]:
                for source, n in product(SOURCES, range(days * 480 * _PARTITIONS)):
                    first_ms = FIRST_DAY_MS + n // _PARTITIONS * 3 * MINUTE_MS + n % _PARTITIONS
                    row = {
                        **{"model": numbers[MODEL], "source": numbers[source], "is_own": 1},
                        **{"hour": first_ms // (60 * MINUTE_MS), "first_ms": first_ms + 1},
                        # A segment that does not exist and is never read.
                        **{"segment": -n, "last_ms": first_ms + 2, "next_byte": 1},
                    }
                    yield tuple(row.get(column, 0) for column in columns)

            marks = ", ".join("?" * len(columns))
            # Contains only placeholders.
            ledger.executemany(f"INSERT OR IGNORE INTO frametally_ledger_hours VALUES ({marks})", rows())  # noqa: S608
            ledger.execute("DELETE FROM frametally_ledger_hour_sums")
            ledger.execute(
                "INSERT INTO frametally_ledger_hour_sums SELECT model, source, hour, count(*), sum(is_own), "
                "count(crc32), sum(digest_0), sum(digest_1) FROM frametally_ledger_hours GROUP BY 1, 2, 3"
            )
        found: int = ledger.execute("SELECT count(*) FROM frametally_ledger_hours").fetchone()[0]
    ledger.close()
    return found


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
        boxes = day_of_boxes(number)
        tracks += int(objects_of(boxes[boxes > 0]).sum())
        listed, files = hours_of(number)
        for key, data in {**files, listed.key: records.encode(listed) + b"\n"}.items():
            store.put(key, data, if_absent=True, durable=False)
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
