"""A run's hours as packed arrays: what a chart of a year of all labels reads, without a row for each hour.

A database reads a million rows of sums in a second; the same numbers as arrays, some kilobytes a run, it
reads in milliseconds, and numpy adds them up in as many. Where numpy is not installed, or few labels are
asked for (whose rows lie together), the rows of the rolled tables are read instead: they say the same.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from frametally import keys
from frametally.adapters import sql_tables as tables
from frametally.adapters.sql_queries import Selection
from frametally.count_index import Bucket, WeekHour
from frametally.steps import Piece

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HOUR_S = 3600
_HOUR_MS = HOUR_S * 1000
_WEEK_HOURS = 168
_UNKNOWN = -1
_FEW_LABELS = 8
_MOST_CELLS = 20_000_000
"""Of a grid of bars, labels and sources that is summed at once."""


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """One entry for each hour, label and source that has counts; machine integers, little-endian.

    Attributes:
        labels: What `label` numbers.
        sources: What `source` numbers.
        hour: uint8, hour of the UTC day.
        label: uint16.
        source: uint16.
        detections: int32, or int64 where one needs it.
        peak: The same.
        objects: The same; -1 for None.
    """

    labels: list[str]
    sources: list[str]
    hour: bytes
    label: bytes
    source: bytes
    detections: bytes
    peak: bytes
    objects: bytes


_decoder = msgspec.msgpack.Decoder(_Packed)


def pack(rows: Iterable[tuple[str, str, int, int, int, int | None]]) -> bytes:
    """The cells of a run: rows of label, source, start of the hour, detections, peak and objects."""
    labels: dict[str, int] = {}
    sources: dict[str, int] = {}
    hours, of_label, of_source = array("B"), array("H"), array("H")
    detections, peaks, objects = array("q"), array("q"), array("q")
    for label, source, start_ms, boxes, peak, unique in rows:
        hours.append(start_ms // _HOUR_MS % 24)
        of_label.append(labels.setdefault(label, len(labels)))
        of_source.append(sources.setdefault(source, len(sources)))
        detections.append(boxes)
        peaks.append(peak)
        objects.append(_UNKNOWN if unique is None else unique)
    narrow = (_narrow(one) for one in (detections, peaks, objects))
    columns = [_little_endian(one) for one in (hours, of_label, of_source, *narrow)]
    return msgspec.msgpack.encode(_Packed([*labels], [*sources], *columns))


def _narrow(column: array[int]) -> array[int]:
    return array("i", column) if max(column, default=0) < 2**31 else column


def _little_endian(column: array[int]) -> bytes:
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


def is_served(selection: Selection, steps_s: Sequence[int]) -> bool:
    """Whether cells are read for a query that may be answered by these steps, the last one the longest."""
    if steps_s[-1] < HOUR_S or HOUR_S % selection.series.base_interval_s:
        return False
    if 0 < len(selection.labels) <= _FEW_LABELS or selection.series.base_interval_s == HOUR_S:
        return False
    try:
        import numpy as np
    except ImportError:
        return False
    return bool(np)


def hour_buckets(
    connection: Connection,
    selection: Selection,
    piece: Piece,
    *,
    interval_ms: int,
    offset_ms: int,
    by_source: bool,
    limit: int,
) -> Iterator[Bucket]:
    """What `select_buckets` selects, at most `limit` of them; the piece has whole hours, or open ends."""
    import numpy as np

    runs = _read(connection, selection, piece)
    if not runs:
        return
    labels, sources = (
        _numbers(run.packed.labels for run in runs),
        _numbers(run.packed.sources for run in runs),
    )
    first = (min(run.day_ms for run in runs) + offset_ms) // interval_ms
    columns = _gather(
        runs, selection, piece, labels, sources, lambda at_ms: (at_ms + offset_ms) // interval_ms - first
    )
    group = columns.slot * len(labels) + columns.label
    if by_source:
        group = group * len(sources) + columns.source
    present = None
    if len(group) and int(group.max()) >= _MOST_CELLS:  # many short bars of many names
        present, group = np.unique(group, return_inverse=True)
    sums = _sum_up(columns, group)
    of_source, of_label = [*sources], [*labels]
    for number in sums.found[:limit].tolist():
        place = number if present is None else int(present[number])
        place, source = divmod(place, len(sources)) if by_source else (place, 0)
        bar, label = divmod(place, len(labels))
        yield Bucket(
            (bar + first) * interval_ms - offset_ms,
            of_label[label],
            int(sums.detections[number]),
            int(sums.peak[number]),
            None if sums.unknown[number] else int(sums.objects[number]),
            of_source[source] if by_source else None,
        )


def week_cells(
    connection: Connection, selection: Selection, piece: Piece, *, offset_ms: int
) -> Iterator[WeekHour]:
    """What `select_week_counts` selects, without frames."""
    runs = _read(connection, selection, piece)
    labels, sources = (
        _numbers(run.packed.labels for run in runs),
        _numbers(run.packed.sources for run in runs),
    )
    # 1970 began on a Thursday, 72 hours after Monday.
    columns = _gather(
        runs,
        selection,
        piece,
        labels,
        sources,
        lambda at_ms: ((at_ms + offset_ms) // _HOUR_MS + 72) % _WEEK_HOURS,
    )
    sums = _sum_up(columns, columns.slot)
    for hour in sums.found.tolist():
        objects = None if sums.unknown[hour] else int(sums.objects[hour])
        yield WeekHour(hour, 0, int(sums.detections[hour]), int(sums.peak[hour]), objects)


class _Run(NamedTuple):
    """A run's cells and when its day begins."""

    day_ms: int
    packed: _Packed


