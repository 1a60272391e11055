"""The hours of a day: the segments that the ledger has for each, and which hours to count again.

The ledger stores the segments of a store once, for the books and for planning. A plan reads sums of digests,
one for each hour of a source; it reads the segments of a day only to count it.

The unit is one source's UTC hour, as tracks are followed by it, or the longer time that whole intervals need
(`rules.hour_file`). Its identity, which is in its file's name, covers all that its lines depend on: the
settings, the ledger's digest of the segments with frames of it or of its margin, and which frames do not
count. A run lists its files; the next run of the day keeps those with the same identity, and counts only the
other hours from segments. The zones of a source have their own files (`within_zones`), whose identity
includes the zones that hold in the hour: a changed drawing leaves the files of whole pictures unchanged.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from frametally import keys
from frametally.adapters_by_url import open_ledger
from frametally.books.offsets import chain_breaks
from frametally.books.runs import DayKey, read_hours
from frametally.errors import Damaged, FrametallyError, Retryable
from frametally.files.sqlite import sqlite_path
from frametally.files.temporary import TemporaryFolder
from frametally.history_records import HourFile
from frametally.media.manifests import touches
from frametally.ports.ledger import Ledger, SegmentOfHour
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.process.reports import Progress, Skipped
from frametally.records import Run
from frametally.rules.overlaps import Overlap
from frametally.rules.places import Zones, source_of, within_zones, zones_between
from frametally.rules.seals import name_of
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally.settings.access import ServerAccess
from frametally.settings.servers import is_server
from frametally.undo_records import Tombstone
from frametally_hadoop.job.params import CountParams

_HOURS_A_DAY = DAY_MS // HOUR_MS
_ATTEMPTS = 8


class HourDigest(NamedTuple):
    """The digest of the inputs of an hour of a source; see `CountedHour`."""

    digest: tuple[int, int]
    is_own: bool


class LedgerReplaced(Exception):
    """A new ledger has replaced one that failed: plan again."""


class DaySegments:
    """The segments that one model's UTC day is counted from, read when they are needed.

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
        """Defer reading; `number` is the day since 1970."""
        self.hours = hours
        self._book, self._model, self._number = book, model, number
        self._with_margin = with_margin

    @cached_property
    def rows(self) -> Sequence[SegmentOfHour]:
        """The segments of each hour, by source, hour and key.

        If other processes have changed the ledger in the meantime, `hours` is updated to match the rows.

        Raises:
            Retryable: The ledger is unavailable.
            LedgerReplaced: It was damaged.
        """
        if self._book is None:
            return ()
        sources = self.sources()
        before: object = None
        for _ in range(_ATTEMPTS):
            rows = [
                row
                for row in self._book.segments_of_day(self._model, sources, self._number)
                if row.is_own or self._with_margin
            ]
            of_rows = _digests_of(rows)
            of_hours = {hour: of_hour.digest for hour, of_hour in self.hours.items()}
            if of_rows == of_hours:
                return rows
            self._book.check()  # it is whole, so other processes have changed it
            if (of_rows, of_hours) == before:  # or nobody has, and it has damage that the check does not see
                self._book.replace("an hour has other segments than were added up")
            before = of_rows, of_hours
            days = self._book.days(with_margin=self._with_margin)
            of_day = days.get((self._model, self._number), DaySegments({})).hours
            self.hours = {hour: digest for hour, digest in of_day.items() if hour[0] in sources}
        raise Retryable("other processes keep changing the ledger; run `frametally aggregate` again")

    def sources(self) -> set[str]:
        """Return the sources with frames in or near the day."""
        return {source for source, _ in self.hours}

    def own_sources(self) -> set[str]:
        """Return the sources with frames in the day itself."""
        return {source for (source, _), hour in self.hours.items() if hour.is_own}

    def keys(self) -> list[str]:
        """Return the keys of its segments, sorted."""
        return sorted({row.key for row in self.rows})

    def own_keys(self) -> tuple[str, ...]:
        """Return the sorted keys of the segments with frames in the day itself."""
        return tuple(sorted({row.key for row in self.rows if row.is_own}))

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each segment by key."""
        return {row.key: row.size_bytes for row in self.rows}

    def with_sources(self, sources: Collection[str]) -> DaySegments:
        """Return the footage of only these sources."""
        rows = [row for row in self.rows if row.source in sources]
        hours = {hour: digest for hour, digest in self.hours.items() if hour[0] in sources}
        day = DaySegments(hours)
        day.__dict__["rows"] = rows
        return day

    def identity(self) -> str:
        """Return 64 hex digits of everything that the day is counted from."""
        lines = (f"{source} {hour} {digest}" for (source, hour), (digest, *_) in sorted(self.hours.items()))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def __getstate__(self) -> dict[str, object]:
        """Include the rows when sent to a task, and leave out the ledger."""
        return self.__dict__ | {"_book": None, "rows": list(self.rows), "hours": dict(self.hours)}


def _digests_of(rows: Iterable[SegmentOfHour]) -> dict[tuple[str, int], tuple[int, int]]:
    sums: dict[tuple[str, int], tuple[int, int]] = {}
    for source, hour, *_, (first, second) in rows:
        of_hour = sums.get((source, hour), (0, 0))
        sums[source, hour] = of_hour[0] + first, of_hour[1] + second
    return sums


class MissingSegments(NamedTuple):
    """Unreadable segments, and the models and days that lack some; a day of None means any day."""

    unreadable: list[Skipped]
    lacking: set[tuple[str, int | None]]


class SegmentBook:
    """The segments of one store, as in its ledger, without those found to be damaged.

    The ledger is a cache: a new one replaces a damaged embedded ledger, and a ledger that is locked or cannot
    be written is replaced by a private one for this book.

    Attributes:
        unusable: The keys of damaged segments; plans leave them out.
        warnings: Events of the ledger, one line each.
    """

    def __init__(self, url: str, access: ServerAccess | None = None) -> None:
        """Open the ledger at `url`. Raises as `open_ledger` does for a server's ledger."""
        self.unusable: set[str] = set()
        self.warnings: list[str] = []
        self._url, self._access = url, access
        self._is_refilled = self._all_next = False
        self._temporary: TemporaryFolder | None = None
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
        """Make the next refresh list all segments, because some differ from the book."""
        self._all_next = True

    def refresh(self, store: ObjectStore, progress: Progress) -> MissingSegments:
        """Read the headers of new segments. Raises `Retryable` if the store or the ledger is unavailable.

        With many segments it lists only new ones, and all of them once a day. This and later calls may raise
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

        Without the margin, omits segments whose frames are only near a day.
        """
        hours: defaultdict[tuple[str, int], dict[tuple[str, int], HourDigest]] = defaultdict(dict)
        with self._ledger_in_use() as ledger:
            for row in ledger.counted_hours(with_margin=with_margin, without=self.unusable):
                of_day = hours[row.model, row.hour // _HOURS_A_DAY]
                of_day[row.source, row.hour] = HourDigest(row.digest, row.is_own)
        return {
            (model, number): DaySegments(of_day, self, model, number, with_margin=with_margin)
            for (model, number), of_day in hours.items()
            if any(hour.is_own for hour in of_day.values())
        }

    def segments_of_day(self, model: str, sources: Collection[str], number: int) -> list[SegmentOfHour]:
        """Return the segments of a day's hours, by source, hour and key; `number` is the day since 1970."""
        first = number * _HOURS_A_DAY
        with self._ledger_in_use() as ledger:
            rows = ledger.segments_of_hours(model, sources, from_hour=first, to_hour=first + _HOURS_A_DAY)
        return [row for row in rows if row.key not in self.unusable]

    def check(self) -> None:
        """Raise `LedgerReplaced` if an hour in the ledger is not as it was written."""
        with self._ledger_in_use() as ledger:
            ledger.check_segments()

    def replace(self, damage: str) -> None:
        """Raise `LedgerReplaced` after replacing the ledger, which has this damage."""
        with self._ledger_in_use():
            raise Damaged(f"the ledger is damaged ({damage})", "run `frametally ledger rebuild`")

    def with_dead_letters(self) -> list[str]:
        """Return the sorted keys of segments that contain dead letters."""
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
            if is_server(self._url):
                if self._is_refilled or not isinstance(error, Damaged):
                    raise
                self._refill(error)
                self._ledger.clear()
            else:
                if self._temporary or (isinstance(error, Retryable) and error.part != "ledger"):
                    raise
                self._ledger.close()
                self._open_another(error)
            raise LedgerReplaced from error

    def _open_another(self, error: FrametallyError) -> None:
        """Open a new embedded ledger, to replace a damaged one or only for this book."""
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
        self._temporary = TemporaryFolder()
        self._ledger = open_ledger(f"sqlite:///{self._temporary.name}/ledger.sqlite")

    def _refill(self, error: Damaged) -> None:
        self._is_refilled = True
        self.warnings.append(
            f"{error.detail}; frametally has filled it again from the headers of all segments"
        )


SourceHour = tuple[str, int]
"""A source, or `within_zones` of one, and the start in ms of a UTC hour or of the longer time of a file."""


class HourInputs(NamedTuple):
    """The inputs of the hours of one day; `zones` are those that hold on the day, by source."""

    key: DayKey
    params: CountParams
    segments: DaySegments
    tombstones: Sequence[Tombstone]
    overlaps: Sequence[Overlap]
    zones: Mapping[str, Zones]

    def __hash__(self) -> int:
        return hash(self.key)

    @lru_cache(maxsize=1)  # noqa: B019 - a round plans, counts and publishes one day, as a rule
    def segments_by_hour(self) -> Mapping[SourceHour, Sequence[str]]:
        """Return the sorted keys of the segments that may have frames of each hour."""
        segments: defaultdict[SourceHour, list[str]] = defaultdict(list)
        for (source, hour), rows in groupby(self.segments.rows, key=itemgetter(0, 1)):
            segments[self._hour_of(source, hour)] += [row.key for row in rows]
        by_hour = {hour: sorted({*of_hour}) for hour, of_hour in segments.items()}
        return by_hour | {
            (within_zones(source), start_ms): of_hour
            for (source, start_ms), of_hour in by_hour.items()
            if self.zones_of(source, start_ms)
        }

    def _hour_of(self, source: str, hour: int) -> SourceHour:
        start_ms = hour * HOUR_MS
        return source, start_ms - start_ms % self.params.unit_ms

    def zones_of(self, source: str, start_ms: int) -> Zones:
        """Return the zones of a source that hold in an hour or in its margin."""
        from_ms, to_ms = self._span(start_ms)
        return zones_between(self.zones.get(source, ()), from_ms, to_ms)

    def _span(self, start_ms: int) -> tuple[int, int]:
        margin_ms = self.params.margin_ms
        return start_ms - margin_ms, start_ms + self.params.unit_ms + margin_ms

    def identities(self, but_of: Collection[str] = ()) -> dict[SourceHour, str]:
        """Return 16 hex digits of the inputs of each hour.

        Omits hours with segments in `but_of`, some of whose lines were set aside.
        """
        digests: defaultdict[SourceHour, list[str]] = defaultdict(list)
        for (source, hour), of_hour in sorted(self.segments.hours.items()):
            digests[self._hour_of(source, hour)].append(f"{hour} {of_hour.digest}")
        segments = self.segments_by_hour() if but_of else {}
        identities = {}
        for (source, start_ms), of_unit in digests.items():
            hour_key = source, start_ms
            if but_of and not set(but_of).isdisjoint(segments.get(hour_key, ())):
                continue
            identities[hour_key] = self._identity(source, start_ms, of_unit, ())
            if zones := self.zones_of(source, start_ms):
                identities[within_zones(source), start_ms] = self._identity(source, start_ms, of_unit, zones)
        return identities

    def _identity(self, source: str, start_ms: int, digests: Iterable[str], zones: Zones) -> str:
        from_ms, to_ms = self._span(start_ms)

        def within(range_from_ms: int | None, range_to_ms: int | None) -> str:
            """Clip a range to the hour, so that changes elsewhere do not affect the hour."""
            begins = from_ms if range_from_ms is None else max(range_from_ms, from_ms)
            return f"{begins} {to_ms if range_to_ms is None else min(range_to_ms, to_ms)}"

        exceptions = {
            f"without {stone.media} {within(stone.from_ms, stone.to_ms)}"
            for stone in self.tombstones
            if touches(stone, source=source, from_ms=from_ms, to_ms=to_ms)
        } | {
            f"overlapped {overlap.loser} {within(overlap.from_ms, overlap.to_ms)}"
            for overlap in self.overlaps
            if overlap.source == source and overlap.from_ms < to_ms and overlap.to_ms > from_ms
        }
        lines = [
            f"{self.key.model} {self.params.digest()} {self.key.interval_s} {source} {start_ms}",
            json.dumps(zones),
            *digests,
            *sorted(exceptions),
        ]
        return name_of("\n".join(lines))


def kept_hours(
    store: ObjectStore, inputs: HourInputs, current: Run | None
) -> tuple[dict[SourceHour, HourFile], list[str]]:
    """Return the files of hours that the day's current run counted from the same inputs, and missing keys.

    Raises `Poison` if their list is missing or damaged; the message names it.
    """
    files: dict[SourceHour, HourFile] = {}
    missing: list[str] = []
    if current is None or (listed := read_hours(store, current)) is None:
        return files, missing
    stored = {info.key for info in store.list(keys.hours_folder(current.model, current.day))}
    for (source, start_ms), identity in inputs.identities().items():
        hour = start_ms % DAY_MS // HOUR_MS
        file = listed.hours.get(source, {}).get(hour)
        if file is None or file.identity != identity:
            continue
        if file.crc32 is None or (file_key := listed.file_key(source, hour)) in stored:
            files[source, start_ms] = file
        else:
            missing.append(file_key)
    return files, missing


class HoursToRead(NamedTuple):
    """The parts of one segment to read, from its entry in a manifest.

    Attributes:
        days: Days to count over whole pictures, as whole days since 1970.
        hours: By source, the hours to count over whole pictures, as whole hours since 1970. None means all
            hours of the days.
        zones: By source and hour, the zones to count within.
    """

    days: list[int]
    hours: dict[str, list[int]] | None
    zones: dict[str, dict[int, Zones]]


def hours_to_read(
    days: Iterable[tuple[HourInputs, Collection[SourceHour]]],
) -> dict[str, HoursToRead]:
    """Return the parts to read by segment key, for days with kept hours; sorted.

    A segment whose hours are all kept is not read.
    """
    hours_of: dict[str, _Hours] = {}
    alike: dict[_Hours, _Hours] = {}
    nothing = _Hours()
    for inputs, unchanged in days:
        of_day: dict[str, tuple[tuple[SourceHour, Zones], ...]] = {}
        cut: set[str] = set()
        for (name, start_ms), segments in inputs.segments_by_hour().items():
            source = source_of(name)
            zones = () if name == source else inputs.zones_of(source, start_ms)
            if (name, start_ms) in unchanged:
                cut.update(() if zones else segments)
                continue
            hour = (source, start_ms), zones
            for key in segments:
                of_day[key] = (*of_day.get(key, ()), hour)
        hours_by_parts: dict[tuple[_Hours, tuple[tuple[SourceHour, Zones], ...], bool], _Hours] = {}
        for key in dict.fromkeys((*of_day, *cut)):
            parts = hours_of.get(key, nothing), of_day.get(key, ()), key in cut
            if (hours := hours_by_parts.get(parts)) is None:  # few of a million segments differ
                hours = parts[0].with_day(*parts[1:])
                hours = hours_by_parts[parts] = alike.setdefault(hours, hours)
            hours_of[key] = hours
    read_of = {id(hours): hours.to_read() for hours in alike if hours.counted}
    return {key: read_of[id(hours_of[key])] for key in sorted(hours_of) if hours_of[key].counted}


class _Hours(NamedTuple):
    """The hours of a segment to count, each with its zones to count within, or whole.

    `is_cut` is True if some hours of whole pictures are kept.
    """

    counted: frozenset[tuple[SourceHour, Zones]] = frozenset()
    is_cut: bool = False

    def with_day(self, hours: Collection[tuple[SourceHour, Zones]], is_cut: bool) -> _Hours:
        return _Hours(self.counted.union(hours), self.is_cut or is_cut)

    def to_read(self) -> HoursToRead:
        whole: defaultdict[str, list[int]] = defaultdict(list)
        within: defaultdict[str, dict[int, Zones]] = defaultdict(dict)
        for source, start_ms in sorted(hour for hour, zones in self.counted if not zones):
            whole[source].append(start_ms // HOUR_MS)
        for (source, start_ms), zones in sorted(
            (item for item in self.counted if item[1]), key=itemgetter(0)
        ):
            within[source][start_ms // HOUR_MS] = zones
        return HoursToRead(
            days=sorted({hour * HOUR_MS // DAY_MS for hours in whole.values() for hour in hours}),
            hours=dict(whole) if self.is_cut else None,
            zones=dict(within),
        )
