"""The answer of `/api/frames`: every frame behind a bar, by event time, page by page, with a running sum."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import NamedTuple

from frametally.books.count_settings import SettingsByDay
from frametally.books.evidence import ProvedFrame, frames_of_bar
from frametally.errors import Retryable
from frametally.media.overlapping import NotCounted
from frametally.ports.object_store import ObjectMissing
from frametally.process.time_limit import seconds_left
from frametally.settings.loading import Settings
from frametally_web.books.reader import DashboardPorts
from frametally_web.proof import answers
from frametally_web.proof.evidence import box
from frametally_web.proof.pages import Place, read_page
from frametally_web.proof.recent_ranges import RecentRanges
from frametally_web.proof.sums import Bar, find_bar, intervals_with_boxes, sources_with_boxes
from frametally_web.requests.query import Selection

MAX_INTERVALS = 60
"""Intervals that one page looks into at most; where they show less than the index says, the next goes on."""


class FramesCursor(NamedTuple):
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
    """Return a page of `limit` frames behind a bar; `image_url` gives a picture's address from its key.

    The index knows the bar, the ledger where its frames are, and the store has their lines.

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
    page = read_page(
        _look(ports, settings, bar, cursor[:-1] if cursor else None),
        limit=limit,
        cursor=cursor,
        adds=lambda proved: len(proved.boxes),
        show=lambda proved, total: _frame(proved, total, image_url),
    )
    return answers.Frames(
        model=bar.model,
        base_interval_s=bar.base_interval_s,
        from_ms=bar.from_ms,
        to_ms=bar.to_ms,
        detections=bar.detections,
        frames_analysed=bar.frames_analysed,
        frames=page.shown,
        next=page.next,
        note=None if page.next or page.total == bar.detections else _differs(page.total, bar),
    )


def _look(
    ports: DashboardPorts, settings: Settings, bar: Bar, after: Place | None
) -> Iterator[tuple[Place, ProvedFrame | None]]:
    """Yield the bar's frames behind `after`, by time, then path."""
    by_day = SettingsByDay(ports.index, bar.model, bar.base_interval_s)
    gone = NotCounted(ports.ledger)
    store = RecentRanges(ports.store)
    interval_ms = bar.base_interval_s * 1000
    start_ms = max(bar.from_ms, after[0] - after[0] % interval_ms) if after else bar.from_ms
    for number, (from_ms, to_ms) in enumerate(intervals_with_boxes(ports.index, bar, start_ms)):
        if number == MAX_INTERVALS or (number and _is_late(settings)):
            yield (from_ms, ""), None  # before any path
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
                limits=by_day.counted_boxes_at(from_ms, settings.counted_boxes()),
                not_counted=gone.by(by_day.overlaps_at(from_ms, settings.count_overlaps)),
                after=after,
            )
            for source in sources_with_boxes(ports.index, bar, from_ms, to_ms)
        ]
        try:
            yield from ((_place(proved), proved) for proved in heapq.merge(*of_sources, key=_place))
        except ObjectMissing as error:
            raise Retryable(f"{error}; the ledger is being brought up to the store") from error


def _is_late(settings: Settings) -> bool:
    """Return whether half of the request's time is gone: the page ends with what has been found."""
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
        f"These frames add up to {total}, the bar shows {bar.detections}: it was counted from "
        "what there was before, or with settings that its run did not record; run `frametally aggregate` "
        "and `frametally index`."
    )
