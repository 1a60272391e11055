"""Chooses frames by their times: at crossings, and at equal distances."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence


def at_crossings(times_ms: Sequence[int], crossings_ms: Iterable[int]) -> set[int]:
    """Return the first of the sorted times at or after each crossing; the last one if there is none."""
    last = len(times_ms) - 1
    return {times_ms[min(bisect_left(times_ms, at_ms), last)] for at_ms in crossings_ms if times_ms}


def spread_evenly(times_ms: Sequence[int], interval_s: int, frames: int) -> set[int]:
    """Return the first time of each of `frames` equal parts of every interval of `interval_s` seconds."""
    first_of: dict[tuple[int, int], int] = {}
    for at_ms in times_ms if frames else ():
        number, within_ms = divmod(at_ms, interval_s * 1000)
        first_of.setdefault((number, within_ms * frames // (interval_s * 1000)), at_ms)
    return set(first_of.values())
