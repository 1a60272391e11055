"""Counts the crossings, stays and visits of one source's objects at its lines and zones on one day.

Because paths cross midnight, flows depend on the paths of the day and of both adjacent days. So a visit is
known for at least a day back; earlier parts are `from_start`. Pictures of one shape are counted together:
paths and drawings are scaled to the largest of their sizes.

Plain visits are counted all at once. The others (see `passages`), and those at the start or end of a shape's
time, are counted one by one with the rules in `geometry`. The job's zip carries this module to a cluster's
nodes, which need numpy for it.

It also counts possible crossings that were not seen: beyond the ends of the day's paths, and on the ways of
lone boxes (see `lone_boxes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from frametally.rules.columns import packed
from frametally.rules.known import TRACK_GAP_MS
from frametally.rules.path_columns import UNSEEN_MS, Began, Ended, PathColumns, code_of, of_each_shape
from frametally.rules.places import ZoneShape
from frametally.rules.times import DAY_MS
from frametally_traffic.flows.day_columns import (
    CROSSING_COLUMNS,
    CROSSING_ORDER,
    CROSSINGS_MISSING,
    DIRECTIONS,
    STAY_COLUMNS,
    STAY_ORDER,
    VISIT_COLUMNS,
    VISIT_ORDER,
    FlowColumns,
)
from frametally_traffic.flows.flow_rows import Rows, crossing_rows, held_at, stay_rows, together, visit_rows
from frametally_traffic.flows.lone_boxes import lone_crossings, lone_objects, lone_stays
from frametally_traffic.flows.passages import Passages, passages_of
from frametally_traffic.flows.path_arrays import MOST_TENTHS, Flags, VisitArrays, Whole, visits_of
from frametally_traffic.flows.shapes import (
    LineShape,
    Row,
    Shapes,
    Ways,
    crossing_row,
    holds_at,
    stay_row,
    unfit_times,
    while_held,
)
from frametally_traffic.geometry.crossings import Border, crossings_of
from frametally_traffic.geometry.cut_paths import CutEnd, End, with_pairs
from frametally_traffic.geometry.foot_paths import FollowedPath
from frametally_traffic.geometry.zones import PictureZone, stays_of

_MISSING = 1 + CROSSINGS_MISSING.index("cut_path")
_MOST_MS = 1 << 40


def cut_ends(visits: VisitArrays) -> list[CutEnd]:
    """Return the ends in the day of visits whose objects may have moved on unseen; times as in `visits`.

    There was footage up to the furthest box of any object within `TRACK_GAP_MS` of an end.
    """
    ends: list[CutEnd] = []
    key = visits.of_point * _MOST_MS + visits.time_ms + DAY_MS
    is_filmed = (visits.time_ms >= 0) & (visits.time_ms < DAY_MS)
    filmed_ms = np.sort(np.concatenate((visits.time_ms[is_filmed], visits.lone[3])))
    for end, codes, ways, point, step_ms in (
        ("first", visits.began, Began, visits.first, UNSEEN_MS),
        ("last", visits.ended, Ended, visits.last, -UNSEEN_MS),
    ):
        visit = np.flatnonzero(visits.is_asked & (codes != code_of("hour", ways)))
        end_point = point[visit]
        visit, end_point = (
            column[(visits.time_ms[end_point] >= 0) & (visits.time_ms[end_point] < DAY_MS)]
            for column in (visit, end_point)
        )
        end_ms = visits.time_ms[end_point]
        beyond = visit * _MOST_MS + end_ms + step_ms + DAY_MS
        if end == "first":
            near = np.minimum(np.searchsorted(key, beyond), visits.last[visit])
            edge_ms = filmed_ms[np.searchsorted(filmed_ms, end_ms - TRACK_GAP_MS)]
        else:
            near = np.maximum(np.searchsorted(key, beyond, side="right") - 1, visits.first[visit])
            edge_ms = filmed_ms[np.searchsorted(filmed_ms, end_ms + TRACK_GAP_MS, side="right") - 1]
        is_edge = np.isin(codes[visit], [code_of(way, ways) for way in ("footage", "gap")])
        way_ms = np.where(is_edge, np.abs(edge_ms - end_ms), TRACK_GAP_MS)
        at_border = codes[visit] == code_of("border", ways)
        ends += _moving(visits, end, visit, end_point, near, way_ms, at_border)  # type: ignore[arg-type]
    return ends


def _moving(
    visits: VisitArrays,
    end: End,
    visit: Whole,
    end_point: Whole,
    near: Whole,
    way_ms: Whole,
    at_border: Flags,
) -> Iterator[CutEnd]:
    x, y, height = visits.x[end_point], visits.y[end_point], visits.height[end_point]
    dx, dy = x - visits.x[near], y - visits.y[near]
    passed_ms = np.abs(visits.time_ms[end_point] - visits.time_ms[near])
    part = way_ms / np.maximum(passed_ms, 1)
    part = np.where(at_border, np.minimum(part, height / np.maximum(np.sqrt(dx * dx + dy * dy), 1)), part)
    to_x, to_y = (start + np.rint(way * part).astype(np.int64) for start, way in ((x, dx), (y, dy)))
    moves = (passed_ms > 0) & ((to_x != x) | (to_y != y))
    columns = (visit, visits.time_ms[end_point], x, y, to_x, to_y, way_ms, height, ~at_border)
    for number, *place in zip(*(column[moves].tolist() for column in columns), strict=True):
        yield CutEnd(number, end, *place)


def cut_rows(
    ends: list[CutEnd], line: LineShape, border: Border, number: int, day_ms: int
) -> Iterator[tuple[int, Row]]:
    """Yield a visit and a row of `CROSSING_COLUMNS` for each end beyond which it may have crossed a line."""
    xs = [x for ax, _, ux, _ in border.pieces for x in (ax, ax + ux)]
    ys = [y for _, ay, _, uy in border.pieces for y in (ay, ay + uy)]
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    for cut in ends:
        if (cut.x < left and cut.to_x < left) or (cut.x > right and cut.to_x > right):
            continue
        if (cut.y < top and cut.to_y < top) or (cut.y > bottom and cut.to_y > bottom):
            continue
        side = cut.crossed(border)
        if side and holds_at(line, day_ms + cut.time_ms):
            direction = DIRECTIONS.index("to_right" if side > 0 else "to_left")
            yield cut.visit, (cut.time_ms, number, 0, direction, _MISSING, 0, 0, 0, 0)


_KINDS = (
    (CROSSING_COLUMNS, CROSSING_ORDER),
    (STAY_COLUMNS, STAY_ORDER),
    (VISIT_COLUMNS, VISIT_ORDER),
)
_OF_VISIT = ("hour", "number", "label")
_MOST_KEYS = 1 << 62


def flows_of_day(
    files: Iterable[PathColumns],
    shapes: Shapes,
    *,
    model: str,
    source: str,
    day_start_ms: int,
    speeds: FlowColumns | None = None,
) -> FlowColumns:
    """Return the flows of a source's objects on a UTC day.

    `files`: the source's paths of that day and the adjacent days, as far as they exist, in any order.
    `shapes`: all drawings of the source. `speeds`: flows of the same files and calibrations, from which known
    speeds are copied, because these take the longest to compute.

    Raises:
        ValueError: A line has all its points in one place, or a zone has no area.
    """
    every = [*files]
    tables = []
    for size, of_shape in of_each_shape(every):
        ways = Ways.from_shapes(shapes, day_start_ms, size)
        visits = visits_of({file.day_start_ms: file for file in of_shape}, day_start_ms)
        visits.is_plain[:] &= _are_small(ways)
        ends = cut_ends(visits) if ways.lines or visits.lone.size else []
        lone = lone_objects(visits, [end for end in ends if end.is_open])
        ends = with_pairs(ends) if ways.lines else []
        crossings = [_crossings(line, border, ways, visits, ends) for line, border in ways.lines]
        stays = [_stays(shape, zone, ways, visits) for shape, zone in ways.zones]
        visit_table = visit_rows(crossings, ways, visits, speeds)
        crossings += [
            lone_crossings(line, border, ways.line_names.index(line.name), visits, lone)
            for line, border in ways.lines
        ]
        stays += [
            lone_stays(shape, zone, ways.zone_names.index(shape.name), visits, lone)
            for shape, zone in ways.zones
        ]
        tables.append(_Tables(ways, visits, (crossings, stays, [visit_table])))
    unfit = [
        times for file in every if file.day_start_ms == day_start_ms for times in unfit_times(shapes, file)
    ]
    return _columns_of(tables, (model, source))._replace(unfit=tuple(unfit))


class _Tables(NamedTuple):
    """Counts in pictures of one shape: crossings by line, stays by zone, and visits."""

    ways: Ways
    visits: VisitArrays
    kinds: tuple[Sequence[Rows], Sequence[Rows], Sequence[Rows]]


def _are_small(ways: Ways) -> bool:
    corners = (piece for _, border in (*ways.lines, *ways.zones) for piece in border.pieces)
    return all(abs(value) < MOST_TENTHS for ax, ay, ux, uy in corners for value in (ax, ay, ax + ux, ay + uy))


def _crossings(line: LineShape, border: Border, ways: Ways, visits: VisitArrays, ends: list[CutEnd]) -> Rows:
    """Return a row for each crossing of a line, and for each path that ends just short of it."""
    number = ways.line_names.index(line.name)
    is_there, passages = _passages(line, border, visits)
    rows = crossing_rows(passages, number, visits)
    odd_rows = (
        (visit, crossing_row(crossing, followed, number, ways.day_start_ms))
        for visit, followed in _odd_visits(line, is_there & ~passages.is_plain, visits)
        for crossing in crossings_of(followed, border)
    )
    cut = cut_rows(ends, line, border, number, ways.day_start_ms)
    return _with_others(rows, passages, CROSSING_COLUMNS, chain(odd_rows, cut))


def _stays(shape: ZoneShape, zone: PictureZone, ways: Ways, visits: VisitArrays) -> Rows:
    """Return a row for each stay in a zone."""
    number = ways.zone_names.index(shape.name)
    is_there, passages = _passages(shape, zone, visits)
    rows = stay_rows(passages, zone, number, visits)
    return _with_others(
        rows,
        passages,
        STAY_COLUMNS,
        (
            (visit, stay_row(stay, number, ways.day_start_ms))
            for visit, followed in _odd_visits(shape, is_there & ~passages.is_plain, visits)
            for stay in stays_of(followed, zone)
        ),
    )


def _passages(shape: LineShape | ZoneShape, border: Border, visits: VisitArrays) -> tuple[Flags, Passages]:
    """Return which visits overlap a shape's time, and the passages of the plain ones over it."""
    day_ms = visits.file.day_start_ms
    first_ms, last_ms = (visits.time_ms[points] + day_ms for points in (visits.first, visits.last))
    is_held = held_at(shape.from_ms, shape.to_ms, first_ms) & held_at(shape.from_ms, shape.to_ms, last_ms)
    is_before = np.zeros_like(is_held) if shape.from_ms is None else last_ms < shape.from_ms
    is_after = np.zeros_like(is_held) if shape.to_ms is None else first_ms >= shape.to_ms
    is_asked = visits.is_asked & ~is_before & ~is_after
    return is_asked, passages_of(border, visits, visits.is_plain & is_held)


