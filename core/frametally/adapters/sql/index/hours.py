"""Answers from the packed hours of runs: what a year of any labels is summed up from, in milliseconds.

Where numpy is not installed, or more runs are asked for than memory is meant for, the rows of the rolled
tables are read instead: they say the same (`sql_rows`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection

from frametally.adapters.sql.index.catalogue import CurrentRun
from frametally.adapters.sql.index.kept_hours import KeptHours
from frametally.adapters.sql.index.queries import RowSelection
from frametally.ports.count_index import Bucket, CoverageBucket, WeekHour
from frametally.ports.steps import Piece
from frametally.rules.times import DAY_MS, HOUR_MS, HOUR_S, MONDAY_TO_1970_MS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WEEK_HOURS = 168
_FEW_LABELS = 8
_MOST_CELLS = 20_000_000
"""Of a grid of bars, labels and sources that is summed at once."""


def is_served(
    selection: RowSelection, steps_s: Sequence[int], kept: KeptHours, runs: Sequence[CurrentRun]
) -> bool:
    """Whether a query that may be answered by these steps, the last one the longest, reads packed hours.

    Args:
        selection: What is asked for.
        steps_s: Steps that divide the bars.
        kept: Where they are kept.
        runs: The runs that are asked for.
    """
    base_interval_s = selection.series.base_interval_s
    if HOUR_S not in steps_s or base_interval_s == HOUR_S:
        return False
    if not kept.can_hold(runs) and 0 < len(selection.labels) <= _FEW_LABELS:
        return False  # rows of few labels lie together
    try:
        import numpy as np
    except ImportError:
        return False
    return bool(np)


class PackedHours:
    """The packed hours of some runs, as far as a selection and a piece of whole hours have them."""

    def __init__(
        self,
        connection: Connection,
        kept: KeptHours,
        runs: Sequence[CurrentRun],
        selection: RowSelection,
        piece: Piece,
    ) -> None:
        """Read them.

        Args:
            connection: Of the transaction that `runs` were read in.
            kept: Where they are kept.
            runs: Those with something of `piece`.
            selection: Labels and sources.
            piece: From and to whole hours, or open ends.

        Raises:
            TookTooLong: At the time limit of whoever asks.
        """
        self._hours = [
            one if _is_within(run, piece) else one.between(piece.from_ms, piece.to_ms)
            for run, one in zip(runs, kept.read(connection, runs), strict=True)
        ]
        self._labels, self._sources = [*kept.labels], [*kept.sources]
        self._of_labels = _wanted(kept.labels, selection.labels)
        self._of_sources = _wanted(kept.sources, selection.sources)

    def buckets(self, *, interval_ms: int, offset_ms: int, by_source: bool, limit: int) -> list[Bucket]:
        """What `select_buckets` selects, at most `limit` of them, by start, label and source."""
        import numpy as np

        hour, label, source, *values = self._cells(by_source=by_source)
        if not len(hour):
            return []
        names = self._labels
        if self._of_labels is not None:  # numbered anew, so that those that are not asked for take no room
            names = [names[number] for number in self._of_labels.tolist()]
            label = np.searchsorted(self._of_labels, label)
        slot, first = _slots(hour, interval_ms, offset_ms)
        group = slot * len(names) + label
        if by_source:
            group = group * len(self._sources) + source
        sums = _sum_up(values, group)
        place = sums.group[:limit]
        of_source: NDArray[np.int64] = np.zeros_like(place)
        if by_source:
            place, of_source = np.divmod(place, len(self._sources))
        slot, of_label = np.divmod(place, len(names))
        order = np.lexsort((_ranks(self._sources)[of_source], _ranks(names)[of_label], slot))
        return _made(
            Bucket,
            ((slot[order] + first) * interval_ms - offset_ms).tolist(),
            [names[number] for number in of_label[order].tolist()],
            sums.detections[order].tolist(),
            sums.peak[order].tolist(),
            sums.objects_of(order),
            [self._sources[number] for number in of_source[order].tolist()] if by_source else repeat(None),
        )

    def coverage(
        self, *, interval_ms: int, offset_ms: int, by_source: bool, limit: int
    ) -> list[CoverageBucket]:
        """What `select_coverage` selects, at most `limit` of them, by start and source."""
        import numpy as np

        (hour, source, frames), rates = self._covered()
        if not len(hour):
            return []
        slot, first = _slots(hour, interval_ms, offset_ms)
        group = slot * len(self._sources) + source if by_source else slot
        found, group = _numbered(group)
        total, slowest_fps = _covered_by(group, len(found), frames, rates)
        slot, of_source = np.divmod(found, len(self._sources)) if by_source else (found, found)
        order = np.lexsort((_ranks(self._sources)[of_source], slot)) if by_source else np.arange(len(found))
        order = order[:limit]
        return _made(
            CoverageBucket,
            ((slot[order] + first) * interval_ms - offset_ms).tolist(),
            total[order].tolist(),
            [_known(rate) for rate in slowest_fps[order].tolist()],
            [self._sources[number] for number in of_source[order].tolist()] if by_source else repeat(None),
        )

    def week_hours(self, *, offset_ms: int) -> list[WeekHour]:
        """What `select_week_counts` selects, without frames."""
        hour, _, _, *values = self._cells(by_source=False)
        if not len(hour):
            return []
        sums = _sum_up(values, _of_week(hour, offset_ms))
        columns = (sums.group.tolist(), repeat(0), sums.detections.tolist(), sums.peak.tolist())
        return _made(WeekHour, *columns, sums.objects_of(slice(None)), repeat(None))

    def week_coverage(self, *, offset_ms: int) -> list[CoverageBucket]:
        """What `select_week_coverage` selects."""
        import numpy as np

        (hour, _, frames), rates = self._covered()
        found, group = np.unique(_of_week(hour, offset_ms), return_inverse=True)
        total, slowest_fps = _covered_by(group, len(found), frames, rates)
        rates_of = [_known(rate) for rate in slowest_fps.tolist()]
        return _made(CoverageBucket, (found * HOUR_MS).tolist(), total.tolist(), rates_of, repeat(None))

    def labels(self) -> Counter[str]:
        """Detections by label."""
        import numpy as np

        _, label, _, detections, *_ = self._cells(by_source=False)
        total = np.bincount(label, weights=detections).astype(np.int64)
        return Counter({self._labels[number]: int(total[number]) for number in np.unique(label).tolist()})

    def _cells(self, *, by_source: bool) -> NDArray[Any]:
        """The cells that are selected, shape (6, n) as `RunHours.cells`; without sources where they may."""
        import numpy as np

        apart = by_source or self._of_sources is not None
        of_runs = [run.cells if apart else run.together for run in self._hours]
        if self._of_labels is not None:
            of_runs = [part for cells in of_runs for part in _of_labels(cells, self._of_labels)]
        if not of_runs:
            return np.empty((6, 0), np.int64)
        cells = np.concatenate(of_runs, axis=1)
        return cells if self._of_sources is None else cells[:, np.isin(cells[2], self._of_sources)]

    def _covered(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The coverage that is selected, shape (3, m) as `RunHours.coverage`, and its slowest rates."""
        import numpy as np

        if not self._hours:
            return np.empty((3, 0), np.int64), np.empty(0)
        coverage = np.concatenate([run.coverage for run in self._hours], axis=1)
        rates = np.concatenate([run.slowest_fps for run in self._hours])
        if self._of_sources is None:
            return coverage, rates
        keep = np.isin(coverage[1], self._of_sources)
        return coverage[:, keep], rates[keep]


