"""The speed of earlier aggregations on this machine, to estimate the next.

It is in `<data_dir>/aggregations.jsonl`, and no part of a run: who counts the same publishes the same.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Sequence
from pathlib import Path

import msgspec

from frametally.files.replacing import replace_file
from frametally.records import NOT_JSON

_FILE = "aggregations.jsonl"
_LOOK_BACK = 5
_MOST_LINES = 1000
_MOST_BYTES = 200_000
"""A longer file keeps its last `_MOST_LINES`: counting every 5 s would add 1.2 MB a day."""


class Aggregated(msgspec.Struct, frozen=True, kw_only=True):
    """One aggregation that counted something, in `seconds` to the last pointer, planning included."""

    runner: str
    days: int
    segments: int
    bytes: int
    seconds: float


def note_pace(data_dir: Path, done: Aggregated) -> None:
    """Add one. That it could not be written is not worth an error: it only helps to estimate."""
    path = data_dir / _FILE
    with contextlib.suppress(OSError):
        with path.open("ab") as file:
            file.write(msgspec.json.encode(done) + b"\n")
            is_long = file.tell() > _MOST_BYTES
        if is_long:
            replace_file(path, b"".join(path.read_bytes().splitlines(keepends=True)[-_MOST_LINES:]))


def read_pace(data_dir: Path, runner: str) -> list[Aggregated]:
    """Return the last few with this runner, the newest last."""
    try:
        lines = (data_dir / _FILE).read_bytes().splitlines()[-_MOST_LINES:]
    except OSError:
        return []
    aggregated = []
    for line in lines:
        try:
            done = msgspec.json.decode(line, type=Aggregated)
        except NOT_JSON:
            continue  # half a line, of a process that was killed
        if done.runner == runner and done.bytes > 0:
            aggregated.append(done)
    return aggregated[-_LOOK_BACK:]


def estimate_s(earlier: Sequence[Aggregated], size_bytes: int) -> float | None:
    """Estimate the seconds of counting `size_bytes`, None if there is nothing to tell them by.

    The median rate of the earlier ones that are nearest in size: what an aggregation costs before its first
    byte would make a rate of small ones too low for a large one.
    """
    if not earlier:
        return None
    largest = max(earlier, key=lambda run: run.bytes)
    like = [run for run in earlier if run.bytes * 10 >= size_bytes] or [largest]
    least_s = min(run.seconds for run in earlier)
    return max(least_s, size_bytes * statistics.median(run.seconds / run.bytes for run in like))
