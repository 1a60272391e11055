"""The answer of `/api/paths`: a thinned layer of a day's paths, to draw lines and zones over."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, TypeVar

from frametally import keys
from frametally.books.runs import NoFootPoints, read_paths
from frametally.errors import Poison, Retryable
from frametally.ports.count_index import CountIndex
from frametally.ports.count_questions import up_to_date
from frametally.ports.object_store import ObjectStore
from frametally.records import Run
from frametally.rules.times import DAY_MS
from frametally_traffic.drawing_page.answers import Paths, ShownPath
from frametally_traffic.drawing_page.drawable_sources import DrawnSource
from frametally_traffic.geometry.foot_paths import FollowedPath, joined, pieces_of
from frametally_web.charts.scope import Choice
from frametally_web.requests.problems import bad_parameter

MOST_DAYS = 7
MOST_PATHS = 1000
_MOST_POINTS = 40
"""Of one path: a person's eye needs no more, and stored paths leave out what lies on a straight line."""

ItemT = TypeVar("ItemT")


class PathsQuery(NamedTuple):
    """Which paths are asked for: of `[from_ms, to_ms)`, of some labels (none: all), so many at most."""

    labels: Collection[str]
    from_ms: int | None
    to_ms: int | None
    limit: int


class _LabelledPath(NamedTuple):
    label: str
    followed: FollowedPath


def find_paths(
    store: ObjectStore, index: CountIndex, choice: Choice | None, source: DrawnSource, asked: PathsQuery
) -> Paths:
    """Return some of a source's paths of a range, evenly over all of it.

    Raises:
        Problem: 400, if the range is longer than is read at once.
        Retryable: A port is away, or a run has been replaced while it was read.
    """
    bounds = _bounds(index, choice, source.slug, asked)
    found: list[_LabelledPath] = []
    note = None
    if choice is not None and bounds is not None:
        try:
            found = sorted(
                _paths(store, index, choice, source.slug, *bounds),
                key=lambda one: (one.followed.path.time_ms[0], one.followed.ids),
            )
        except NoFootPoints as error:
            note = f"{error}."
        except Poison as error:
            raise Retryable(str(error)) from error
    wanted = [one for one in found if not asked.labels or one.label in asked.labels]
    shown = [_shown(one) for one in evenly(wanted, asked.limit)]
    points = sum(len(one.followed.path.x) for one in evenly(wanted, asked.limit))
    width_px, height_px = source.size_px(store) or (None, None)
    return Paths(
        model=choice.model if choice else None,
        source=source.slug,
        from_ms=bounds[0] if bounds else None,
        to_ms=bounds[1] if bounds else None,
        width_px=width_px,
        height_px=height_px,
        paths=shown,
        paths_left_out=len(wanted) - len(shown),
        points_left_out=points - sum(len(one.path) for one in shown),
        note=note,
    )


def evenly(items: Sequence[ItemT], most: int) -> list[ItemT]:
    """Return at most so many of a sequence, evenly spread; first and last are among two."""
    if len(items) <= most:
        return list(items)
    last = len(items) - 1
    return [items[at * last // max(most - 1, 1)] for at in range(most)]


def _bounds(
    index: CountIndex, choice: Choice | None, source: str, asked: PathsQuery
) -> tuple[int, int] | None:
    """Return the range that is read; None where there is none to read."""
    from_ms, to_ms = asked.from_ms, asked.to_ms
    if from_ms is not None:
        to_ms = from_ms + DAY_MS if to_ms is None else to_ms
    else:
        if to_ms is None:
            counted = index.sources(choice.model) if choice else []
            to_ms = next((one.next_interval_ms for one in counted if one.source == source), None)
            if to_ms is None:
                return None
        from_ms = to_ms - DAY_MS
    if to_ms - from_ms > MOST_DAYS * DAY_MS:
        raise bad_parameter(
            "to",
            f"The range is longer than the {MOST_DAYS} days that are read at once.",
            remedy="Give a from and a to that are nearer to each other.",
        )
    return from_ms, to_ms


def _paths(
    store: ObjectStore, index: CountIndex, choice: Choice, source: str, from_ms: int, to_ms: int
) -> Iterator[_LabelledPath]:
    """Yield the paths of which some lies in a range, joined over hours and days."""
    base_s = min(up_to_date(index, choice.model, choice.base_intervals_s, from_ms, to_ms))
    label_of: dict[str, str] = {}
    pieces: list[FollowedPath] = []
    for run in _runs(index, choice.model, base_s, from_ms, to_ms):
        for file in read_paths(store, run, {source}):
            for piece, label in zip(pieces_of(file), file.columns["label"], strict=True):
                pieces.append(piece)
                label_of[piece.ids[0]] = file.labels[label]
    for one in joined(pieces):
        times_ms = one.path.time_ms
        if times_ms[0] < to_ms and times_ms[-1] >= from_ms:
            yield _LabelledPath(label_of[one.ids[0]], one)


def _runs(index: CountIndex, model: str, base_s: int, from_ms: int, to_ms: int) -> list[Run]:
    return [
        run
        for run in index.current_runs()
        if (run.model, run.interval_s) == (model, base_s)
        and from_ms - DAY_MS < keys.day_start_ms(run.day) < to_ms
    ]


def _shown(one: _LabelledPath) -> ShownPath:
    followed = one.followed
    points = zip(followed.path.time_ms, followed.path.x, followed.path.y, strict=True)
    return ShownPath(
        id=followed.ids[0],
        label=one.label,
        began=followed.began,
        ended=followed.ended,
        path=[(time_ms, x / 10, y / 10) for time_ms, x, y in evenly(list(points), _MOST_POINTS)],
    )