def _odd_visits(
    shape: LineShape | ZoneShape, mask: Flags, visits: VisitArrays
) -> Iterator[tuple[int, FollowedPath]]:
    for visit in np.flatnonzero(mask).tolist():
        yield visit, while_held(visits.followed(visit), shape)


def _with_others(
    rows: Rows, passages: Passages, names: Sequence[str], odd_visits: Iterable[tuple[int, Row]]
) -> Rows:
    """Return the rows of plain visits and, by the columns `names`, of `odd_visits`, each with its visit."""
    keep = passages.is_plain[rows["visit"]]
    odd_rows = [(visit, *row) for visit, row in odd_visits]
    bare = ["visit", *(name.partition("_")[2] for name in names)]
    more = np.array(odd_rows, np.int64).reshape(-1, len(bare))
    return {name: np.concatenate((column[keep], more[:, bare.index(name)])) for name, column in rows.items()}


def _columns_of(shapes: Sequence[_Tables], about: tuple[str, str]) -> FlowColumns:
    """Return the day's rows, sorted, with numbers for the labels that occur.

    `shapes`: the counts for each shape of pictures; their drawings differ only in position.
    """
    labels = sorted({label for part in shapes for label in part.visits.labels})
    tables = []
    for number, (names, order) in enumerate(_KINDS):
        kind, bare = names[0].partition("_")[0], [name.partition("_")[2] for name in names]
        columns = together([_own_rows(part, number, kind, bare, labels) for part in shapes], bare)
        sorted_by = _order([columns[name] for name in order], [*columns.values()])
        tables.append((kind, {name: column[sorted_by] for name, column in columns.items()}))
    used = np.unique(np.concatenate([columns["label"] for _, columns in tables]))
    columns_by_name: dict[str, Sequence[int]] = {}
    for kind, columns in tables:
        columns["label"] = np.searchsorted(used, columns["label"])
        columns_by_name |= {f"{kind}_{name}": _packed(column) for name, column in columns.items()}
    ways = shapes[0].ways
    return FlowColumns(
        *about,
        ways.day_start_ms,
        tuple(labels[index] for index in used.tolist()),
        ways.line_names,
        ways.leg_names,
        ways.zone_names,
        columns_by_name,
    )


