"""What a late segment writes, and how much code it enters: this version beside an earlier one.

    python benchmarks/late_writes.py --before /path/to/python/of/the/earlier/version

Both count the same whole day of two cameras with the default settings, then one late segment of 500 frames.
The numbers are counts, so the machine's load does not change them.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import footage

from frametally import keys
from frametally.records import Detection, FrameDetections

MODEL, SOURCES, START_MS, HOUR_MS = "bench", ("gate-1", "gate-2"), 1_772_323_200_000, 3_600_000
LABELS = ("car", "car", "car", "person", "bus", "truck")
FRAMES_PER_SEGMENT = 500
MEDIA, LATE_MEDIA = "ab" * 32, "cd" * 32
ROOT = Path(__file__).resolve().parents[1]
Car = tuple[str, float, int, int, int]
"""Label, confidence, initial left and upper side, and pixels that it moves a frame."""


def frame_of(
    rng: random.Random, source: str, at_ms: int, number: int, cars: list[Car], step: int, media: str = MEDIA
) -> FrameDetections:
    """Return a frame with the cars after some steps, each up to 2 px away from its place."""
    boxes = [
        Detection(
            label=label,
            confidence=confidence,
            box=(
                round(left + step * speed + rng.random() * 2, 1),
                round(top + rng.random() * 2, 1),
                60.5,
                40.0,
            ),
        )
        for label, confidence, left, top, speed in cars
    ]
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


def put_segment(store: Path, partition: int, first_offset: int, frames: list[FrameDetections]) -> None:
    """Write one segment."""
    key, data = footage.segment(MODEL, partition, first_offset, frames)
    path = store / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def aggregate(folder: Path) -> None:
    """Count what is new, as `frametally aggregate` does."""
    from frametally.opening import open_object_store
    from frametally.process.reports import NoProgress
    from frametally.settings.loading import Settings
    from frametally_hadoop.driver import aggregate

    store = open_object_store((folder / "store").as_uri())
    aggregate(settings=Settings(data_dir=folder).resolved(), store=store, progress=NoProgress())


def stored_in(store: Path) -> dict[str, tuple[int, int]]:
    """Return, by key, when each object other than segments was written, in nanoseconds, and its size."""
    paths = (path for path in store.rglob("*") if path.is_file() and "metadata" not in path.parts)
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in paths}


def measure(folder: Path) -> dict[str, Any]:
    """Count a day and a late segment with this Python's frametally; return the effects of the latter."""
    store, batch, offset = folder / "store", list[FrameDetections](), 0
    for frame in frames_of_day():
        batch.append(frame)
        if len(batch) == FRAMES_PER_SEGMENT:
            put_segment(store, 0, offset, batch)
            offset, batch = offset + len(batch), []
    aggregate(folder)
    before = stored_in(store)
    rng, cars, first_ms = random.Random(9), [("car", 0.9, 10, 100, 3)], START_MS + 12 * HOUR_MS + 1_815_100  # noqa: S311
    late = [
        frame_of(rng, SOURCES[0], first_ms + n * 200, n, cars, n % 100, LATE_MEDIA)
        for n in range(FRAMES_PER_SEGMENT)
    ]
    put_segment(store, 1, 1_000_000, late)
    entered: set[str] = set()

    def enter(frame: Any, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_name != "<module>":
            entered.add(frame.f_code.co_filename)

    threading.setprofile(enter)
    sys.setprofile(enter)
    aggregate(folder)
    sys.setprofile(None)
    threading.setprofile(None)
    new = {key: size for key, (at, size) in stored_in(store).items() if before.get(key) != (at, size)}
    return {
        "objects": len(new),
        "bytes": sum(new.values()),
        "part_bytes": sum(size for key, size in new.items() if "mapreduce-output" in key and "/part-" in key),
        "modules": sum("/frametally_hadoop/" in path for path in entered),
        "all_modules": sum("/frametally" in path and "/site-packages/" not in path for path in entered),
        "lines": lines_by_area(),
    }


def rows_of_forms() -> tuple[int, int]:
    """Return the numbers of forms and of identities in docs/stored-formats.md."""
    _, _, text = (ROOT / "docs/stored-formats.md").read_text("utf-8").partition("\n## Forms\n")
    text, _, _ = text.partition("\n## ")
    _, _, identities = text.partition("| identity | of what |")
    return len(re.findall(r"(?m)^\| \d+ \|", text)), len(re.findall(r"(?m)^\| [^-]", identities))


PLACES = ("counting", "tasks", "zone_index.py")
AREAS = {
    "the counting job (`hadoop/`)": ("hadoop",),
    "counts at lines and zones": (
        *(f"{top}traffic/frametally_traffic/{name}" for top in ("", "capabilities/") for name in PLACES),
    ),
    "books of runs and footage": ("core/frametally/books",),
    "the ledger in SQL": ("core/frametally/adapters/sql/ledger",),
    "the count index in SQL, and what all indexes share": (
        "core/frametally/adapters/sql/index",
        "core/frametally/adapters/day_cells",
    ),
    "`elasticsearch/`": ("elasticsearch",),
}


def lines_by_area() -> dict[str, int]:
    """Return the lines of Python in each area of the checkout of this Python's frametally."""
    root = Path(keys.__file__).resolve().parents[2]

    def lines(place: Path) -> int:
        paths = place.rglob("*.py") if place.is_dir() else filter(Path.is_file, [place])
        return sum(len(path.read_text("utf-8").splitlines()) for path in paths)

    return {area: sum(lines(root / place) for place in places) for area, places in AREAS.items()}


def main() -> None:
    """Measure both versions, and write benchmarks/results/late_writes.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--before", help="the Python of the earlier version")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    from results import Goal, Table, save

    found = []
    for python in (options.before, sys.executable):
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
            ),
            Table(
                "What has been counted",
                ["in", "before", "now"],
                [["stored forms", 27, rows_of_forms()[0]], ["identities", 13, rows_of_forms()[1]]],
                "The forms and identities are those that docs/stored-formats.md lists.",
            ),
            Table(
                "Lines of Python",
                ["of", "before", "now"],
                [
                    *([area, before["lines"][area], now["lines"][area]] for area in AREAS),
                    ["sum", *(sum(version["lines"].values()) for version in (before, now))],
                ],
                "The areas also have what they learned since, such as footage that shows nothing.",
            ),
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