class _Sums(NamedTuple):
    """Of groups that have any cell, by number of the group."""

    group: NDArray[np.int64]
    detections: NDArray[np.int64]
    peak: NDArray[np.int64]
    objects: NDArray[np.int64]
    unknown: NDArray[np.bool_]

    def objects_of(self, order: Any) -> list[int | None]:
        """Objects; None where any cell has none."""
        objects = self.objects[order].tolist()
        if not self.unknown.any():
            return objects  # type: ignore[no-any-return]
        return [
            None if is_unknown else number
            for number, is_unknown in zip(objects, self.unknown[order].tolist(), strict=True)
        ]


def _sum_up(values: Sequence[NDArray[Any]], group: NDArray[np.int64]) -> _Sums:
    """Sums of detections, peak and objects by `group`, a number for each cell."""
    import numpy as np

    found, group = _numbered(group)
    detections, peaks, objects = values
    peak = np.zeros(len(found), np.int64)
    np.maximum.at(peak, group, peaks.astype(np.int64))
    unknown = np.zeros(len(found), bool)
    unknown[group[objects < 0]] = True
    # Sums as floats are exact up to 2**53.
    return _Sums(
        found,
        np.bincount(group, weights=detections).astype(np.int64),
        peak,
        np.bincount(group, weights=objects).astype(np.int64),
        unknown,
    )