class _Columns(NamedTuple):
    """The cells of some runs, each column as long as the others; `label` and `source` number the names."""

    slot: NDArray[np.int64]
    label: NDArray[np.int64]
    source: NDArray[np.int64]
    detections: NDArray[Any]
    peak: NDArray[Any]
    objects: NDArray[Any]


class _Sums(NamedTuple):
    """By number of the group; `found` are the numbers that have any cell."""

    found: NDArray[np.int64]
    detections: NDArray[Any]
    peak: NDArray[np.int64]
    objects: NDArray[Any]
    unknown: NDArray[np.bool_]


def _sum_up(columns: _Columns, group: NDArray[np.int64]) -> _Sums:
    import numpy as np

    size = int(group.max()) + 1 if len(group) else 0
    peak = np.zeros(size, np.int64)
    np.maximum.at(peak, group, columns.peak.astype(np.int64))
    unknown = np.zeros(size, bool)
    unknown[group[columns.objects < 0]] = True
    # Sums as floats are exact up to 2**53.
    return _Sums(
        np.flatnonzero(np.bincount(group, minlength=size)),
        np.bincount(group, weights=columns.detections, minlength=size),
        peak,
        np.bincount(group, weights=columns.objects, minlength=size),
        unknown,
    )


def _read(connection: Connection, selection: Selection, piece: Piece) -> list[_Run]:
    runs, hours = tables.runs.c, tables.rolled_hours.c
    query = (
        select(runs.day, hours.cells)
        .join(tables.rolled_hours, hours.run == runs.number)
        .where(runs.number.in_(selection.runs(piece)))
    )
    found = [
        _Run(keys.day_start_ms(day), _decoder.decode(body)) for day, body in connection.execute(query).all()
    ]
    return [run for run in found if run.packed.hour]


def _numbers(names: Iterable[Sequence[str]]) -> dict[str, int]:
    return {name: number for number, name in enumerate(dict.fromkeys(chain.from_iterable(names)))}


def _gather(
    runs: Sequence[_Run],
    selection: Selection,
    piece: Piece,
    labels: Mapping[str, int],
    sources: Mapping[str, int],
    slot_of: Callable[[NDArray[np.int64]], NDArray[np.int64]],
) -> _Columns:
    """The cells of the runs that are selected, each with the slot that `slot_of` gives its hour's start."""
    import numpy as np

    parts: list[tuple[NDArray[Any], ...]] = []
    hours = np.arange(24, dtype=np.int64) * _HOUR_MS
    for day_ms, packed in runs:
        starts = hours + day_ms
        slots = slot_of(starts)
        inside = np.ones(24, bool)
        if piece.from_ms is not None:
            inside &= starts >= piece.from_ms
        if piece.to_ms is not None:
            inside &= starts < piece.to_ms
        hour = np.frombuffer(packed.hour, "u1")
        label, source = np.frombuffer(packed.label, "<u2"), np.frombuffer(packed.source, "<u2")
        of_labels = np.array([labels[name] for name in packed.labels])
        of_sources = np.array([sources[name] for name in packed.sources])
        found = (
            slots[hour],
            of_labels[label],
            of_sources[source],
            *(
                np.frombuffer(column, f"<i{len(column) // len(hour)}")
                for column in (packed.detections, packed.peak, packed.objects)
            ),
        )
        keep = None if inside.all() else inside[hour]
        for numbered, names, wanted in (
            (label, packed.labels, selection.labels),
            (source, packed.sources, selection.sources),
        ):
            if wanted:
                here = np.array([name in wanted for name in names])[numbered]
                keep = here if keep is None else keep & here
        parts.append(found if keep is None else tuple(column[keep] for column in found))
    if not parts:
        nothing = np.empty(0, np.int64)
        return _Columns(*[nothing] * 6)
    return _Columns(*(np.concatenate(column) for column in zip(*parts, strict=True)))
