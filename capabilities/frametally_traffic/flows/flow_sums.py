"""Sums files of flows into bars of any length, with numpy, so that a year of a busy camera takes a moment.

Each file covers a UTC day. The parts of a bar that spans several days are combined: sums, the first part's
start and the highest peak.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from frametally.rules.times import DAY_MS, HOUR_MS
from frametally_traffic.flows.day_columns import CAME, DIRECTIONS, NOT_MEASURED, WENT, FlowColumns
from frametally_traffic.flows.path_arrays import Flags, Whole
from frametally_traffic.geometry.zones import ZoneCounts

Rows = Mapping[str, Whole]
"""Columns of equal length, named without the first word; times are event times."""

WAYS = (*DIRECTIONS, NOT_MEASURED)
_TIMES = {"crossing": ("time",), "stay": ("from", "to"), "visit": ("time", "came", "went")}
_LINES = ("line", "from_leg", "to_leg")


class Names(NamedTuple):
    """The names behind the numbers in rows of several days; each day's file numbers its own."""

    labels: list[str]
    lines: list[str]
    zones: list[str]


def names_of(flows: Sequence[FlowColumns]) -> Names:
    """Return all names in the files of several days."""
    return Names(
        sorted({name for day in flows for name in day.labels}),
        sorted({name for day in flows for name in day.lines}),
        sorted({name for day in flows for name in day.zones}),
    )


def rows_of(flows: FlowColumns, kind: str, names: Names) -> Rows:
    """Return a day's rows of a kind (`crossing`, `stay`, `visit`), with numbers as in `names`.

    Rows have an additional column, `hour_ms`: the start of the hour of their first track.
    """
    rows = {
        name.removeprefix(f"{kind}_"): np.asarray(column, np.int64)
        for name, column in flows.columns.items()
        if name.startswith(f"{kind}_")
    }
    for name in _TIMES[kind]:
        rows[name] = rows[name] + flows.day_start_ms
    rows["hour_ms"] = rows["hour"] * HOUR_MS + flows.day_start_ms
    columns = {"label": (flows.labels, names.labels), "zone": (flows.zones, names.zones)}
    columns |= dict.fromkeys(_LINES, (flows.lines, names.lines))
    for name in rows.keys() & columns.keys():
        own, everybodys = columns[name]
        places = np.array([everybodys.index(item) for item in own] or [0], np.int64)
        rows[name] = places[rows[name]]
    return rows


def ways_of(crossings: Rows) -> Whole:
    """Return the index in `WAYS` of each crossing."""
    return np.where(crossings["missing"] > 0, len(DIRECTIONS), crossings["direction"])


def select_rows(rows: Rows, keep: Flags) -> Rows:
    """Return the rows for which `keep` is true."""
    return {name: column[keep] for name, column in rows.items()}


def rows_between(rows: Rows, from_ms: int, to_ms: int) -> Rows:
    """Return the rows whose time is in `[from_ms, to_ms)`."""
    return select_rows(rows, (rows["time"] >= from_ms) & (rows["time"] < to_ms))


def of_names(rows: Rows, column: str, all_names: Sequence[str], names: Sequence[str]) -> Rows:
    """Return the rows whose name in `column` is among `names`; all rows if `names` is empty."""
    if not names:
        return rows
    return select_rows(
        rows, np.isin(rows[column], [all_names.index(name) for name in names if name in all_names])
    )


def count_rows(*columns: Whole) -> Counter[tuple[int, ...]]:
    """Return how often each combination of values occurs in columns of non-negative integers."""
    if not len(columns[0]):
        return Counter()
    sizes = [int(column.max()) + 1 for column in columns]
    codes, counts = np.unique(np.ravel_multi_index(columns, sizes), return_counts=True)
    values = (column.tolist() for column in np.unravel_index(codes, sizes))
    return Counter(dict(zip(zip(*values, strict=True), counts.tolist(), strict=True)))


def bar_of(edges_ms: Whole, times_ms: Whole) -> Whole:
    """Return the number of each time's bar; bars start at `edges_ms`, and the last edge ends the last bar."""
    return np.searchsorted(edges_ms, times_ms, side="right").astype(np.int64) - 1


