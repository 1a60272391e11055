"""Counts each moment of a source once: the one rule for media of a source that overlap in time.

A video covers the time of its runs: frames that are at most a minute apart, from the first to the last. So a
video with a hole of hours, or with a clock that jumps by a century, covers only what it filmed. It ends with
its last frame, not a step later, so a file that begins there loses nothing. Pictures are moments and cover no
time. If several videos of a source cover the same time, one of them counts. Which one depends only on the
media, not on when each was produced. Pictures of a moment that a video covers do not count either.

If one video ends shortly after the next begins, as happens when names have whole seconds, the next one counts
from that end (`is_hand_over`). A moment counts once there as well, and no check fails.

A medium does not cover its forgotten times, so other media count there again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from frametally.rules.tombstones import Forgotten, merged, without

OverlapWinner = Literal["first", "last", "all"]
"""Which of several media counts: the one that begins `first` or `last` (if they begin together, the one that
ends last, then the one with the smaller sha256), or `all`, so that a moment may count more than once.
"""

HOLE_MS = 60_000
"""A video does not cover a longer event time without a frame."""

_MOST_RUNS = 100
_ROUNDING_MS = 2
"""Containers have their own time units, so a picture may be this much later in a copy."""

HAND_OVER_MS = 2_000
_HAND_OVER_PART = 10

Span = tuple[int, int]
"""Event times of a first and a last frame."""


class MediumTime(NamedTuple):
    """When one medium has frames.

    Attributes:
        media: The `media` of its frames.
        runs: Its runs of frames, sorted.
        covers: Whether it covers the time of its runs, as a video does; if not, its frames are moments.
    """

    media: str
    source: str
    runs: Sequence[Span]
    covers: bool = True


class Overlap(NamedTuple):
    """Event time `[from_ms, to_ms)` of a source in which `winner` counts instead of `loser`."""

    source: str
    from_ms: int
    to_ms: int
    loser: str
    winner: str


def joined_runs(runs: Iterable[Span]) -> list[Span]:
    """Return the runs that frames, or runs of frames, make up together, in any input order.

    If there are more than a hundred, close the shortest holes between them to keep the list short.
    """
    result: list[Span] = []
    for first, last in sorted(runs):
        if result and first - result[-1][1] <= HOLE_MS:
            result[-1] = (result[-1][0], max(result[-1][1], last))
        else:
            result.append((first, last))
    if len(result) <= _MOST_RUNS:
        return result
    holes = sorted(range(1, len(result)), key=lambda i: (result[i - 1][1] - result[i][0], i))
    begins = [0, *sorted(holes[: _MOST_RUNS - 1])]
    ends = [*(begin - 1 for begin in begins[1:]), len(result) - 1]
    return [(result[begin][0], result[end][1]) for begin, end in zip(begins, ends, strict=True)]


def find_overlaps(media: Iterable[MediumTime], forgotten: Forgotten, *, wins: OverlapWinner) -> list[Overlap]:
    """Return where media lose to others of their source, by source and time, for any input order."""
    if wins == "all":
        return []
    of_source: dict[str, list[MediumTime]] = defaultdict(list)
    for medium in media:
        if medium.runs:
            of_source[medium.source].append(medium)
    overlaps: list[Overlap] = []
    for of_one in of_source.values():
        if _are_apart(of_one):
            continue
        owned = _OwnedTime()
        for medium in sorted(of_one, key=lambda medium: _rank(medium, wins)):
            margin_ms = _ROUNDING_MS if medium.covers else 0
            for first, last in medium.runs:
                for span in without((first, last + 1 + margin_ms), forgotten.get(medium.media, ())):
                    overlaps += owned.take(medium, *span)
    return sorted(overlaps)


def _are_apart(media: Iterable[MediumTime]) -> bool:
    """Return whether no spans of the media meet, as in most sources; this takes a third of the time."""
    spans = sorted(
        (first, last + _ROUNDING_MS * medium.covers) for medium in media for first, last in medium.runs
    )
    return all(end < begin for (_, end), (begin, _) in pairwise(spans))


def is_hand_over(first: Sequence[Span], other: Sequence[Span]) -> bool:
    """Return whether two overlapping videos, given by their runs, really follow each other.

    The later one begins and ends after the other, and they overlap by less than 2 s and less than a tenth of
    either. A start time truncated to whole seconds explains such an overlap.
    """
    if not first or not other:
        return False
    (begins_ms, ends_ms), (next_begins_ms, next_ends_ms) = sorted(
        (runs[0][0], runs[-1][1]) for runs in (first, other)
    )
    both_ms = ends_ms - next_begins_ms
    shorter_ms = min(ends_ms - begins_ms, next_ends_ms - next_begins_ms)
    follows = begins_ms < next_begins_ms and ends_ms < next_ends_ms
    return follows and both_ms < HAND_OVER_MS and both_ms * _HAND_OVER_PART < shorter_ms


def lost_ranges(overlaps: Iterable[Overlap]) -> dict[str, list[tuple[int | None, int | None]]]:
    """Return the ranges that media lose, in the form that `tombstones.is_forgotten` expects."""
    table: dict[str, list[tuple[int | None, int | None]]] = defaultdict(list)
    for overlap in overlaps:
        table[overlap.loser].append((overlap.from_ms, overlap.to_ms))
    return {media: merged(ranges) for media, ranges in table.items()}


def _rank(medium: MediumTime, wins: OverlapWinner) -> tuple[bool, int, int, str]:
    begins, ends = medium.runs[0][0], medium.runs[-1][1]
    return not medium.covers, begins if wins == "first" else -begins, -ends, medium.media


class _OwnedTime:
    """The times of one source that each medium has: ranges that do not overlap, in order."""

    def __init__(self) -> None:
        self._begins: list[int] = []
        self._owned: list[tuple[int, int, str]] = []

    def take(self, medium: MediumTime, from_ms: int, to_ms: int) -> list[Overlap]:
        """Give `[from_ms, to_ms)` to a medium, except the ranges of other media, and return these."""
        index = bisect_right(self._begins, from_ms)
        if index and self._owned[index - 1][1] > from_ms:
            index -= 1
        first, free_from, overlaps = index, from_ms, []
        now: list[tuple[int, int, str]] = []
        while index < len(self._owned) and self._owned[index][0] < to_ms:
            begin, end, owner = self._owned[index]
            if free_from < begin:
                now.append((free_from, begin, medium.media))
            now.append(self._owned[index])
            if owner != medium.media:
                overlaps.append(
                    Overlap(medium.source, max(begin, from_ms), min(end, to_ms), medium.media, owner)
                )
            free_from = end
            index += 1
        if free_from < to_ms:
            now.append((max(free_from, from_ms), to_ms, medium.media))
        if medium.covers:
            self._owned[first:index] = now
            self._begins[first:index] = [begin for begin, _, _ in now]
        return overlaps
