"""What planning asks the ledger of segments: which hours are counted of what, and which days lack some.

The ledger has the segments of a store once, for the books and for planning. A plan reads sums of digests, one
a source's hour; it reads the segments of a day where that is counted.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from frametally import keys
from frametally.books.offsets import chain_breaks
from frametally.ports.ledger import Ledger, SegmentOfHour
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.process.reports import Progress, Skipped
from frametally.rules.times import DAY_MS, HOUR_MS

_HOURS_A_DAY = DAY_MS // HOUR_MS


class HourDigest(NamedTuple):
    """The digest of what an hour of a source is counted of; see `CountedHour`."""

    digest: str
    is_own: bool
    has_checksums: bool = True


class DaySegments:
    """The segments that one model's UTC day is counted from, read where they are needed.

    `hours` has the digests by source and whole hour since 1970.
    """

    def __init__(
        self,
        hours: Mapping[tuple[str, int], HourDigest],
        ledger: Ledger | None = None,
        model: str = "",
        number: int = 0,
        without: Collection[str] = (),
        with_margin: bool = True,
    ) -> None:
        """Read nothing; `number` is the day since 1970, `without` has keys that are left out."""
        self.hours = hours
        self._ledger, self._model, self._number = ledger, model, number
        self._without, self._with_margin = without, with_margin

    @cached_property
    def rows(self) -> Sequence[SegmentOfHour]:
        """The segments of each hour, by source, hour and key. Raises `Retryable`: the ledger is away."""
        if self._ledger is None or not self.hours:
            return ()
        first = self._number * _HOURS_A_DAY
        rows = self._ledger.segments_of_hours(
            self._model, self.sources(), from_hour=first, to_hour=first + _HOURS_A_DAY
        )
        return [row for row in rows if row.key not in self._without and (row.is_own or self._with_margin)]

    def sources(self) -> set[str]:
        """Return the sources with frames of the day, or near it."""
        return {source for source, _ in self.hours}

    def own_sources(self) -> set[str]:
        """Return those with frames of the day itself."""
        return {source for (source, _), hour in self.hours.items() if hour.is_own}

    def keys(self) -> list[str]:
        """Return the keys of its segments, sorted."""
        return sorted({row.key for row in self.rows})

    def own_keys(self) -> tuple[str, ...]:
        """Return the keys of those with frames of the day itself, sorted."""
        return tuple(sorted({row.key for row in self.rows if row.is_own}))

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each segment by key."""
        return {row.key: row.size_bytes for row in self.rows}

    def with_sources(self, sources: Collection[str]) -> DaySegments:
        """Return the footage of these sources alone."""
        hours = {hour: digest for hour, digest in self.hours.items() if hour[0] in sources}
        return DaySegments(hours, self._ledger, self._model, self._number, self._without, self._with_margin)

    def identity(self) -> str:
        """Return 64 hex digits of all that the day is counted from."""
        lines = (f"{source} {hour} {digest}" for (source, hour), (digest, *_) in sorted(self.hours.items()))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def __getstate__(self) -> dict[str, object]:
        """Travel to a task with the rows, and without the ledger."""
        return self.__dict__ | {"_ledger": None, "rows": list(self.rows), "hours": dict(self.hours)}


class MissingSegments(NamedTuple):
    """Segments that cannot be read, and models and days that lack some; None as day: any of them."""

    unreadable: list[Skipped]
    lacking: set[tuple[str, int | None]]


class SegmentBook:
    """The segments of one store, as its ledger has them, without those that turn out to be damaged.

    `unusable` has the keys of these; a plan is made without them.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.unusable: set[str] = set()
        self._ledger = ledger
        self._all_next = False

    def list_all(self) -> None:
        """Have the next refresh list all segments, because some differ from the book."""
        self._all_next = True

    def refresh(self, store: ObjectStore, progress: Progress) -> MissingSegments:
        """Read the headers of new segments. Raises `Retryable`: store or ledger are away.

        Of many segments only new ones are listed, and once a day all.
        """
        self._ledger.refresh_headers(store, progress, list_all=self._all_next)
        self._all_next = False
        failpoints.passing("aggregate.noted")
        unreadable = [
            Skipped(key, problem)
            for key, problem in self._ledger.unreadable_segments()
            if key not in self.unusable
        ]
        lacking: set[tuple[str, int | None]] = set()
        days_of: defaultdict[str, set[tuple[str, int | None]]] = defaultdict(set)
        for key, model, hour in self._ledger.hours_of_segments(self.unusable):
            days_of[key].add((model, hour // _HOURS_A_DAY))
        for key in [*self.unusable, *(item.name for item in unreadable)]:
            segment = keys.parse_segment_key(key)
            lacking |= days_of[key] or ({(segment.model, None)} if segment else set())
        return MissingSegments(unreadable, lacking)

    def days(self, *, with_margin: bool) -> dict[tuple[str, int], DaySegments]:
        """Return the footage of each day with frames, by model and whole day since 1970.

        Without the margin, segments with frames near a day only are left out.
        """
        unusable = frozenset(self.unusable)
        hours: defaultdict[tuple[str, int], dict[tuple[str, int], HourDigest]] = defaultdict(dict)
        for row in self._ledger.counted_hours(with_margin=with_margin, without=unusable):
            of_day = hours[row.model, row.hour // _HOURS_A_DAY]
            of_day[row.source, row.hour] = HourDigest(row.digest, row.is_own, row.has_checksums)
        return {
            (model, number): DaySegments(of_day, self._ledger, model, number, unusable, with_margin)
            for (model, number), of_day in hours.items()
            if any(hour.is_own for hour in of_day.values())
        }

    def with_dead_letters(self) -> list[str]:
        """Return the keys of segments that hold dead letters, sorted."""
        return sorted(set(self._ledger.segments_with_dead_letters()) - self.unusable)

    def chain_breaks(self, models: Iterable[str]) -> dict[str, list[str]]:
        """Return, by model, the gaps and overlaps between its segments, one line each."""
        return {model: chain_breaks(self._ledger.chain(model, self.unusable)) for model in models}
