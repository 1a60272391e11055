"""What a late segment writes, and how much code it enters: this version beside an earlier one.

    python benchmarks/late_writes.py --before /path/to/python/of/the/earlier/version

Both count the same whole day of two cameras with the default settings, then one late segment of 500 frames.
The numbers are counts, so the machine's load does not change them.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import footage

from frametally.adapters_by_url import open_object_store
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import NoProgress
from frametally.records import Detection, FrameDetections
from frametally.settings.loading import Settings
from frametally_hadoop.driver import aggregate

MODEL, SOURCES, START_MS, HOUR_MS = "bench", ("gate-1", "gate-2"), 1_772_323_200_000, 3_600_000
LABELS = ("car", "car", "car", "person", "bus", "truck")
FRAMES_PER_SEGMENT = 500
MEDIA, LATE_MEDIA = "ab" * 32, "cd" * 32
Car = tuple[str, float, int, int, int]
"""Label, confidence, initial left and upper side, and pixels that it moves a frame."""


def frame_of(
    rng: random.Random, source: str, at_ms: int, number: int, cars: list[Car], step: int, media: str = MEDIA
) -> FrameDetections:
    """Return a frame with the cars after some steps, each up to 2 px away from its place."""
    boxes = []
    for label, confidence, left, top, speed in cars:
        x, y = (round(side + rng.random() * 2, 1) for side in (left + step * speed, top))
        boxes.append(Detection(label=label, confidence=confidence, box=(x, y, 60.5, 40.0)))
    return footage.frame(MODEL, source, at_ms, number, boxes, medium=media)


def frames_of_day() -> Iterator[FrameDetections]:
    """Yield a day's frames by hour and source: each half minute, up to three cars drive by in 5 s."""
    rng, number = random.Random(7), 0  # noqa: S311
    for hour in range(24):
        for source in SOURCES:
            for start_s in range(0, 3600, 30):
                cars = [
                    (
                        rng.choice(LABELS),
                        rng.randrange(5000, 9900) / 10_000,
                        rng.randrange(200),
                        rng.randrange(60, 400),
                        rng.choice([4, 6, 8]),
                    )
                    for _ in range(rng.randrange(1, 4))
                ]
                for step in range(25):
                    at_ms = START_MS + hour * HOUR_MS + start_s * 1000 + step * 200
                    yield frame_of(rng, source, at_ms, number, cars, step)
                    number += 1


def count(folder: Path, store: ObjectStore) -> None:
    """Count what is new, as `frametally aggregate` does."""
    aggregate(settings=Settings(data_dir=folder).resolved(), store=store, progress=NoProgress())


def stored_in(store: Path) -> dict[str, tuple[int, int]]:
    """Return, by key, when each object other than segments was written, in nanoseconds, and its size."""
    paths = (path for path in store.rglob("*") if path.is_file() and "metadata" not in path.parts)
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in paths}


def measure(folder: Path) -> dict[str, Any]:
    """Count a day and a late segment with this Python's frametally; return the effects of the latter."""
    store = open_object_store((folder / "store").as_uri())
    footage.put_segments(store, MODEL, frames_of_day(), FRAMES_PER_SEGMENT)
    count(folder, store)
    before = stored_in(folder / "store")
    rng, cars, first_ms = random.Random(9), [("car", 0.9, 10, 100, 3)], START_MS + 12 * HOUR_MS + 1_815_100  # noqa: S311
    late = [
        frame_of(rng, SOURCES[0], first_ms + n * 200, n, cars, n % 100, LATE_MEDIA)
        for n in range(FRAMES_PER_SEGMENT)
    ]
    footage.put_segment(store, MODEL, 1, 1_000_000, late)
    entered: set[str] = set()

    def enter(frame: Any, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_name != "<module>":
            entered.add(frame.f_code.co_filename)

    threading.setprofile(enter)
    sys.setprofile(enter)
    count(folder, store)
    sys.setprofile(None)
    threading.setprofile(None)
    new = {
        key: size for key, (at, size) in stored_in(folder / "store").items() if before.get(key) != (at, size)
    }
    return {
        "objects": len(new),
        "bytes": sum(new.values()),
        "part_bytes": sum(size for key, size in new.items() if "mapreduce-output" in key and "/part-" in key),
        "modules": sum("/frametally_hadoop/" in path for path in entered),
        "all_modules": sum("/frametally" in path and "/site-packages/" not in path for path in entered),
    }


def main() -> None:
    """Measure both versions, and write benchmarks/results/late_writes.json."""
    from results import Goal, Table, options, save

    asked = options(__doc__, before=str, measure=Path)
    if asked.measure:
        print(json.dumps(measure(asked.measure)))
        return
    found = []
    for python in (asked.before, sys.executable):
        with tempfile.TemporaryDirectory() as folder:
            command = [python, __file__, "--measure", folder]
            found.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
    before, now = found
    rows = {
        "objects put": "objects",
        "bytes put": "bytes",
        "of these, part files": "part_bytes",
        "modules of the counting job entered": "modules",
        "modules of frametally entered": "all_modules",
    }
    save(
        name="late_writes",
        title="What a late segment writes",
        about=(
            "A whole day of two cameras, 144,000 generated frames with up to three cars in each, counted "
            "with the default settings; then a late segment of 500 frames: before hour files (commit "
            "258f95b4) and with them. A round writes the day's part file whole; since it is packed by gzip, "
            "it has a twelfth of the bytes."
        ),
        packages=["mrjob", "msgspec"],
        tables=[
            Table(
                "A late segment",
                ["of one round", "before", "now"],
                [[name, before[key], now[key]] for name, key in rows.items()],
            )
        ],
        goals=[
            Goal("bytes put, to those before hour files", now["bytes"] / before["bytes"], at_most=0.4),
            Goal(
                "the same, without part files",
                (now["bytes"] - now["part_bytes"]) / (before["bytes"] - before["part_bytes"]),
                at_most=0.4,
            ),
            Goal("modules of the counting job entered", now["modules"], at_most=16),
        ],
    )


if __name__ == "__main__":
    main()
