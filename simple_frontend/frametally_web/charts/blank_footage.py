"""Footage of a chart that shows nothing: beside its coverage, as it is in no number."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from frametally.ports.count_index import NOT_LOOKED_AT, BlankBucket
from frametally.rules.blank_stretches import BlankReason
from frametally_web.requests.answers import Answer


class ShowsNothing(Answer, frozen=True, kw_only=True):
    """Footage of an interval that shows nothing for one reason: it is in no number.

    The other fields are those of `FramesAnalysed`; without an entry there, the whole interval shows nothing.

    Attributes:
        reason: The picture is black, or of one colour, or it is frozen: no new picture came for a minute.
        frames: Frames analysed that are left out.
        covered_s: Seconds that they cover, summed over sources; 0 of single pictures.
    """

    start_ms: int
    end_ms: int
    source: str | None
    reason: BlankReason
    frames: int
    covered_s: float


class NothingShown(Answer, frozen=True, kw_only=True):
    """Footage of a whole range that shows nothing for one reason; the fields are those of `ShowsNothing`."""

    reason: BlankReason
    frames: int
    covered_s: float


class BlankFootage(NamedTuple):
    """The intervals with footage that shows nothing, and how many frames nobody looked at."""

    intervals: Sequence[ShowsNothing] = ()
    not_looked_at: int = 0


def blank_footage(
    parts: Iterable[tuple[Sequence[BlankBucket], Mapping[int, int]]],
    ends: Mapping[int, int],
    length_ms: int,
    *,
    by_source: bool,
) -> BlankFootage:
    """Add up what shows nothing in some spans, each with its bars that start elsewhere than the index says.

    Bars end after `length_ms`, except those in `ends`.
    """
    sums: defaultdict[Any, list[int]] = defaultdict(lambda: [0, 0])
    not_looked_at = 0
    for blank, starts in parts:
        for part in blank:
            if part.reason == NOT_LOOKED_AT:
                not_looked_at += part.frames
                continue
            source = part.source or "" if by_source else ""
            of_bar = sums[starts.get(part.start_ms, part.start_ms), source, part.reason]
            of_bar[0] += part.frames
            of_bar[1] += part.covered_ms
    intervals = [
        ShowsNothing(
            start_ms=start_ms,
            end_ms=ends.get(start_ms, start_ms + length_ms),
            source=source or None,
            reason=reason,
            frames=frames,
            covered_s=covered_ms / 1000,
        )
        for (start_ms, source, reason), (frames, covered_ms) in sorted(sums.items())
    ]
    return BlankFootage(intervals, not_looked_at)


def nothing_shown(intervals: Iterable[ShowsNothing]) -> list[NothingShown]:
    """Return the footage of a range that shows nothing, by reason."""
    frames: Counter[BlankReason] = Counter()
    covered_s: defaultdict[BlankReason, float] = defaultdict(float)
    for interval in intervals:
        frames[interval.reason] += interval.frames
        covered_s[interval.reason] += interval.covered_s
    return [
        NothingShown(reason=reason, frames=frames[reason], covered_s=covered_s[reason])
        for reason in sorted(frames)
    ]
