"""Counts a day's flows as `rules.flows.counting` does, at once for all paths that are plain.

What is not plain (see `passages`), goes over an hour's end, or meets a shape's beginning or end in time, is
counted by the rule itself, one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from frametally.flows.arrays import MOST_TENTHS, Flags, PathArrays, arrays_of
from frametally.flows.passages import Passages, passages_of
from frametally.flows.rows import Rows, crossing_rows, stay_rows, together
from frametally.flows.visits import held_at, visit_rows
from frametally.rules.flows.counting import FirstTrack, FlowRows, Ways, first_tracks, rows_of
from frametally.rules.flows.day_columns import (
    CROSSING_COLUMNS,
    CROSSING_ORDER,
    STAY_COLUMNS,
    STAY_ORDER,
    VISIT_COLUMNS,
    VISIT_ORDER,
    FlowColumns,
)
from frametally.rules.flows.shapes import LineShape, Shapes, ZoneShape
from frametally.rules.geometry.borders import Border
from frametally.rules.geometry.foot_paths import FollowedPath, joined, pieces_of
from frametally.rules.path_columns import POINT_COLUMNS, TRACK_COLUMNS, PathColumns

_KINDS = (
    (CROSSING_COLUMNS, CROSSING_ORDER),
    (STAY_COLUMNS, STAY_ORDER),
    (VISIT_COLUMNS, VISIT_ORDER),
)
_NO_PATHS: dict[str, list[int]] = {name: [] for name in (*TRACK_COLUMNS, *POINT_COLUMNS)}


def flows_of_day(
    files: Iterable[PathColumns], shapes: Shapes, *, model: str, source: str, day_start_ms: int
) -> FlowColumns:
    """Return what a source's objects did on a UTC day: what the rule of this name returns, to the byte.

    Raises:
        ValueError: A line has all its points in one place, or a zone nothing within.
    """
    ways = Ways.of(shapes, day_start_ms)
    by_day = {file.day_start_ms: file for file in files}
    by_day.setdefault(day_start_ms, PathColumns(model, source, day_start_ms, (), _NO_PATHS))
    paths = arrays_of(by_day[day_start_ms])
    is_plain = paths.is_whole & (paths.is_small and _are_small(ways))
    crossings, stays = [], []
    for line, border in ways.lines:
        passages = _passages(line, border, paths, is_plain)
        crossings.append(crossing_rows(passages, ways.line_names.index(line.name), paths, is_plain))
    for shape, zone in ways.zones:
        passages = _passages(shape, zone, paths, is_plain)
        stays.append(stay_rows(passages, zone, ways.zone_names.index(shape.name), paths, is_plain))
    visits = visit_rows(crossings, ways, paths, is_plain)
    others = _counted_one_by_one(by_day, ways, is_plain)
    return _columns_of(ways, paths, is_plain, (crossings, stays, [visits]), others, (model, source))


def _are_small(ways: Ways) -> bool:
    corners = (piece for _, border in (*ways.lines, *ways.zones) for piece in border.pieces)
    return all(abs(value) < MOST_TENTHS for ax, ay, ux, uy in corners for value in (ax, ay, ax + ux, ay + uy))


def _passages(shape: LineShape | ZoneShape, border: Border, paths: PathArrays, is_plain: Flags) -> Passages:
    """Return the passages of plain paths while a shape holds; others are taken from `is_plain`."""
    day_ms = paths.file.day_start_ms
    first_ms, last_ms = (paths.time_ms[at] + day_ms for at in (paths.first, paths.last))
    is_held = held_at(shape.from_ms, shape.to_ms, first_ms) & held_at(shape.from_ms, shape.to_ms, last_ms)
    is_before = np.zeros_like(is_held) if shape.from_ms is None else last_ms < shape.from_ms
    is_after = np.zeros_like(is_held) if shape.to_ms is None else first_ms >= shape.to_ms
    is_plain &= is_held | is_before | is_after
    asked = is_plain & is_held
    passages = passages_of(border, paths, asked)
    is_plain &= passages.is_plain | ~asked
    return passages


def _counted_one_by_one(by_day: Mapping[int, PathColumns], ways: Ways, is_plain: Flags) -> FlowRows:
    pieces: list[FollowedPath] = []
    firsts: dict[str, FirstTrack] = {}
    for day_ms in sorted(by_day):
        file = by_day[day_ms]
        asked = is_plain if day_ms == ways.day_start_ms else arrays_of(file).is_whole
        tracks = np.flatnonzero(~asked).tolist()
        of_file = list(pieces_of(file, tracks))
        pieces += of_file
        ids = (piece.ids[0] for piece in of_file)
        firsts |= zip(ids, first_tracks(file, tracks), strict=True)
    return rows_of(joined(pieces), firsts, ways)


def _columns_of(
    ways: Ways,
    paths: PathArrays,
    is_plain: Flags,
    plain: Sequence[Sequence[Rows]],
    others: FlowRows,
    about: tuple[str, str],
) -> FlowColumns:
    """Return rows of both kinds together, in their order, with numbers for those labels that occur.

    Args:
        ways: What is drawn.
        paths: Of the day.
        is_plain: Rows of other tracks are left out of `plain`.
        plain: Crossings, stays and visits.
        others: Those that were counted one by one.
        about: Model and source.
    """
    file = paths.file
    labels = sorted({*file.labels, *others.labels.values()})
    label_of = np.array([labels.index(label) for label in file.labels], np.int64)
    tables = []
    for (names, order), parts, rows in zip(_KINDS, plain, others[:3], strict=True):
        kind, bare = names[0].partition("_")[0], [name.partition("_")[2] for name in names]
        of_track = {"hour", "number", "label"}
        table = together(parts, ["track", *(name for name in bare if name not in of_track)])
        kept = is_plain[table["track"]]
        table = {name: column[kept] for name, column in table.items()}
        for name in of_track:
            table[name] = np.asarray(file.columns[name], np.int64)[table["track"]]
        table["label"] = label_of[table["label"]]
        one_by_one = np.array(rows, np.int64).reshape(-1, len(names))
        hour, number, label = (bare.index(name) for name in ("hour", "number", "label"))
        one_by_one[:, label] = [labels.index(others.labels[row[hour], row[number]]) for row in rows]
        columns = [np.concatenate((table[name], one_by_one[:, at])) for at, name in enumerate(bare)]
        by = [columns[bare.index(name)] for name in order]
        sorted_by = np.lexsort([*columns[::-1], *by[::-1]])
        tables.append((kind, bare, [column[sorted_by] for column in columns]))
    used = np.unique(np.concatenate([columns[bare.index("label")] for _, bare, columns in tables]))
    columns_by_name: dict[str, Sequence[int]] = {}
    for kind, bare, columns in tables:
        at = bare.index("label")
        columns[at] = np.searchsorted(used, columns[at])
        columns_by_name |= {
            f"{kind}_{name}": column.tolist() for name, column in zip(bare, columns, strict=True)
        }
    return FlowColumns(
        *about,
        ways.day_start_ms,
        tuple(labels[at] for at in used.tolist()),
        ways.line_names,
        ways.leg_names,
        ways.zone_names,
        columns_by_name,
    )