def _covered_by(
    group: NDArray[np.int64], groups: int, frames: NDArray[np.int64], rates: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Frames and the slowest rate of each group; infinite where any is not known."""
    import numpy as np

    total = np.zeros(groups, np.int64)
    np.add.at(total, group, frames)
    unknown = np.isnan(rates)
    slowest_fps = np.full(groups, np.inf)
    np.minimum.at(slowest_fps, group, np.where(unknown, np.inf, rates))
    slowest_fps[group[unknown]] = np.inf
    return total, slowest_fps


def _known(rate: float) -> float | None:
    return None if rate == math.inf else rate


def _numbered(group: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The different numbers of groups, in order, and for each cell the place of its group among them."""
    import numpy as np

    if int(group.max()) >= _MOST_CELLS:  # many short bars of many names
        return np.unique(group, return_inverse=True)
    found = np.flatnonzero(np.bincount(group))
    places = np.empty(int(found[-1]) + 1, np.int64)
    places[found] = np.arange(len(found))
    return found, places[group]


def _of_labels(cells: NDArray[Any], labels: NDArray[np.int64]) -> list[NDArray[Any]]:
    """The parts of a run's cells that have these labels."""
    wanted = labels.astype(cells.dtype)
    firsts, ends = cells[1].searchsorted(wanted).tolist(), cells[1].searchsorted(wanted, "right").tolist()
    return [cells[:, first:end] for first, end in zip(firsts, ends, strict=True) if first < end]


def _wanted(numbers: Mapping[str, int], names: Sequence[str]) -> NDArray[np.int64] | None:
    """The numbers of some names, of those that have any; None for all."""
    import numpy as np

    if not names:
        return None
    return np.array(sorted({numbers[name] for name in names if name in numbers}), np.int64)


def _is_within(run: CurrentRun, piece: Piece) -> bool:
    """Whether all of the run's day is of the piece."""
    return (piece.from_ms is None or piece.from_ms <= run.day_ms) and (
        piece.to_ms is None or run.day_ms + DAY_MS <= piece.to_ms
    )


def _slots(hour: NDArray[Any], interval_ms: int, offset_ms: int) -> tuple[NDArray[np.int64], int]:
    """The bar of each hour, counted from the first one on, and the number of that one."""
    import numpy as np

    # Bars and offsets that hours serve are whole hours.
    slot = (hour.astype(np.int64) + offset_ms // HOUR_MS) // (interval_ms // HOUR_MS)
    first = int(slot.min())
    return slot - first, first


def _of_week(hour: NDArray[Any], offset_ms: int) -> NDArray[np.int64]:
    import numpy as np

    return (hour.astype(np.int64) + (offset_ms + MONDAY_TO_1970_MS) // HOUR_MS) % _WEEK_HOURS


def _ranks(names: Sequence[str]) -> NDArray[np.int64]:
    """By number of a name its place in the order of names."""
    import numpy as np

    ranks = np.empty(len(names), np.int64)
    ranks[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return ranks


def _made(kind: type[Any], *columns: Any) -> list[Any]:
    """Named tuples of some columns; as many as the first has."""
    return [*map(partial(tuple.__new__, kind), zip(*columns, strict=False))]
