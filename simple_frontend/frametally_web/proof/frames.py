"""The answer of `/api/frames`: every frame behind a bar, by event time, page by page, with a running sum."""

from __future__ import annotations

from typing import Literal, NamedTuple

from frametally.actions.answers import answer_of, nothing
from frametally.actions.parameters import write_cursor
from frametally.actions.problems import Problem
from frametally.books.evidence import FramesBehind, ProvedFrame, are_detections_gone
from frametally.errors import Retryable
from frametally.keys import parse_image_name
from frametally.media.stored_images import missing_images
from frametally.ports.object_store import ObjectMissing
from frametally.process.reports import plural
from frametally.settings.loading import Settings
from frametally_web.access.seen_index import DashboardPorts
from frametally_web.charts.question import Question, choose_model
from frametally_web.proof import answers
from frametally_web.proof.bars import (
    Bar,
    BarFrames,
    NoBar,
    Place,
    find_bar,
    peak_of,
    sources_in,
    sum_before,
    take,
)
from frametally_web.proof.evidence_frames import frame_boxes
from frametally_web.requests.query import Selection

Start = Literal["", "peak"]
"""The start of the first page: the first frame, or the frame with the most boxes of one label."""


_OF_OTHER_FOOTAGE = (
    "it was counted from earlier data, or with settings that its run did not record; run `frametally "
    "aggregate` and `frametally index`."
)

_DAMAGED = (
    "The store has damaged detections of this model, so frames of this bar may be missing here. The count "
    "stays. Run `frametally doctor --deep` to find the damage."
)
_DETECTIONS_GONE = "The detections behind this bar are no longer in the store; the count stays."


class FramesCursor(NamedTuple):
    """A place between two frames of a bar, with the sum of the frames before it.

    Attributes:
        captured_at_ms: Event time of the frame next to it.
        image_path: Key of that frame.
        running_total: Boxes in the frames before it.
        position: Number of frames before it; None if unknown.
        backward: Whether the page is the one before it.
    """

    captured_at_ms: int
    image_path: str
    running_total: int
    position: int | None = None
    backward: bool = False


def find_frames(
    ports: DashboardPorts,
    question: Question,
    *,
    limit: int,
    cursor: FramesCursor | None,
    start: Start = "",
    empty: bool = False,
) -> answers.Frames:
    """Return a page of `limit` frames behind a bar.

    Without a cursor, `start` chooses the page. With `empty`, analysed frames without a counted box are
    included; they add nothing to the sum.

    Raises:
        Retryable: A port is unavailable, or the ledger lists a segment that has gone.
    """
    bar = find_bar(question)
    if isinstance(bar, NoBar):
        return answer_of(answers.Frames, (bar, nothing(answers.Frames, position=0)))
    bar_frames = BarFrames(ports, bar, empty=empty)
    if cursor is None and start == "peak":
        cursor = _before_peak(bar, bar_frames, empty=empty)
    page = _read_page(bar, bar_frames, limit, cursor)
    return answer_of(
        answers.Frames,
        (bar,),
        frames=_counted_frames(page),
        position=page.first.position,
        previous=write_cursor(page.first._replace(backward=True)) if page.has_previous else None,
        next=write_cursor(page.last) if page.has_next else None,
        note=_note(ports, page, bar, empty=empty) or _missing_note(ports, page),
    )


def _missing_note(ports: DashboardPorts, page: _Page) -> str | None:
    missing = missing_images(ports.store, [proved.frame.image_path for proved in page.frames])
    if not missing:
        return None
    are_gone = plural(len(missing), "picture here is", "pictures here are")
    return f"{are_gone} no longer in the store; the count stays."


class _Page(NamedTuple):
    """Frames by time, and the places before the first and after the last of them."""

    frames: list[ProvedFrame]
    first: FramesCursor
    last: FramesCursor
    has_previous: bool
    has_next: bool


def _read_page(bar: Bar, bar_frames: BarFrames, limit: int, cursor: FramesCursor | None) -> _Page:
    start = cursor or FramesCursor(bar.from_ms, "", 0, 0)
    place = start.captured_at_ms, start.image_path
    if start.backward:
        part = take(bar_frames.before(place), limit)
        entries = part.entries[::-1]
        begins = part.stopped_at or (entries[0][0] if entries else (bar.from_ms, ""))
        first = _cursor_at(begins, start, entries, -1)
        last = _cursor_at(entries[-1][0] if entries else begins, start, [], 1)
        return _Page([frame for _, frame in entries], first, last, part.stopped_at is not None, True)
    part = take(bar_frames.behind(place if cursor else None), limit)
    entries = part.entries
    ends = part.stopped_at or (entries[-1][0] if entries else (bar.to_ms, ""))
    first = _cursor_at(entries[0][0] if entries else ends, start, [], 1)
    last = _cursor_at(ends, start, entries, 1)
    has_previous = bool(start.running_total if start.position is None else start.position)
    return _Page([frame for _, frame in entries], first, last, has_previous, part.stopped_at is not None)


