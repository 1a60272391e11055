"""What planning asks the ledger of segments: which hours are counted of what, and which days lack some.

The ledger has the segments of a store once, for the books and for planning. A plan reads sums of digests, one
a source's hour; it reads the segments of a day where that is counted.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from tempfile import TemporaryDirectory
from typing import NamedTuple

from frametally import keys
from frametally.books.offsets import chain_breaks
from frametally.errors import Damaged, FrametallyError, Retryable
from frametally.files.sqlite import sqlite_path
from frametally.opening import open_ledger
from frametally.ports.ledger import Ledger, SegmentOfHour
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.process.reports import Progress, Skipped
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally.settings.access import ServerAccess
from frametally.settings.servers import is_server

_HOURS_A_DAY = DAY_MS // HOUR_MS
_ATTEMPTS = 8


class HourDigest(NamedTuple):
    """The digest of what an hour of a source is counted of; see `CountedHour`."""

    digest: tuple[int, int]
    is_own: bool
    has_checksums: bool = True


class LedgerReplaced(Exception):
    """Another ledger is in the place of one that failed: plan again."""


class DaySegments:
    """The segments that one model's UTC day is counted from, read where they are needed.

    `hours` has the digests by source and whole hour since 1970.
    """

    def __init__(
        self,
        hours: Mapping[tuple[str, int], HourDigest],
        book: SegmentBook | None = None,
        model: str = "",
        number: int = 0,
        *,
        with_margin: bool = True,
    ) -> None:
        """Read nothing; `number` is the day since 1970."""
        self.hours = hours
        self._book, self._model, self._number = book, model, number
        self._with_margin = with_margin

    @cached_property
    def rows(self) -> Sequence[SegmentOfHour]:
        """The segments of each hour, by source, hour and key.

        Where others have changed the ledger meanwhile, `hours` is changed to what the rows say.

        Raises:
            Retryable: The ledger is unavailable.
            LedgerReplaced: It was damaged.
        """
        if self._book is None or not self.hours:
            return ()
        sources = self.sources()
        for _ in range(_ATTEMPTS):
            rows = [
                row
                for row in self._book.segments_of_day(self._model, sources, self._number)
                if row.is_own or self._with_margin
            ]
            if _digests_of(rows) == {hour: of_hour.digest for hour, of_hour in self.hours.items()}:
                return rows
            self._book.check()  # it is whole: others have changed it meanwhile
            days = self._book.days(with_margin=self._with_margin)
            of_day = days.get((self._model, self._number), DaySegments({})).hours
            self.hours = {hour: digest for hour, digest in of_day.items() if hour[0] in sources}
        raise Retryable("other processes keep changing the ledger; run `frametally aggregate` again")

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
        day = DaySegments(hours, self._book, self._model, self._number, with_margin=self._with_margin)
        if "rows" in self.__dict__:  # in a task there is no ledger to read them from
            day.__dict__["rows"] = [row for row in self.rows if row.source in sources]
        return day

    def identity(self) -> str:
        """Return 64 hex digits of all that the day is counted from."""
        lines = (f"{source} {hour} {digest}" for (source, hour), (digest, *_) in sorted(self.hours.items()))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def __getstate__(self) -> dict[str, object]:
        """Travel to a task with the rows, and without the ledger."""
        return self.__dict__ | {"_book": None, "rows": list(self.rows), "hours": dict(self.hours)}


def _digests_of(rows: Iterable[SegmentOfHour]) -> dict[tuple[str, int], tuple[int, int]]:
    sums: dict[tuple[str, int], tuple[int, int]] = {}
    for source, hour, *_, (first, second) in rows:
        of_hour = sums.get((source, hour), (0, 0))
        sums[source, hour] = of_hour[0] + first, of_hour[1] + second
    return sums


class MissingSegments(NamedTuple):
    """Segments that cannot be read, and models and days that lack some; None as day: any of them."""

    unreadable: list[Skipped]
    lacking: set[tuple[str, int | None]]


class SegmentBook:
    """The segments of one store, as its ledger has them, without those that turn out to be damaged.

    The ledger is a cache: in place of an embedded one that is damaged there is a new one, and where it is
    locked or cannot be written, one for this book alone.

    Attributes:
        unusable: The keys of damaged segments; a plan is made without them.
        warnings: What has happened to the ledger, one line each.
    """

    def __init__(self, url: str, access: ServerAccess | None = None) -> None:
        """Open the ledger that `url` names. Raises as `open_ledger` for one of a server."""
        self.unusable: set[str] = set()
        self.warnings: list[str] = []
        self._url, self._access = url, access
        self._is_refilled = self._all_next = False
        self._temporary: TemporaryDirectory[str] | None = None
        try:
            self._ledger = open_ledger(url, access)
        except FrametallyError as error:
            if is_server(url):
                raise
            self._open_another(error)

    def close(self) -> None:
        """Release the ledger."""
        self._ledger.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def list_all(self) -> None:
        """Have the next refresh list all segments, because some differ from the book."""
        self._all_next = True

    def refresh(self, store: ObjectStore, progress: Progress) -> MissingSegments:
        """Read the headers of new segments. Raises `Retryable`: the store or the ledger is unavailable.

        Of many segments only new ones are listed, and once a day all. This and what follows may raise
        `LedgerReplaced`.
        """
        with self._ledger_in_use() as ledger:
            ledger.refresh_headers(store, progress, list_all=self._all_next)
            self._all_next = False
            failpoints.passing("aggregate.noted")
            unreadable = [
                Skipped(key, problem)
                for key, problem in ledger.unreadable_segments()
                if key not in self.unusable
            ]
            days_of: defaultdict[str, set[tuple[str, int | None]]] = defaultdict(set)
            for key, model, hour in ledger.hours_of_segments(self.unusable):
                days_of[key].add((model, hour // _HOURS_A_DAY))
        lacking: set[tuple[str, int | None]] = set()
        for key in [*self.unusable, *(item.name for item in unreadable)]:
            segment = keys.parse_segment_key(key)
            lacking |= days_of[key] or ({(segment.model, None)} if segment else set())
        return MissingSegments(unreadable, lacking)

    def days(self, *, with_margin: bool) -> dict[tuple[str, int], DaySegments]:
        """Return the footage of each day with frames, by model and whole day since 1970.

        Without the margin, segments with frames near a day only are left out.
        """
        hours: defaultdict[tuple[str, int], dict[tuple[str, int], HourDigest]] = defaultdict(dict)
        with self._ledger_in_use() as ledger:
            for row in ledger.counted_hours(with_margin=with_margin, without=self.unusable):
                of_day = hours[row.model, row.hour // _HOURS_A_DAY]
                of_day[row.source, row.hour] = HourDigest(row.digest, row.is_own, row.has_checksums)
        return {
            (model, number): DaySegments(of_day, self, model, number, with_margin=with_margin)
            for (model, number), of_day in hours.items()
            if any(hour.is_own for hour in of_day.values())
        }

    def segments_of_day(self, model: str, sources: Collection[str], number: int) -> list[SegmentOfHour]:
        """Return the segments of the hours of a whole day since 1970, by source, hour and key."""
        first = number * _HOURS_A_DAY
        with self._ledger_in_use() as ledger:
            rows = ledger.segments_of_hours(model, sources, from_hour=first, to_hour=first + _HOURS_A_DAY)
        return [row for row in rows if row.key not in self.unusable]

    def check(self) -> None:
        """Raise `LedgerReplaced` if an hour in the ledger is not as it was written."""
        with self._ledger_in_use() as ledger:
            ledger.check_segments()

    def with_dead_letters(self) -> list[str]:
        """Return the keys of segments that hold dead letters, sorted."""
        with self._ledger_in_use() as ledger:
            return sorted(set(ledger.segments_with_dead_letters()) - self.unusable)

    def chain_breaks(self, models: Iterable[str]) -> dict[str, list[str]]:
        """Return, by model, the gaps and overlaps between its segments, one line each."""
        with self._ledger_in_use() as ledger:
            return {model: chain_breaks(ledger.chain(model, self.unusable)) for model in models}

    @contextmanager
    def _ledger_in_use(self) -> Iterator[Ledger]:
        try:
            yield self._ledger
        except (Damaged, Retryable) as error:
            is_embedded = not is_server(self._url)
            is_locked = isinstance(error, Retryable) and is_embedded and error.part == "ledger"
            can_refill = isinstance(error, Damaged) and (is_embedded or not self._is_refilled)
            if self._temporary or not (is_locked or can_refill):
                raise
            if is_embedded:
                self._ledger.close()
                self._open_another(error)
            elif isinstance(error, Damaged):
                self._refill(error)
                self._ledger.clear()
            raise LedgerReplaced from error

    def _open_another(self, error: FrametallyError) -> None:
        """Open a new embedded ledger: in place of a damaged one, or else for this book alone."""
        path = sqlite_path(self._url, "FRAMETALLY_LEDGER_URL")
        if isinstance(error, Damaged) and not self._is_refilled:
            self._refill(error)
            try:
                for suffix in ("", "-wal", "-shm"):
                    path.with_name(path.name + suffix).unlink(missing_ok=True)
                self._ledger = open_ledger(self._url)
                return
            except (OSError, FrametallyError) as failure:
                self.warnings.append(f"ledger {path} cannot be replaced: {failure}")
        else:
            self.warnings.append(f"{error}; until then, each count reads the headers of all segments")
        self._temporary = TemporaryDirectory(prefix="frametally-ledger-")
        self._ledger = open_ledger(f"sqlite:///{self._temporary.name}/ledger.sqlite")

    def _refill(self, error: Damaged) -> None:
        self._is_refilled = True
        self.warnings.append(
            f"{error.finding}; frametally has filled it again from the headers of all segments"
        )