def _own_rows(part: _Tables, number: int, kind: str, bare: Sequence[str], labels: list[str]) -> Rows:
    """Return the day's rows of a kind; their labels are indexes in `labels`."""
    visits = part.visits
    every = (visits.hour, visits.number, visits.label)
    hours, numbers, names = (np.concatenate(columns) for columns in zip(every, visits.lone, strict=False))
    label = np.array([labels.index(name) for name in visits.labels], np.int64)[names]
    of_visit = dict(zip(_OF_VISIT, (hours, numbers, label), strict=True))
    rows = together(part.kinds[number], ["visit", *(name for name in bare if name not in of_visit)])
    # A stay that ends as the day begins counts in the day's first interval.
    begins, ends = ("from", "to") if kind == "stay" else ("time", "time")
    keep = (rows[ends] >= 0) & (rows[begins] < DAY_MS)
    return {
        name: of_visit[name][rows["visit"][keep]] if name in of_visit else rows[name][keep] for name in bare
    }


def _order(by: list[Whole], rest: list[Whole]) -> Whole:
    """Return the order of rows: by the columns of `by`, then by those of `rest`."""
    if len(by[0]) == 0:
        return np.empty(0, np.int64)
    key, keys = np.zeros(len(by[0]), np.int64), 1
    for column in by:
        least, values = int(column.min()), int(column.max() - column.min()) + 1
        keys *= values
        if keys >= _MOST_KEYS:
            break
        key = key * values + (column - least)
    else:
        order = np.argsort(key, kind="stable")
        if (key[order][1:] != key[order][:-1]).all():
            return order
    return np.lexsort([*rest[::-1], *by[::-1]])


def _packed(column: Whole) -> Sequence[int]:
    """Return a column packed as in the file."""
    least, most = (int(column.min()), int(column.max())) if len(column) else (0, 0)
    return packed(least, most, lambda typecode: column.astype(typecode).tobytes())
