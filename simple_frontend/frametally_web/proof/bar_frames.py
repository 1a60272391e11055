"""A bar's frames by event time, read from the segments by the rules of counting, in both directions."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

from frametally.books.counted_days import SettingsByDay
from frametally.books.evidence import LeftOut, ProvedFrame, frames_of_bar
from frametally.errors import Retryable
from frametally.media.overlapping import NotCounted
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process.time_limit import seconds_left
from frametally.settings.loading import Settings
from frametally_web.access.seen_index import DashboardPorts
from frametally_web.charts.catalogue import box_filters
from frametally_web.proof.sums import Bar, intervals, sources_in

EntryT = TypeVar("EntryT")
Place = tuple[Any, ...]
"""The sort key of entries."""


class Part(NamedTuple, Generic[EntryT]):
    """Entries with their places, and the place at which it stopped, or None if there are no more."""

    entries: list[tuple[Place, EntryT]]
    stopped_at: Place | None


def take(entries: Iterable[tuple[Place, EntryT | None]], limit: int) -> Part[EntryT]:
    """Return the first `limit` entries, up to an entry of None, at which one request has read enough."""
    entries_taken: list[tuple[Place, EntryT]] = []
    for place, entry in entries:
        if entry is None:
            return Part(entries_taken, place)
        if len(entries_taken) == limit:
            return Part(entries_taken, entries_taken[-1][0])
        entries_taken.append((place, entry))
    return Part(entries_taken, None)


_MOST_BYTES = 32 * 1024 * 1024


class RecentRanges:
    """Reads ranges through a small cache that drops the least recently used first."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._kept: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()
        self._bytes = 0

    def get_range(self, key: str, first_byte: int, next_byte: int) -> bytes:
        """Read as `ObjectStore.get_range` does."""
        place = (key, first_byte, next_byte)
        data = self._kept.pop(place, None)
        if data is None:
            data = self._store.get_range(key, first_byte, next_byte)
            self._bytes += len(data)
        self._kept[place] = data
        while self._bytes > _MOST_BYTES and len(self._kept) > 1:
            self._bytes -= len(self._kept.popitem(last=False)[1])
        return data


MAX_STRETCHES = 60
"""Most stretches that one page reads; if they show less than the index says, the next page continues."""

_STRETCH_MS = 600_000
"""Event time that is read at once when going backwards."""


class BarFrames:
    """The frames of a bar: those with counted boxes or, with `empty`, all that were analysed.

    The index knows which intervals have frames, and the ledger where the store has their lines. Reading may
    raise `Retryable` if a port is unavailable, or the ledger lists a segment that has gone.
    """

    def __init__(self, ports: DashboardPorts, settings: Settings, bar: Bar, *, empty: bool) -> None:
        self._ports = ports
        self._settings = settings
        self._bar = bar
        self._empty = empty
        self._store = RecentRanges(ports.store)
        self._by_day = SettingsByDay(ports.index, bar.model, bar.base_interval_s)
        self._gone = NotCounted(ports.ledger)
        self._left_out = LeftOut(ports.store, ports.index, bar.model, bar.base_interval_s)
        self._parts = box_filters(ports.index, bar.model, bar.base_interval_s)

    def behind(self, after: Place | None) -> Iterator[tuple[Place, ProvedFrame | None]]:
        """Yield the frames after a place (all if None) by time, then path; None means enough for one page."""
        start_ms = after[0] - after[0] % (self._bar.base_interval_s * 1000) if after else self._bar.from_ms
        for number, (from_ms, to_ms) in enumerate(self._intervals(start_ms, self._bar.to_ms)):
            if self._is_enough(number):
                yield (from_ms, ""), None  # before any path
                return
            yield from self.read(from_ms, to_ms, after=after)

    def before(self, end: Place) -> Iterator[tuple[Place, ProvedFrame | None]]:
        """Yield the frames before a place, the last one first, with None as in `behind`."""
        end_ms = min(end[0] + 1 if end[1] else end[0], self._bar.to_ms)
        number = 0
        for from_ms, to_ms in self._intervals(self._bar.from_ms, end_ms, backward=True):
            sources = self._sources(from_ms, to_ms)
            for start_ms in reversed(range(from_ms, to_ms, _STRETCH_MS)):
                until_ms = min(start_ms + _STRETCH_MS, to_ms)
                if self._is_enough(number):
                    yield (until_ms, ""), None
                    return
                places = self._merged(start_ms, until_ms, sources, None)
                yield from reversed([(place, entry) for place, entry in places if place < end])
                number += 1

    def read(
        self, from_ms: int, to_ms: int, *, after: Place | None = None
    ) -> Iterator[tuple[Place, ProvedFrame]]:
        """Yield the frames after `after` in a range that begins with a base interval of the bar."""
        return self._merged(from_ms, to_ms, self._sources(from_ms, to_ms), after)

    def _intervals(self, from_ms: int, to_ms: int, *, backward: bool = False) -> Iterator[tuple[int, int]]:
        return intervals(
            self._ports.index,
            self._bar,
            max(from_ms, self._bar.from_ms),
            to_ms,
            empty=self._empty,
            backward=backward,
        )

    def _sources(self, from_ms: int, to_ms: int) -> list[str]:
        return sources_in(self._ports.index, self._bar, from_ms, to_ms, empty=self._empty)

    def _merged(
        self, from_ms: int, to_ms: int, sources: list[str], after: Place | None
    ) -> Iterator[tuple[Place, ProvedFrame]]:
        settings = self._settings
        of_sources = [
            frames_of_bar(
                self._store,
                self._ports.ledger,
                model=self._bar.model,
                source=source,
                labels=self._bar.labels,
                from_ms=from_ms,
                to_ms=to_ms,
                limits=self._by_day.counted_boxes_at(from_ms, settings.counted_boxes()),
                not_counted=self._gone.by(self._by_day.overlaps_at(from_ms, settings.count_overlaps)),
                after=(after[0], after[1]) if after else None,
                empty=self._empty,
                part=None if self._parts is None else self._parts(source, from_ms),
                left_out=self._left_out,
            )
            for source in sources
        ]
        try:
            yield from ((_place(frame), frame) for frame in heapq.merge(*of_sources, key=_place))
        except ObjectMissing as error:
            raise Retryable(f"{error}; the ledger is being updated from the store") from error

    def _is_enough(self, number: int) -> bool:
        """Return whether a page ends here, because half of the request's time has passed."""
        if number == MAX_STRETCHES:
            return True
        left_s = seconds_left()
        return number > 0 and left_s is not None and left_s < self._settings.web_query_timeout_s / 2


def _place(proved: ProvedFrame) -> tuple[int, str]:
    return proved.frame.captured_at_ms, proved.frame.image_path
