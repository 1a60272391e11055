"""The answer of `/api/frames`: every frame behind a bar, by event time, page by page, with a running sum."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from frametally.books.evidence import ProvedFrame, frames_of_bar
from frametally.errors import Retryable
from frametally.ports.object_store import ObjectMissing
from frametally.process.time_limit import seconds_left
from frametally.settings.stages import Settings
from frametally_web.books.reader import DashboardPorts
from frametally_web.charts.recent_ranges import RecentRanges
from frametally_web.proof import answers
from frametally_web.proof.evidence import box
from frametally_web.proof.sums import Bar, find_bar, intervals_with_boxes
from frametally_web.requests.query import Selection, write_cursor

MAX_INTERVALS = 60
"""Intervals that one page looks into at most; where they show less than the index says, the next goes on."""


class FramesCursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended: the place of its last frame, and the sum up to it."""

    captured_at_ms: int
    image_path: str
    running_total: int


def find_frames(
    ports: DashboardPorts,
    settings: Settings,
    selection: Selection,
    *,
    limit: int,
    cursor: FramesCursor | None,
    image_url: Callable[[str], str],
) -> answers.Frames:
    """A page of the frames behind a bar.

    Args:
        ports: The index knows the bar, the ledger where its frames are, the store has their lines.
        settings: Which boxes count.
        selection: The bar.
        limit: Frames of a page.
        cursor: Where the page before ended.
        image_url: Gives the address of a frame's picture from its key.

    Raises:
        Problem: 400, if there is no such model, or too much is asked for.
        Retryable: A port is away, or the ledger speaks of a segment that has gone.
    """
    model, bar = find_bar(ports.index, settings, selection)
    if bar is None:
        return answers.Frames(
            model=model,
            base_interval_s=None,
            from_ms=None,
            to_ms=None,
            detections=0,
            frames_analysed=0,
            frames=[],
            next=None,
            note=None,
        )
    total = cursor.running_total if cursor else 0
    after = (cursor.captured_at_ms, cursor.image_path) if cursor else None
    shown: list[answers.CountedFrame] = []
    goes_on: tuple[int, str] | None = None
    for found in _look(ports, settings, bar, after):
        if isinstance(found, _LookedUpTo):
            goes_on = (found.ms, "")  # before any path
            break
        if len(shown) == limit:
            goes_on = (shown[-1].captured_at_ms, shown[-1].image_path)
            break
        total += len(found.boxes)
        shown.append(_frame(found, total, image_url))
    return answers.Frames(
        model=bar.model,
        base_interval_s=bar.base_interval_s,
        from_ms=bar.from_ms,
        to_ms=bar.to_ms,
        detections=bar.detections,
        frames_analysed=bar.frames_analysed,
        frames=shown,
        next=write_cursor(FramesCursor(*goes_on, total)) if goes_on else None,
        note=None if goes_on or total == bar.detections else _differs(total, bar),
    )


class _LookedUpTo(NamedTuple):
    """A page's worth of intervals has been looked through."""

    ms: int


def _look(
    ports: DashboardPorts, settings: Settings, bar: Bar, after: tuple[int, str] | None
) -> Iterator[ProvedFrame | _LookedUpTo]:
    """The bar's frames behind `after`, by time, then path."""
    limits = settings.counted_boxes()
    store = RecentRanges(ports.store)
    interval_ms = bar.base_interval_s * 1000
    start_ms = max(bar.from_ms, after[0] - after[0] % interval_ms) if after else bar.from_ms
    for number, (from_ms, to_ms) in enumerate(intervals_with_boxes(ports.index, bar, start_ms)):
        if number == MAX_INTERVALS or (number and _is_late(settings)):
            yield _LookedUpTo(from_ms)
            return
        of_sources = [
            frames_of_bar(
                store,
                ports.ledger,
                model=bar.model,
                source=source,
                labels=bar.labels,
                from_ms=from_ms,
                to_ms=to_ms,
                limits=limits,
                after=after,
            )
            for source in bar.sources
        ]
        try:
            yield from heapq.merge(*of_sources, key=_place)
        except ObjectMissing as error:
            raise Retryable(f"{error}; the ledger is being brought up to the store") from error


def _is_late(settings: Settings) -> bool:
    """Whether half of the request's time is gone: what has been found is answered, the next page goes on."""
    left_s = seconds_left()
    return left_s is not None and left_s < settings.web_query_timeout_s / 2


def _place(counted: ProvedFrame) -> tuple[int, str]:
    return counted.frame.captured_at_ms, counted.frame.image_path


def _frame(counted: ProvedFrame, running_total: int, image_url: Callable[[str], str]) -> answers.CountedFrame:
    frame = counted.frame
    return answers.CountedFrame(
        source=frame.source,
        captured_at_ms=frame.captured_at_ms,
        image_path=frame.image_path,
        image_url=image_url(frame.image_path),
        time_source=frame.time_source,
        width_px=frame.width_px,
        height_px=frame.height_px,
        count=len(counted.boxes),
        running_total=running_total,
        boxes=[box(detection) for detection in counted.boxes],
    )


def _differs(total: int, bar: Bar) -> str:
    return (
        f"These frames add up to {total}, the bar shows {bar.detections}: it was counted with other "
        "settings, or from what there was before; run `frametally aggregate` and `frametally index`."
    )
