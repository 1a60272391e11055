"""Several sources together: their counts add up, and in their mean each source weighs the same.

A camera with five frames a second would otherwise hide another one with a picture every ten minutes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from frametally.adapters.day_cells.sums import (
    DETECTIONS,
    LABEL,
    SLOT,
    SOURCE,
    CountColumns,
    add_up,
    in_order,
    none_where,
)
from frametally.ports.count_index import Bucket, CoverageBucket

MOST_OF_SOURCES = 20_000_000
"""Most bars that are read of sources one by one, until they are added up."""

RowT = TypeVar("RowT", bound=Bucket | CoverageBucket)


def mean_of_sources(parts: Iterable[tuple[str | None, int, int]]) -> float | None:
    """Return the mean of each source's boxes per frame; None without frames.

    It is not rounded: few of a year's frames show any.

    Args:
        parts: Source, boxes and frames, in any number of parts a source.
    """
    sums: dict[str | None, list[int]] = defaultdict(lambda: [0, 0])
    for source, detections, frames in parts:
        of_source = sums[source]
        of_source[0] += detections
        of_source[1] += frames
    rates = [detections / frames for detections, frames in sums.values() if frames]
    return fmean(rates) if rates else None


def together(columns: CountColumns[RowT]) -> CountColumns[RowT]:
    """Return the rows of all sources added up, by start and label."""
    if columns.sources == [None]:
        return columns
    cells = add_up(columns.cells, columns.cells[LABEL], columns.cells[SLOT], 0)
    return CountColumns(columns.kind, in_order(cells, columns.labels, [None]), columns.labels, [None])


def means_of(
    rows: CountColumns[Bucket], counted: CountColumns[Bucket], filmed: CountColumns[CoverageBucket]
) -> list[float | None]:
    """Return the mean per frame of each of `rows`, which are `counted` by source or with sources together."""
    frames = np.append(filmed.cells[DETECTIONS], 0)[places_in(filmed, counted)]
    rates = counted.cells[DETECTIONS] / np.maximum(frames, 1)
    if rows is counted:
        return none_where(frames == 0, rates)
    with_frames = filmed.cells[SLOT][filmed.cells[DETECTIONS] > 0]
    starts, sources = np.unique(with_frames, return_counts=True)
    number = len(rows.labels)
    row_keys, keys = (
        part.cells[SLOT].astype(np.int64) * number + part.cells[LABEL] for part in (rows, counted)
    )
    order = np.argsort(row_keys)
    places = order[np.searchsorted(row_keys, keys, sorter=order)]
    sums = np.bincount(places, np.where(frames == 0, 0.0, rates), len(row_keys))
    of_start = np.searchsorted(starts, rows.cells[SLOT])
    is_there = np.append(starts, -1)[of_start] == rows.cells[SLOT]
    of_sources = np.where(is_there, np.append(sources, 0)[of_start], 0)
    return none_where(of_sources == 0, sums / np.maximum(of_sources, 1))


def places_in(filmed: CountColumns[CoverageBucket], counted: CountColumns[Bucket]) -> NDArray[np.int64]:
    """Return for each bar the place of its interval in the coverage; of one without, the place after all."""
    number = len(counted.sources)
    bar_keys, interval_keys = (
        part.cells[SLOT].astype(np.int64) * number + part.cells[SOURCE] for part in (counted, filmed)
    )
    order = np.argsort(interval_keys)
    places: NDArray[Any] = np.append(order, len(order))[
        np.searchsorted(interval_keys, bar_keys, sorter=order)
    ]
    places[np.append(interval_keys, 0)[places] != bar_keys] = len(order)
    return places
