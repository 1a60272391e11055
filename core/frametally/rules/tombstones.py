"""Decides which frames are forgotten: the one rule that stops a frame's line from counting.

A tombstone names one revision of one medium, with or without a range of event time. Frames carry their
medium, so forgotten footage stays forgotten even if it is detected later from the log. A medium that is
produced again has another revision and counts. Every reader of segments, such as the counting job, the ledger
and the evidence, drops these lines before the rule in `once`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from frametally.rules.times import in_range

Range = tuple[int | None, int | None]
"""Event times `[from_ms, to_ms)`; None leaves that end open."""

Forgotten = Mapping[str, Sequence[Range]]
"""The forgotten ranges, by the `media` of frames."""


def forgotten_ranges(tombstones: Iterable[tuple[str, int | None, int | None]]) -> dict[str, list[Range]]:
    """Make the rule's table from tombstones as `(media, from_ms, to_ms)`."""
    table: dict[str, list[Range]] = {}
    for media, from_ms, to_ms in tombstones:
        table.setdefault(media, []).append((from_ms, to_ms))
    return table


def is_forgotten(media: str, captured_at_ms: int, forgotten: Forgotten) -> bool:
    """Return whether a frame of a medium and event time no longer counts."""
    return any(in_range(captured_at_ms, from_ms, to_ms) for from_ms, to_ms in forgotten.get(media, ()))


def merged(ranges: Iterable[Range]) -> list[Range]:
    """Return the same event times as sorted ranges that do not touch."""
    result: list[Range] = []
    for from_ms, to_ms in sorted(ranges, key=lambda r: (r[0] is not None, r[0] or 0)):
        if result:
            last_from, last_to = result[-1]
            if last_to is None or from_ms is None or from_ms <= last_to:
                result[-1] = (last_from, None if last_to is None or to_ms is None else max(last_to, to_ms))
                continue
        result.append((from_ms, to_ms))
    return result


def without(span: tuple[int, int], ranges: Iterable[Range]) -> list[tuple[int, int]]:
    """Return `[from_ms, to_ms)` without some ranges, in order."""
    from_ms, to_ms = span
    left = []
    for gone_from, gone_to in merged(ranges):
        if gone_from is not None and from_ms < min(gone_from, to_ms):
            left.append((from_ms, min(gone_from, to_ms)))
        if gone_to is None:
            return left
        from_ms = max(from_ms, gone_to)
    return [*left, (from_ms, to_ms)] if from_ms < to_ms else left
