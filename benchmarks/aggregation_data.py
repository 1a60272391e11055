"""Generates footage for the counting benchmarks: frames with 3.5 boxes each, the same bytes every time."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import footage

from frametally.adapters_by_url import open_object_store
from frametally.records import Detection, FrameDetections

SEED, SOURCES = 7, 4
START_MS = 1_772_323_200_000
LABELS = ["car", "person", "bus", "truck", "bicycle"]
MODEL = "bench"


def apart(make: Callable[..., object], *arguments: object) -> None:
    """Call `make` in a separate process: Linux starts a child's peak memory at its parent's.

    Raises `SystemExit` if it fails.
    """
    process = multiprocessing.get_context("spawn").Process(target=make, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"the footage could not be made: exit code {process.exitcode}")


def frames_of(frames: int) -> Iterator[FrameDetections]:
    """Yield `frames` frames of four cameras at 5 a second, 1 in 200 of them twice."""
    rng = random.Random(SEED)  # noqa: S311
    for number in range(frames):
        source = f"gate-{number % SOURCES}"
        at_ms = START_MS + number // SOURCES * 200
        boxes = [
            Detection(
                label=rng.choices(LABELS, [8, 4, 1, 2, 1])[0],
                confidence=rng.randrange(1000, 10_000) / 10_000,
                box=(rng.randrange(6000) / 10, rng.randrange(4000) / 10, 30.5, 40.0),
            )
            for _ in range(rng.randrange(8))
        ]
        frame = footage.frame(MODEL, source, at_ms, number, boxes)
        yield frame
        if number % 200 == 0:
            yield frame


def write_segments(store: Path, frames: int, frames_per_segment: int) -> None:
    """Write segments to their places in the store folder `store`."""
    with closing(open_object_store(store.absolute().as_uri())) as opened:
        footage.put_segments(opened, MODEL, frames_of(frames), frames_per_segment)
