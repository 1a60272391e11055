"""What stands behind numbers of lines and movements: crossings and visits, page by page, with their paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from frametally_traffic.flows.day_columns import CROSSINGS_MISSING, DIRECTIONS, NO_MOVEMENTS
from frametally_traffic.geometry.foot_paths import FollowedPath
from frametally_traffic.geometry.speed import Way
from frametally_traffic.geometry.speed_distribution import BINS_PER_KM_H
from frametally_traffic.line_counts import answers
from frametally_traffic.line_counts.answer_head import Answerable
from frametally_traffic.line_counts.crossing_counts import crossings_of
from frametally_traffic.line_counts.flow_question import check_place, counted_lines
from frametally_traffic.line_counts.flow_sums import Names, Rows, chosen, names_of, of_names
from frametally_traffic.line_counts.movement_counts import visits_of
from frametally_traffic.line_counts.path_frames import SeenFrames
from frametally_traffic.line_counts.path_lengths import Lengths
from frametally_traffic.line_counts.single_answers import (
    CrossingObjects,
    ProvedCrossing,
    ShownVisit,
    ShownVisits,
)
from frametally_traffic.line_counts.speed_counts import MISSING
from frametally_traffic.line_counts.whole_paths import WholePaths, points_of
from frametally_web.requests.query import write_cursor

NOT_MEASURED = "not_measured"
OUTCOMES: tuple[answers.Outcome, ...] = ("assigned", *NO_MOVEMENTS)
"""By the number that a column has."""


class PlaceCursor(NamedTuple):
    """Where a page ended: the place of its last entry, and how many there were up to it."""

    time_ms: int
    hour_ms: int
    track_number: int
    way: int
    number: int


class Behind(NamedTuple):
    """What is shown of single objects: their paths, how long these are, and the frames they were seen in."""

    paths: WholePaths
    lengths: Lengths
    seen: SeenFrames


class _Page(NamedTuple):
    """Rows of a page by time, with what comes before and how many there are in all."""

    rows: list[dict[str, int]]
    first_number: int
    value: int
    next: str | None


def crossing_objects(
    head: dict[str, Any],
    found: Answerable | None,
    *,
    line: str,
    direction: str,
    limit: int,
    cursor: PlaceCursor | None,
    behind: Behind | None,
) -> CrossingObjects:
    """Return a page of the objects that crossed `line` in a direction (empty: in any, and not measured).

    Raises:
        Problem: 400, if no such line is drawn over the source.
        Retryable: A port is away.
    """
    if found is None or behind is None:
        return CrossingObjects(**head, lines=[], value=0, entries=[], next=None)
    check_place("line", [line], found.drawing.lines)
    names = names_of(found.flows)
    days = (_of_direction(rows, direction) for rows in crossings_of(found, names, [line]))
    page = _page(days, "direction", limit, cursor)
    whole = behind.paths.of_tracks(_track(row) for row in page.rows)
    return CrossingObjects(
        **head,
        lines=[one for one in counted_lines(found.asked, found.drawing) if one.name == line],
        value=page.value,
        entries=[
            _crossing(number, row, names, whole.get(_track(row)), behind.seen)
            for number, row in enumerate(page.rows, page.first_number)
        ],
        next=page.next,
    )


def shown_visits(
    head: dict[str, Any],
    found: Answerable | None,
    *,
    outcome: str,
    from_legs: Sequence[str],
    to_legs: Sequence[str],
    limit: int,
    cursor: PlaceCursor | None,
    behind: Behind | None,
) -> ShownVisits:
    """Return a page of the visits of an outcome (empty: of any), `assigned` ones of some legs alone.

    Raises: As `crossing_objects`.
    """
    if found is None or behind is None:
        return ShownVisits(**head, legs=[], value=0, entries=[], next=None)
    for parameter, legs in (("from_leg", from_legs), ("to_leg", to_legs)):
        check_place(parameter, [*legs], found.drawing.lines)
    names = names_of(found.flows)

    def wanted(rows: Rows) -> Rows:
        if outcome:
            rows = chosen(rows, rows["outcome"] == [*OUTCOMES].index(outcome))  # type: ignore[arg-type]
        for column, legs in (("from_leg", from_legs), ("to_leg", to_legs)):
            if legs:
                rows = of_names(chosen(rows, rows["outcome"] == 0), column, names.lines, legs)
        return rows

    page = _page(map(wanted, visits_of(found, names, legs=True)), "outcome", limit, cursor)
    whole = behind.paths.of_tracks(_track(row) for row in page.rows)
    return ShownVisits(
        **head,
        legs=counted_lines(found.asked, found.drawing, legs=True),
        value=page.value,
        entries=[
            _visit(number, row, names, whole.get(_track(row)), behind)
            for number, row in enumerate(page.rows, page.first_number)
        ],
        next=page.next,
    )


def _of_direction(rows: Rows, direction: str) -> Rows:
    if direction == NOT_MEASURED:
        return chosen(rows, rows["missing"] > 0)
    if direction:
        way = [*DIRECTIONS].index(direction)  # type: ignore[arg-type]
        return chosen(rows, (rows["missing"] == 0) & (rows["direction"] == way))
    return rows


def _page(days: Iterable[Rows], way: str, limit: int, cursor: PlaceCursor | None) -> _Page:
    value, kept, before = 0, list[dict[str, int]](), cursor.number if cursor else 0
    for rows in days:
        value += len(rows["time"])
        if len(kept) <= limit:
            kept += islice(_behind(rows, way, cursor), limit + 1 - len(kept))
    page, more = kept[:limit], len(kept) > limit
    following = PlaceCursor(*_place(page[-1], way), before + len(page)) if more else None
    return _Page(page, before + 1, value, write_cursor(following) if following else None)


def _behind(rows: Rows, way: str, cursor: PlaceCursor | None) -> Iterator[dict[str, int]]:
    """Yield the rows behind a cursor, in the order of `_place`."""
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
    number: int, row: dict[str, int], names: Names, followed: FollowedPath | None, seen: SeenFrames
) -> ProvedCrossing:
    time_ms = row["time"]
    before, after = (
        seen.around(followed.path, time_ms, time_ms - row["before"], time_ms + row["after"])
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
        path=points_of(followed.path) if followed else [],
    )


def _visit(
    number: int, row: dict[str, int], names: Names, followed: FollowedPath | None, behind: Behind
) -> ShownVisit:
    is_assigned = row["outcome"] == 0
    way = behind.lengths.of(followed.path, row["time"]) if followed else None
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
        frame=behind.seen.nearest(followed.path, row["time"]) if followed else None,
        path=points_of(followed.path) if followed else [],
    )