def zone_counts(
    stays: Rows, day_start_ms: int, edges_ms: Whole, from_ms: int, to_ms: int
) -> dict[tuple[int, int, int], ZoneCounts]:
    """Return the counts of a day's stays by bar, zone and label, in `[from_ms, to_ms)`."""
    first_ms, end_ms = max(day_start_ms, from_ms), min(day_start_ms + DAY_MS, to_ms)
    if first_ms >= end_ms:
        return {}
    inner = edges_ms[(edges_ms > first_ms) & (edges_ms < end_ms)]
    edges = np.concatenate(([first_ms], inner, [end_ms])).astype(np.int64)
    first_bar = int(bar_of(edges_ms, edges[:1])[0])
    counts_by_place: dict[tuple[int, int, int], ZoneCounts] = {}
    names = [stays[name] for name in ("zone", "label")]
    groups = count_rows(*names)
    order = np.lexsort(names[::-1])
    columns = {name: stays[name][order] for name in ("from", "to", "came", "went")}
    first = 0
    for (zone, label), rows in sorted(groups.items()):
        own = {name: column[first : first + rows] for name, column in columns.items()}
        first += rows
        for number, counts in _of_bars(own, edges).items():
            counts_by_place[first_bar + number, zone, label] = counts
    return counts_by_place


def _of_bars(stays: Rows, edges: Whole) -> dict[int, ZoneCounts]:
    """Return the counts between successive edges, by number of the earlier edge."""
    bars = len(edges) - 1
    begins, ends = np.sort(stays["from"]), np.sort(stays["to"])
    fields: dict[str, Whole] = {}
    fields["at_start"] = np.searchsorted(begins, edges[:-1]) - np.searchsorted(ends, edges[:-1])
    for column, time_name, ways in (("came", "from", CAME), ("went", "to", WENT)):
        inside = (stays[time_name] >= edges[0]) & (stays[time_name] < edges[-1])
        number = bar_of(edges, stays[time_name][inside]) * len(ways) + stays[column][inside]
        by_way = np.bincount(number, minlength=bars * len(ways)).reshape(bars, len(ways))
        fields.update(zip(ways, by_way.T, strict=True))
    occupied = _since(begins, edges) - _since(ends, edges)
    fields["occupied_ms"] = np.diff(occupied)
    fields["peak"] = _peaks(stays, edges)
    table = np.stack([fields[name] for name in ZoneCounts._fields])
    something = np.flatnonzero(table.any(axis=0))
    rows = table[:, something].T.tolist()
    return {number: ZoneCounts(*row) for number, row in zip(something.tolist(), rows, strict=True)}


def _since(times: Whole, moments: Whole) -> Whole:
    """Return, for each moment, the total time elapsed since each of the sorted `times` before it."""
    sums = np.concatenate(([0], np.cumsum(times)))
    before = np.searchsorted(times, moments)
    return before * moments - sums[before]


def _peaks(stays: Rows, edges: Whole) -> Whole:
    """Return the most objects present at once between successive edges."""
    times = np.concatenate((stays["from"], stays["to"], edges[:-1]))
    steps = np.concatenate(
        (np.ones_like(stays["from"]), -np.ones_like(stays["to"]), np.zeros_like(edges[:-1]))
    )
    moments, place = np.unique(times, return_inverse=True)
    occupancy = np.cumsum(np.bincount(place, weights=steps, minlength=len(moments))).astype(np.int64)
    inside = moments < edges[-1]  # an object that enters as it ends is not counted
    peaks = np.maximum.reduceat(occupancy[inside], np.searchsorted(moments[inside], edges[:-1]))
    return peaks.astype(np.int64)


def together(earlier: ZoneCounts, later: ZoneCounts) -> ZoneCounts:
    """Combine the counts of two successive parts of a bar."""
    sums = ZoneCounts(*(a + b for a, b in zip(earlier, later, strict=True)))
    return sums._replace(at_start=earlier.at_start, peak=max(earlier.peak, later.peak))
