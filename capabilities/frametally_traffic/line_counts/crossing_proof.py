"""Proves counts at lines and movements: crossings and visits, page by page, with their paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from frametally.actions.parameters import write_cursor
from frametally_traffic.flows.day_columns import CROSSINGS_MISSING, DIRECTIONS, NO_MOVEMENTS
from frametally_traffic.flows.flow_sums import WAYS, Names, Rows, names_of, of_names, select_rows
from frametally_traffic.flows.shapes import Shapes
from frametally_traffic.flows.visit_speeds import Way
from frametally_traffic.geometry.foot_paths import FollowedPath
from frametally_traffic.geometry.speed import BINS_PER_KM_H
from frametally_traffic.line_counts import answers
from frametally_traffic.line_counts.flow_question import Answerable, check_place, counted_lines
from frametally_traffic.line_counts.place_counts import crossings_of, visits_of
from frametally_traffic.line_counts.single_answers import (
    CrossingObjects,
    ProvedCrossing,
    ShownVisit,
    ShownVisits,
)
from frametally_traffic.line_counts.speed_counts import MISSING
from frametally_traffic.line_counts.whole_paths import SeenFrames, WholePaths, length_of, points_of

NOT_MEASURED = WAYS[-1]
OUTCOMES: tuple[answers.Outcome, ...] = ("assigned", *NO_MOVEMENTS)
"""Indexed by the numbers in the column."""


class PlaceCursor(NamedTuple):
    """Where a page ended: the position of its last entry, and the number of entries up to it."""

    time_ms: int
    hour_ms: int
    track_number: int
    way: int
    number: int


class Behind(NamedTuple):
    """The proof of single objects: their paths, the drawing that measures them, and their frames."""

    paths: WholePaths
    drawn: Shapes
    seen: SeenFrames


class _Page(NamedTuple):
    """Rows of a page by time, with the sum before it and the total."""

    rows: list[dict[str, int]]
    first_number: int
    value: int
    next: str | None


def crossing_objects(
    head: dict[str, Any],
    answerable: Answerable | None,
    *,
    line: str,
    direction: str,
    limit: int,
    cursor: PlaceCursor | None,
    behind: Behind | None,
) -> CrossingObjects:
    """Return a page of the objects that crossed `line` in a direction (any if empty, measured or not).

    Raises:
        Problem: 400, if the source has no such line.
        Retryable: A port is unavailable.
    """
    if answerable is None or behind is None:
        return CrossingObjects(**head, lines=[], value=0, entries=[], next=None)
    check_place("line", [line], answerable.drawing.lines)
    names = names_of(answerable.flows)
    days = (_of_direction(rows, direction) for rows in crossings_of(answerable, names, [line]))
    page = _page(days, "direction", limit, cursor)
    whole = behind.paths.of_tracks(_track(row) for row in page.rows)
    return CrossingObjects(
        **head,
        lines=[
            counted_line
            for counted_line in counted_lines(answerable.asked, answerable.drawing)
            if counted_line.name == line
        ],
        value=page.value,
        entries=[
            _crossing(number, row, names, whole.get(_track(row)), behind.seen)
            for number, row in enumerate(page.rows, page.first_number)
        ],
        next=page.next,
    )


def shown_visits(
    head: dict[str, Any],
    answerable: Answerable | None,
    *,
    outcome: str,
    from_legs: Sequence[str],
    to_legs: Sequence[str],
    limit: int,
    cursor: PlaceCursor | None,
    behind: Behind | None,
) -> ShownVisits:
    """Return a page of the visits with an outcome (any if empty); with legs, only `assigned` ones at those.

    Raises the errors of `crossing_objects`.
    """
    if answerable is None or behind is None:
        return ShownVisits(**head, legs=[], value=0, entries=[], next=None)
    for parameter, legs in (("from_leg", from_legs), ("to_leg", to_legs)):
        check_place(parameter, [*legs], answerable.drawing.lines)
    names = names_of(answerable.flows)

    def keep_leg(rows: Rows) -> Rows:
        if outcome:
            rows = select_rows(rows, rows["outcome"] == [*OUTCOMES].index(outcome))  # type: ignore[arg-type]
        for column, legs in (("from_leg", from_legs), ("to_leg", to_legs)):
            if legs:
                rows = of_names(select_rows(rows, rows["outcome"] == 0), column, names.lines, legs)
        return rows

    page = _page(map(keep_leg, visits_of(answerable, names, legs=True)), "outcome", limit, cursor)
    whole = behind.paths.of_tracks(_track(row) for row in page.rows)
    return ShownVisits(
        **head,
        legs=counted_lines(answerable.asked, answerable.drawing, legs=True),
        value=page.value,
        entries=[
            _visit(number, row, names, whole.get(_track(row)), behind)
            for number, row in enumerate(page.rows, page.first_number)
        ],
        next=page.next,
    )


def _of_direction(rows: Rows, direction: str) -> Rows:
    if direction == NOT_MEASURED:
        return select_rows(rows, rows["missing"] > 0)
    if direction:
        way = [*DIRECTIONS].index(direction)  # type: ignore[arg-type]
        return select_rows(rows, (rows["missing"] == 0) & (rows["direction"] == way))
    return rows


def _page(days: Iterable[Rows], way: str, limit: int, cursor: PlaceCursor | None) -> _Page:
    value, items, before = 0, list[dict[str, int]](), cursor.number if cursor else 0
    for rows in days:
        value += len(rows["time"])
        if len(items) <= limit:
            items += islice(_behind(rows, way, cursor), limit + 1 - len(items))
    page, more = items[:limit], len(items) > limit
    following = PlaceCursor(*_place(page[-1], way), before + len(page)) if more else None
    return _Page(page, before + 1, value, write_cursor(following) if following else None)


def _behind(rows: Rows, way: str, cursor: PlaceCursor | None) -> Iterator[dict[str, int]]:
    """Yield the rows after a cursor, in the order of `_place`."""
    order = np.lexsort((rows[way], rows["number"], rows["hour_ms"], rows["time"]))
    first = int(np.searchsorted(rows["time"][order], cursor.time_ms)) if cursor else 0
    for number in order[first:].tolist():
        row = {name: int(column[number]) for name, column in rows.items()}
        if cursor is None or _place(row, way) > cursor[:-1]:
            yield row


def _place(row: dict[str, int], way: str) -> tuple[int, int, int, int]:
    return row["time"], row["hour_ms"], row["number"], row[way]


def _track(row: dict[str, int]) -> str:
    return f"{row['hour_ms']}-{row['number']}"


def _crossing(
    number: int, row: dict[str, int], names: Names, followed: FollowedPath | None, frames: SeenFrames
) -> ProvedCrossing:
    time_ms = row["time"]
    before, after = (
        frames.around(followed, time_ms, time_ms - row["before"], time_ms + row["after"])
        if followed
        else (None, None)
    )
    return ProvedCrossing(
        number=number,
        time_ms=time_ms,
        line=names.lines[row["line"]],
        label=names.labels[row["label"]],
        direction=DIRECTIONS[row["direction"]],
        missing=CROSSINGS_MISSING[row["missing"] - 1] if row["missing"] else None,
        track=_track(row),
        before=before,
        after=after,
        path=points_of(followed),
        **_unit(followed),
    )


def _unit(followed: FollowedPath | None) -> dict[str, int | None]:
    """Return the size of the pictures that the points of a path refer to."""
    width_px, height_px = (followed and followed.size) or (None, None)
    return {"width_px": width_px, "height_px": height_px}


def _visit(
    number: int, row: dict[str, int], names: Names, followed: FollowedPath | None, behind: Behind
) -> ShownVisit:
    is_assigned = row["outcome"] == 0
    way = length_of(followed, behind.drawn, row["time"]) if followed else None
    length = way if isinstance(way, Way) else None
    is_measured = row["speed_missing"] == 0
    return ShownVisit(
        number=number,
        time_ms=row["time"],
        label=names.labels[row["label"]],
        outcome=OUTCOMES[row["outcome"]],
        from_leg=names.lines[row["from_leg"]] if is_assigned else None,
        to_leg=names.lines[row["to_leg"]] if is_assigned else None,
        track=_track(row),
        began=followed.began if followed else None,
        ended=followed.ended if followed else None,
        speed_km_h=row["speed"] / BINS_PER_KM_H if is_measured else None,
        error_km_h=row["error"] / BINS_PER_KM_H if is_measured else None,
        speed_missing=None if is_measured else MISSING[row["speed_missing"]],
        length_m=round(length.length_m, 1) if length else None,
        length_error_m=round(length.error_m, 1) if length else None,
        length_missing=None if isinstance(way, Way) else way,
        frame=behind.seen.nearest(followed, row["time"]) if followed else None,
        path=points_of(followed),
        **_unit(followed),
    )
