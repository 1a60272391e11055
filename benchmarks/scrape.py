"""Measures a scrape of `/metrics` at the bounds of its labels: `python benchmarks/scrape.py`.

200 sources with all counters and ages, 50 stages with their histograms, 50 parts and reasons: no deployment
has more. It prints milliseconds (median and maximum) and bytes, and the cost of one measurement.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from frametally.books.figures import MOST_SOURCES, BooksCollector, GrowingSums, LastReading
from frametally.books.offsets import SegmentPace
from frametally.books.status import Status
from frametally.books.verdict import SourceLine, StageLine
from frametally.process.meters import METERS, MOST_NAMES
from frametally.telemetry.exposition import Scraped

SCRAPES, MEASUREMENTS = 200, 100_000


def books() -> Status:
    """Return books of as many sources as have separate labels."""
    now_ms = int(time.time() * 1000)
    frames: dict[str, Any] = dict.fromkeys(
        ("expected", "announced", "detected", "counted", "indexed"), 1_000_000
    )
    no_frames: dict[str, Any] = dict.fromkeys(("dead_lettered", "forgotten", "overlapped"), 0)
    times: dict[str, Any] = dict.fromkeys(
        ("newest_captured_at_ms", "footage_until_ms", "counted_until_ms"), now_ms
    )
    lines = [
        SourceLine(
            source=f"camera-{number:04}",
            source_name=f"Camera {number}",
            **frames,
            **no_frames,
            producing=True,
            capturing=True,
            file_time=False,
            **times,
        )
        for number in range(MOST_SOURCES)
    ]
    return Status(
        model="m",
        sources=lines,
        stages=[StageLine("consume", 1, "frametally consume")],
        log_messages=10,
        log_committed=5,
        counted_at_ms=now_ms,
        pace=SegmentPace(None, None, None),
        lost=[],
        dead_letters={"size": 3},
        dead_letters_since_ms={},
        unidentified_dead_letters=0,
        behind=[],
        damaged=[],
        broken=[],
        away={},
    )


def main() -> None:
    """Measure, and print the result."""
    for number in range(MOST_NAMES):
        METERS.took(f"stage {number}", 0.1, frames=1)
        METERS.set_aside(f"reason {number}")
        METERS.away(f"part {number}")
    status = books()
    with tempfile.TemporaryDirectory() as folder:
        began_ms = int(time.time() * 1000)
        readings = iter(range(began_ms, began_ms + 2 * SCRAPES))
        # Each scrape has a new reading, so that the sums must be updated and written: the worst case.
        collector = BooksCollector(lambda: LastReading(next(readings), status), GrowingSums(Path(folder)))
        scraped = Scraped(Path(folder), [collector])
        took_ms = []
        for _ in range(SCRAPES):
            began_s = time.perf_counter()
            body = scraped.answer("").body
            took_ms.append((time.perf_counter() - began_s) * 1000)
    began_s = time.perf_counter()
    for _ in range(MEASUREMENTS):
        METERS.took("detect", 0.02, frames=1)
    each_us = (time.perf_counter() - began_s) / MEASUREMENTS * 1e6
    print(f"a scrape: {statistics.median(took_ms):.1f} ms (at most {max(took_ms):.1f}), {len(body)} bytes")
    print(f"a measurement: {each_us:.1f} us")


if __name__ == "__main__":
    main()