def _cursor_at(
    place: Place, cursor: FramesCursor, entries: list[tuple[Place, ProvedFrame]], sign: int
) -> FramesCursor:
    """Return the cursor that is `entries` after another, or before it if `sign` is -1."""
    boxes = sum(len(frame.boxes) for _, frame in entries)
    position = None if cursor.position is None else cursor.position + sign * len(entries)
    return FramesCursor(place[0], place[1], cursor.running_total + sign * boxes, position)


def _before_peak(bar: Bar, bar_frames: BarFrames, *, empty: bool) -> FramesCursor | None:
    """Return the place before the frame with the most boxes of one label; None if the index knows none."""
    peak = peak_of(bar)
    if peak is None:
        return None
    start_ms = peak.captured_at_ms - peak.captured_at_ms % (bar.base_interval_s * 1000)
    boxes, frames = sum_before(bar, start_ms)
    # The index knows how many frames there are only if those without boxes count.
    cursor = FramesCursor(start_ms, "", boxes, frames if empty else None if boxes else 0)
    place = peak.captured_at_ms, peak.image_path
    before = [entry for entry in bar_frames.read(start_ms, peak.captured_at_ms + 1) if entry[0] < place]
    return _cursor_at(before[-1][0] if before else (start_ms, ""), cursor, before, 1)


def _counted_frames(page: _Page) -> list[answers.CountedFrame]:
    total = page.first.running_total
    counted_frames = []
    for frame in page.frames:
        count = len(frame.boxes)
        total += count
        counted_frames.append(answers.CountedFrame(**frame_boxes(frame), count=count, running_total=total))
    return counted_frames


def _note(ports: DashboardPorts, page: _Page, bar: Bar, *, empty: bool) -> str | None:
    """Return a sentence if, at an end of the bar's frames, the sum is not as expected."""
    if bar.detections is None:
        return None
    if not page.frames:
        span = {"from_ms": bar.from_ms, "to_ms": bar.to_ms}
        sources = sources_in(bar, **span, empty=True)
        if are_detections_gone(ports.ledger, bar.model, sources, **span):
            return _DAMAGED if ports.ledger.damaged_segments(bar.model) else _DETECTIONS_GONE
    for end, is_end, boxes, frames in (
        (page.first, not page.has_previous, 0, 0),
        (page.last, not page.has_next, bar.detections, bar.frames_analysed),
    ):
        if is_end and end.running_total != boxes:
            if ports.ledger.damaged_segments(bar.model):
                return _DAMAGED
            return _differs(bar.detections + end.running_total - boxes, bar)
        if is_end and empty and end.position != frames:
            return _lacks(bar.frames_analysed + (end.position or 0) - frames, bar)
    return None


def _differs(total: int, bar: Bar) -> str:
    return f"These frames add up to {total}, but the bar shows {bar.detections}: {_OF_OTHER_FOOTAGE}"


def _lacks(frames: int, bar: Bar) -> str:
    return (
        f"These are {plural(frames, 'frame')}, but {bar.frames_analysed} were analysed for the bar: "
        f"{_OF_OTHER_FOOTAGE}"
    )


def find_frame(
    ports: DashboardPorts, settings: Settings, selection: Selection, image_key: str
) -> answers.FrameOfModel:
    """Return a frame with the boxes of the requested labels.

    Raises:
        Problem: 400 if there is no such model; 404 if it has not analysed the frame, or it does not count.
        Retryable: A port is unavailable, or the ledger lists a segment that has gone.
    """
    choice = choose_model(ports.index, selection.model)
    _, source, _, name = image_key.split("/")
    parts = parse_image_name(name)
    if choice is None or parts is None:
        raise _missing(selection.model)
    at_ms = parts.captured_at_ms
    bases = choice.base_intervals_s
    base_s = selection.base_s if selection.base_s in bases else bases[0]  # the interval behind a second
    counted = FramesBehind(ports.store, ports.ledger, ports.index, settings, (choice.model, base_s))
    frames = counted.read(source, at_ms, at_ms + 1, labels=selection.labels)
    try:
        proved = next((line for line in frames if line.frame.image_path == image_key), None)
    except ObjectMissing as error:
        raise Retryable(f"{error}; the ledger is being updated from the store") from error
    if proved is None:
        raise _missing(choice.model)
    return answers.FrameOfModel(**frame_boxes(proved), model=choice.model)


def _missing(model: str | None) -> Problem:
    return Problem(
        404,
        f"The frame was not counted with {model or 'any model'}.",
        parameter="path",
        remedy="It was not analysed, or no longer counts; use paths from another response.",
    )
