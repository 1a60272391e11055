"""Answers `/api/paths`: a sample of a day's paths, as a background for drawing lines and zones."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, TypeVar

from frametally import keys
from frametally.actions.problems import bad_parameter
from frametally.books.counted_days import present_end_ms, up_to_date
from frametally.books.runs import read_paths
from frametally.ports.count_index import CountIndex
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import plural
from frametally.records import Run
from frametally.rules.path_columns import of_each_shape
from frametally.rules.places import Size, has_one_shape
from frametally.rules.times import DAY_MS
from frametally_traffic.drawing_page.answers import Paths, ShownPath
from frametally_traffic.drawing_page.drawing_changes import DrawnSource
from frametally_traffic.geometry.foot_paths import FollowedPath, joined, pieces_of
from frametally_web.charts.question import Choice

MOST_DAYS = 7
MOST_PATHS = 1000
_MOST_POINTS = 40
"""Most points per path: enough for the eye, as stored paths have none on straight stretches."""

ItemT = TypeVar("ItemT")


class PathsQuery(NamedTuple):
    """A question about paths: the range `[from_ms, to_ms)`, labels (all if empty), and the maximum number."""

    labels: Collection[str]
    from_ms: int | None
    to_ms: int | None
    limit: int


class _LabelledPath(NamedTuple):
    label: str
    followed: FollowedPath


def find_paths(
    store: ObjectStore, index: CountIndex, choice: Choice | None, source: DrawnSource, query: PathsQuery
) -> Paths:
    """Return a sample of a source's paths, spread evenly over a range, that fit its newest picture.

    Raises:
        Problem: 400, if the range is too long.
        Retryable: A port is unavailable, or a run was replaced while it was read.
        Poison: An hour file is damaged or missing; the message names it.
    """
    bounds = _bounds(index, choice, source.slug, query)
    labelled_paths: list[_LabelledPath] = []
    note = None
    if choice is not None and bounds is not None:
        labelled_paths = sorted(
            _paths(store, index, choice, source.slug, *bounds),
            key=lambda entry: (entry.followed.path.time_ms[0], entry.followed.ids),
        )
    asked_paths = [entry for entry in labelled_paths if not query.labels or entry.label in query.labels]
    picture_px = source.size_px(store)
    matches = [entry for entry in asked_paths if _is_over(entry.followed, picture_px)]
    if len(matches) < len(asked_paths):
        note = (
            f"{plural(len(asked_paths) - len(matches), 'path')} in pictures of another shape cannot be shown "
            "over this one."
        )
    page = [_answer_path(entry) for entry in evenly(matches, query.limit)]
    points = sum(len(entry.followed.path.x) for entry in evenly(matches, query.limit))
    path_px = next((entry.followed.size for entry in matches), None)
    width_px, height_px = path_px or picture_px or (None, None)
    return Paths(
        model=choice.model if choice else None,
        source=source.slug,
        from_ms=bounds[0] if bounds else None,
        to_ms=bounds[1] if bounds else None,
        width_px=width_px,
        height_px=height_px,
        paths=page,
        paths_left_out=len(matches) - len(page),
        points_left_out=points - sum(len(path.path) for path in page),
        note=note,
    )


def _is_over(followed: FollowedPath, picture_px: Size | None) -> bool:
    """Return whether a path's pictures have the same shape as the picture it is shown over."""
    return followed.size is None or picture_px is None or has_one_shape(followed.size, picture_px)


def evenly(items: Sequence[ItemT], most: int) -> list[ItemT]:
    """Return at most `most` items, evenly spread; with two or more, the first and the last are included."""
    if len(items) <= most:
        return list(items)
    last = len(items) - 1
    return [items[index * last // max(most - 1, 1)] for index in range(most)]


def _bounds(
    index: CountIndex, choice: Choice | None, source: str, query: PathsQuery
) -> tuple[int, int] | None:
    """Return the range to read, or None if there is nothing to read."""
    from_ms, to_ms = query.from_ms, query.to_ms
    if from_ms is not None:
        to_ms = from_ms + DAY_MS if to_ms is None else to_ms
    else:
        if to_ms is None:
            if choice is None:
                return None
            summaries = [summary for summary in index.sources(choice.model) if summary.source == source]
            if not summaries:
                return None
            now_ms = int(time.time() * 1000)
            to_ms = present_end_ms(index, choice.model, choice.base_intervals_s, summaries, now_ms)
            to_ms = to_ms or summaries[0].next_interval_ms
        from_ms = to_ms - DAY_MS
    if to_ms - from_ms > MOST_DAYS * DAY_MS:
        raise bad_parameter(
            "to",
            f"The range is longer than {MOST_DAYS} days, the maximum.",
            remedy="Choose a shorter range with from and to.",
        )
    return from_ms, to_ms


def _paths(
    store: ObjectStore, index: CountIndex, choice: Choice, source: str, from_ms: int, to_ms: int
) -> Iterator[_LabelledPath]:
    """Yield the paths that overlap a range, joined across hours and days."""
    base_s = min(up_to_date(index, choice.model, choice.base_intervals_s, from_ms, to_ms))
    label_of: dict[str, str] = {}
    pieces: list[FollowedPath] = []
    runs = _runs(index, choice.model, base_s, from_ms, to_ms)
    files = [file for run in runs for file in read_paths(store, run, {source})]
    for file in (file for _, of_shape in of_each_shape(files) for file in of_shape):
        for piece, label in zip(pieces_of(file), file.columns["label"], strict=True):
            pieces.append(piece)
            label_of[piece.ids[0]] = file.labels[label]
    for whole_path in joined(pieces):
        times_ms = whole_path.path.time_ms
        if times_ms[0] < to_ms and times_ms[-1] >= from_ms:
            yield _LabelledPath(label_of[whole_path.ids[0]], whole_path)


def _runs(index: CountIndex, model: str, base_s: int, from_ms: int, to_ms: int) -> list[Run]:
    return [
        run
        for run in index.current_runs()
        if (run.model, run.interval_s) == (model, base_s)
        and from_ms - DAY_MS < keys.day_start_ms(run.day) < to_ms
    ]


def _answer_path(entry: _LabelledPath) -> ShownPath:
    followed = entry.followed
    points = zip(followed.path.time_ms, followed.path.x, followed.path.y, strict=True)
    return ShownPath(
        id=followed.ids[0],
        label=entry.label,
        began=followed.began,
        ended=followed.ended,
        path=[(time_ms, x / 10, y / 10) for time_ms, x, y in evenly(list(points), _MOST_POINTS)],
    )
