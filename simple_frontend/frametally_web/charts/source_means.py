"""The mean of several sources: each weighs the same, however often its camera takes a picture.

Boxes and frames of all sources together would let a camera with five frames a second hide another one with a
picture every ten minutes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from frametally.adapters.day_cells.sums import DETECTIONS, LABEL, SLOT, SOURCE, CountColumns, add_up
from frametally.ports.count_index import Bucket, CoverageBucket

MOST_OF_SOURCES = 20_000_000
"""Most bars that are read of sources one by one, until they are added up."""

OfSources = tuple[CountColumns[Bucket], CountColumns[CoverageBucket]]
"""Bars and coverage of each source by itself."""

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


def means_by_bar(
    counted: CountColumns[Bucket], filmed: CountColumns[CoverageBucket]
) -> dict[tuple[int, str | None], float]:
    """Return the mean of the sources by start and label (None: of labels together), of what has frames."""
    frames = np.append(filmed.cells[DETECTIONS], 0)[places_in(filmed, counted)]
    rates = counted.cells[DETECTIONS] / np.maximum(frames, 1)
    starts, sources = np.unique(filmed.cells[SLOT][filmed.cells[DETECTIONS] > 0], return_counts=True)
    bars, of_bar = np.unique(counted.cells[[SLOT, LABEL]], axis=1, return_inverse=True)
    sums = np.bincount(of_bar.reshape(-1), np.where(frames == 0, 0.0, rates), bars.shape[1])
    sources_at = dict(zip(starts.tolist(), sources.tolist(), strict=True))
    return {
        (start_ms, counted.labels[label] or None): rate / sources_at[start_ms]
        for start_ms, label, rate in zip(*bars.tolist(), sums.tolist(), strict=True)
        if start_ms in sources_at
    }


def means_by_label(
    counted: CountColumns[Bucket], filmed: CountColumns[CoverageBucket]
) -> dict[str | None, float]:
    """Return the mean of the sources over all bars, by label."""
    means = means_by_bar(_over_time(counted), _over_time(filmed))
    return {label: mean for (_, label), mean in means.items()}


def only(of_sources: OfSources | None, starts_ms: Iterable[int], label: str | None) -> OfSources | None:
    """Return the bars that start then, of one label or (None) of all."""
    if of_sources is None:
        return None
    counted, filmed = of_sources
    starts = np.fromiter(starts_ms, np.int64)
    if label is not None:
        of_label = np.array([name == label for name in counted.labels])[counted.cells[LABEL]]
        counted = CountColumns(counted.kind, counted.cells[:, of_label], counted.labels, counted.sources)
    return _at(counted, starts), _at(filmed, starts)


def _at(columns: CountColumns[RowT], starts: NDArray[np.int64]) -> CountColumns[RowT]:
    cells = columns.cells[:, np.isin(columns.cells[SLOT], starts)]
    return CountColumns(columns.kind, cells, columns.labels, columns.sources)


def _over_time(columns: CountColumns[RowT]) -> CountColumns[RowT]:
    cells = add_up(columns.cells, columns.cells[LABEL], 0, columns.cells[SOURCE])
    return CountColumns(columns.kind, cells, columns.labels, columns.sources)


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
