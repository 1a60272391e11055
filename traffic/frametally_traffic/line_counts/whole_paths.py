"""Whole paths of single objects, from the stored paths of the days about them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from frametally.books.runs import read_paths
from frametally.errors import Poison
from frametally.keys import utc_day
from frametally.ports.count_index import CountIndex
from frametally.ports.object_store import ObjectStore
from frametally.records import Run
from frametally.rules.path_columns import PathColumns
from frametally.rules.times import DAY_MS
from frametally_traffic.geometry.foot_paths import FollowedPath, FootPath, joined, pieces_of
from frametally_traffic.line_counts.flow_question import PlacesAsked

_KEPT = 6


class WholePaths:
    """The paths of one source as a model's runs of one interval have them; keeps what it read last."""

    def __init__(self, store: ObjectStore, index: CountIndex, asked: PlacesAsked) -> None:
        """Read nothing but which runs there are."""
        self._store = store
        self._source = asked.source
        series = (asked.model, asked.base_interval_s)
        self._runs: dict[str, Run] = {
            run.day: run for run in index.current_runs() if (run.model, run.interval_s) == series
        }
        self._days: dict[str, list[PathColumns]] = {}

    def of_tracks(self, ids: Iterable[str]) -> dict[str, FollowedPath]:
        """Return by id of the first track the whole path of each; what is no longer in the store is left out.

        Paths go on over hours and days: they are looked for from the day before to the day after.
        """
        by_day: dict[int, set[str]] = {}
        for track_id in ids:
            start_ms = int(track_id.partition("-")[0])
            by_day.setdefault(start_ms - start_ms % DAY_MS, set()).add(track_id)
        found: dict[str, FollowedPath] = {}
        for day_ms, wanted in sorted(by_day.items()):
            pieces = (piece for ms in (day_ms, day_ms + DAY_MS) for piece in self._pieces(ms, wanted))
            found.update((path.ids[0], path) for path in joined(pieces) if path.ids[0] in wanted)
        return found

    def _pieces(self, day_ms: int, wanted: set[str]) -> Iterator[FollowedPath]:
        """Yield the pieces of a day that are wanted, or that may be parts of such."""
        for paths in self._read(utc_day(day_ms)):
            for piece in pieces_of(paths):
                if piece.ids[0] in wanted or "hour" in (piece.began, piece.ended):
                    yield piece

    def _read(self, day: str) -> list[PathColumns]:
        if day not in self._days:
            run = self._runs.get(day)
            try:
                self._days[day] = [*read_paths(self._store, run, {self._source})] if run else []
            except Poison:  # replaced meanwhile, or damaged: the run's own line says so
                self._days[day] = []
            while len(self._days) > _KEPT:
                del self._days[next(iter(self._days))]
        return self._days[day]


def place_at(path: FootPath, time_ms: int) -> tuple[float, float, float]:
    """Return where a path is at a moment (before and after it: its ends), and the box's height; pixels."""
    after = bisect_right(path.time_ms, time_ms)
    here, there = max(after - 1, 0), min(after, len(path.time_ms) - 1)
    passed_ms = path.time_ms[there] - path.time_ms[here]
    part = min(max((time_ms - path.time_ms[here]) / passed_ms, 0), 1) if passed_ms else 0.0
    columns: tuple[Sequence[int], ...] = (path.x, path.y, path.height)
    x, y, height = ((one[here] + (one[there] - one[here]) * part) / 10 for one in columns)
    return x, y, height


def points_of(path: FootPath) -> list[tuple[int, float, float]]:
    """Return a path as it is answered."""
    return [(time_ms, x / 10, y / 10) for time_ms, x, y in zip(path.time_ms, path.x, path.y, strict=True)]
