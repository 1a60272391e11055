"""The ledger in a SQL database: SQLite, or PostgreSQL with the same statements."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from frametally import keys
from frametally.adapters.sql.ledger import chains, hour_rows, intake, segment_rows, segments
from frametally.adapters.sql.ledger.database import COLUMNS, NUMBER_OF_NAME, LedgerConnection, LedgerDatabase
from frametally.books.runs import list_current_pointers
from frametally.errors import DiskFull
from frametally.files.sqlite import BUSY_TIMEOUT_S
from frametally.media.manifests import list_records
from frametally.ports.ledger import (
    MOST_PUTS,
    ChainLink,
    CountedHour,
    CountedRun,
    DeadFrame,
    Extent,
    FrameTally,
    Refreshed,
    SegmentOfHour,
    SegmentPart,
)
from frametally.ports.object_store import ObjectInfo, ObjectStore
from frametally.process.reports import Progress
from frametally.records import MediaManifest, Record, Run, decode
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally.settings.access import ServerAccess
from frametally.undo_records import DroppedDeadLetter, Tombstone

RecordT = TypeVar("RecordT", bound=Record)


class SqlLedger:
    """A ledger in the SQLite file or the PostgreSQL database that a URL names; see `Ledger`.

    Processes may share it.
    """

    def __init__(
        self, url: str, access: ServerAccess | None = None, *, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> None:
        """Open the database, creating missing tables; see `LedgerDatabase`."""
        self.url = url
        self._database = LedgerDatabase(url, access, busy_timeout_s)

    def check(self) -> None:
        """Read a row of every table. Raises `FrametallyError` if it does not answer, or is damaged."""
        with self._database.reading() as connection:
            for table in ("", *(f"_{name}" for name in COLUMNS)):
                connection.execute(f"SELECT * FROM frametally_ledger{table} LIMIT 1").fetchone()  # noqa: S608

    def close(self) -> None:
        self._database.close()

    def refresh(self, store: ObjectStore, progress: Progress) -> Refreshed:
        """Read new and changed objects of the store, and forget removed ones; see `Ledger.refresh`.

        Derived objects are listed before their inputs: runs, then segments, then manifests. So a run never
        appears without its segments while the stages work.
        """
        return self._written(lambda: self._refresh(store, progress))

    def _refresh(self, store: ObjectStore, progress: Progress) -> Refreshed:
        taken_count, removed_count = self._refresh_runs(store)
        for took, removed in (
            segments.refresh(self._database, store, progress),
            *(self._refresh_objects(store, kind) for kind in ("tombstone", "dropped", "manifest")),
        ):
            taken_count, removed_count = taken_count + took, removed_count + removed
        return Refreshed(taken_count, removed_count)

    def refresh_headers(self, store: ObjectStore, progress: Progress, *, list_all: bool = False) -> None:
        self._written(
            lambda: segments.refresh(self._database, store, progress, headers_only=True, list_all=list_all)
        )

    def _written(self, write: Callable[[], _TakenT]) -> _TakenT:
        """Return the result of `write`; on a full disk it writes to a copy, since the store has it all."""
        try:
            return write()
        except DiskFull:
            self._database.use_copy()
            return write()

    def counted_hours(self, *, with_margin: bool, without: Collection[str] = ()) -> Iterator[CountedHour]:
        with self._database.reading() as connection:
            rows = hour_rows.counted_hours(connection, with_margin=with_margin, without=without)
        yield from rows

    def segments_of_hours(
        self, model: str, sources: Collection[str], *, from_hour: int, to_hour: int
    ) -> list[SegmentOfHour]:
        with self._database.reading() as connection:
            return hour_rows.segments_of_hours(connection, model, sources, from_hour, to_hour)

    def hours_of_segments(self, segment_keys: Collection[str]) -> list[tuple[str, str, int]]:
        if not segment_keys:
            return []
        with self._database.reading() as connection:
            return hour_rows.hours_of_segments(connection, segment_keys)

    def check_segments(self) -> None:
        with self._database.reading() as connection:
            hour_rows.check(connection)

    def unreadable_segments(self) -> list[tuple[str, str]]:
        query = (  # by the index of problems: all unreadable segments have one
            "SELECT key, problem FROM frametally_ledger_segments WHERE problem IS NOT NULL AND log_id IS NULL"
        )
        return sorted(map(tuple, self._rows(query)))

    def damaged_segments(self, model: str) -> list[str]:
        return sorted(key for (key,) in self._rows(_DAMAGED_SEGMENTS, [model]))

    def segments_with_dead_letters(self) -> list[str]:
        query = "SELECT key FROM frametally_ledger_segments WHERE dead_letters > 0"
        return sorted(key for (key,) in self._rows(query))

    def clear(self) -> None:
        with self._database.writing(must_stay=True) as connection:
            for table in COLUMNS.keys() - {"names"}:
                connection.execute(f"DELETE FROM frametally_ledger_{table}")  # noqa: S608
            connection.execute("UPDATE frametally_ledger SET digest_0 = 0, digest_1 = 0")

    def manifests(self) -> list[MediaManifest]:
        """Return every medium's manifest without its long fields; see `Ledger.manifests`."""
        manifests = self._records("manifest", MediaManifest)
        return sorted(manifests, key=lambda m: (m.source, m.first_captured_at_ms or 0, m.sha256))

    def tombstones(self) -> list[Tombstone]:
        return self._records("tombstone", Tombstone)

    def runs(self) -> list[CountedRun]:
        """Return every day's current run, by model, interval and day."""
        frames: dict[str, dict[str, int]] = defaultdict(dict)
        with self._database.reading() as connection:
            for key, source, number in connection.execute(
                "SELECT key, source, frames FROM frametally_ledger_run_frames"
            ):
                frames[key][source] = number
            rows = connection.execute(_RECORDS, ["run"])
            runs_by_key = [(key, decode(text.encode(), Run)) for key, text in rows]
        runs = [CountedRun(run, dict(frames[key])) for key, run in runs_by_key]
        return sorted(
            runs,
            key=lambda counted_run: (counted_run.run.model, counted_run.run.interval_s, counted_run.run.day),
        )

    def models(self) -> list[str]:
        newest_ms = {}
        with self._database.reading() as connection:
            rows = connection.execute("SELECT DISTINCT model FROM frametally_ledger_stretches").fetchall()
            numbers = {number for (number,) in rows}
            numbers |= {segment.model for segment in segment_rows.segments_with_problems(connection)}
            for number in numbers:  # each maximum is one look-up; grouping would read all rows
                ((name,),) = connection.execute(
                    "SELECT name FROM frametally_ledger_names WHERE number = ?", [number]
                ).fetchall()
                ((newest_ms[name],),) = connection.execute(
                    "SELECT max(put_at_ms) FROM frametally_ledger_segments WHERE model = ?", [number]
                ).fetchall()
        return sorted(newest_ms, key=lambda model: (-newest_ms[model], model))

    def tallies(self, model: str) -> list[FrameTally]:
        """Return the distinct frames in the model's segments, by source and medium."""
        rows = self._rows(_TALLIES, [model])
        return sorted(FrameTally(name, medium, int(frames), int(dead)) for name, medium, frames, dead in rows)

    def tally_between(
        self, model: str, source: str, media: str, *, from_ms: int | None, to_ms: int | None
    ) -> tuple[int, int]:
        is_within, bounds = _within(from_ms, to_ms)
        query = f"SELECT count(*), coalesce(sum(dead), 0) {_OF_NAMES} {is_within}"
        ((frames, dead_lettered),) = self._rows(query, [model, source, media, *bounds])
        return int(frames) - int(dead_lettered), int(dead_lettered)

    def extent(self, media: str, *, from_ms: int | None, to_ms: int | None) -> Extent:
        frames_of, days = Counter[int](), set[int]()
        is_within, bounds = _within(from_ms, to_ms)
        query = (
            f"SELECT captured_at_ms - (captured_at_ms % {DAY_MS} + {DAY_MS}) % {DAY_MS} AS day, count(*) "  # noqa: S608
            "FROM frametally_ledger_frames WHERE model = ? AND source = ? AND dead = 0 "
            f"AND media = {NUMBER_OF_NAME} {is_within} GROUP BY 1"
        )
        with self._database.reading() as connection:
            holders = connection.execute(_HOLDERS, [media]).fetchall()
            for model, source in holders:
                rows = connection.execute(query, [model, source, media, *bounds]).fetchall()
                frames_of[model] += sum(int(frames) for _, frames in rows)
                days |= {int(start) for start, _ in rows}
        return Extent(max(frames_of.values(), default=0), len(days))

    def chain(self, model: str, without: Collection[str] = ()) -> list[ChainLink]:
        """Return the model's segments, with those that follow each other without a gap as one link."""
        links = []
        with self._database.reading() as connection:
            stretches = chains.read_stretches(connection, without)
        for key, _, *figures in stretches:
            place = keys.parse_segment_key(key)
            if place is not None and place.model == model:
                links.append(ChainLink(key, place.log_id, place.topic, place.partition, *figures))
        return sorted(links, key=lambda link: link[1:5])

    def recent_puts(self, model: str, span_ms: int) -> list[tuple[int, int]]:
        """Return when the model's newest segments were put, and their messages; see `Ledger.recent_puts`."""
        rows = self._rows(_RECENT_PUTS, [model, model, span_ms, MOST_PUTS])
        return sorted((int(at_ms), int(messages)) for at_ms, messages in rows)

    def newest_frames(self, model: str) -> dict[str, int]:
        rows = self._rows(_NEWEST_FRAMES, [model, model])
        return {source: int(last_ms) for source, last_ms in rows if last_ms is not None}

    def dead_frames(self, model: str) -> list[DeadFrame]:
        dropped = {(record.segment, record.offset) for record in self._records("dropped", DroppedDeadLetter)}
        still_open: dict[object, DeadFrame] = {}
        for key, offset, of_source, of_media, captured_at_ms, frame, cause, at_ms in self._rows(
            _DEAD_FRAMES, [model]
        ):
            # Of several dead letters for one frame the last one counts: the frame was tried again.
            identity = (key, offset) if frame is None else (of_source, of_media, captured_at_ms, frame)
            still_open.pop(identity, None)
            if (key, offset) not in dropped:
                still_open[identity] = DeadFrame(
                    of_source or "", of_media or "", captured_at_ms, cause, key, offset, at_ms
                )
        return list(still_open.values())

    def parts(self, model: str, source: str, *, from_ms: int, to_ms: int) -> list[SegmentPart]:
        values = model, source, from_ms // HOUR_MS, (to_ms - 1) // HOUR_MS, from_ms, to_ms
        return sorted(SegmentPart(*row) for row in self._rows(hour_rows.PARTS, values))

    def problems(self, model: str | None) -> list[str]:
        rows = self._rows(_PROBLEMS, [model, model or ""])
        return [str(problem) for _, problem in sorted(map(tuple, rows))]

    def _records(self, kind: str, record_type: type[RecordT]) -> list[RecordT]:
        # Sort keys as Python does, whatever the server's order of texts.
        rows = sorted(map(tuple, self._rows(_RECORDS, [kind])))
        return [decode(text.encode(), record_type) for _, text in rows]

    def _rows(self, query: str, values: Sequence[object] = ()) -> Sequence[Any]:
        with self._database.reading() as connection:
            rows: Sequence[Any] = connection.execute(query, values).fetchall()
        return rows

    def _known_objects(self, kind: str) -> dict[str, tuple[int, str, bool]]:
        with self._database.reading() as connection:
            return intake.known_objects(connection, kind)

    def _refresh_objects(self, store: ObjectStore, kind: str) -> tuple[int, int]:
        from frametally.books.intake import FOLDER_OF_KIND, take_object

        return self._replace(
            self._known_objects(kind),
            {info.key: info for info in list_records(store, FOLDER_OF_KIND[kind])},
            lambda info: take_object(store, info, kind),
            lambda connection, record: intake.put_object(connection, record, kind),
        )

    def _refresh_runs(self, store: ObjectStore) -> tuple[int, int]:
        from frametally.books.intake import take_run

        return self._replace(
            self._known_objects("run"),
            {info.key: info for info in list_current_pointers(store)},
            lambda info: take_run(store, info),
            intake.put_run,
        )

    def _replace(
        self,
        known_objects: Mapping[str, tuple[int, str, bool]],
        listed: Mapping[str, ObjectInfo],
        take: Callable[[ObjectInfo], _TakenT | None],
        put_record: Callable[[LedgerConnection, _TakenT], None],
    ) -> tuple[int, int]:
        """Read listed objects that are not known as listed, and write them in one transaction."""
        new = [info for info in listed.values() if intake.is_new(info, known_objects)]
        records = [record for info in new if (record := take(info)) is not None]
        removed_keys = known_objects.keys() - listed.keys()
        if records or removed_keys:
            with self._database.writing() as connection:
                intake.remove_objects(connection, removed_keys)
                for record in records:
                    put_record(connection, record)
        return len(records), len(removed_keys)


_TakenT = TypeVar("_TakenT")


_RECORDS = "SELECT key, record FROM frametally_ledger_objects WHERE kind = ? AND record IS NOT NULL"
_TALLIES = f"""
SELECT source.name, media.name, sum(detected), sum(dead_lettered)
FROM frametally_ledger_tallies AS tallies
JOIN frametally_ledger_names AS source ON source.number = tallies.source
JOIN frametally_ledger_names AS media ON media.number = tallies.media
WHERE model = {NUMBER_OF_NAME}
GROUP BY source.name, media.name
"""  # noqa: S608
_HOLDERS = f"""
SELECT DISTINCT model, source FROM frametally_ledger_tallies WHERE media = {NUMBER_OF_NAME}
"""  # noqa: S608
_OF_NAMES = f"""
FROM frametally_ledger_frames
WHERE model = {NUMBER_OF_NAME} AND source = {NUMBER_OF_NAME} AND media = {NUMBER_OF_NAME}
"""
_RECENT_PUTS = f"""
SELECT put_at_ms, frames + dead_letters FROM frametally_ledger_segments
WHERE model = {NUMBER_OF_NAME} AND put_at_ms > 0 AND log_id IS NOT NULL AND put_at_ms >= (
    SELECT max(put_at_ms) FROM frametally_ledger_segments WHERE model = {NUMBER_OF_NAME}
) - ?
ORDER BY put_at_ms DESC LIMIT ?
"""  # noqa: S608
# The maximum of each name is one look-up; grouping would read all hours.
_NEWEST_FRAMES = f"""
SELECT name, (
    SELECT max(last_ms) FROM frametally_ledger_hours AS newest
    WHERE newest.model = {NUMBER_OF_NAME} AND newest.source = names.number AND newest.hour = (
        SELECT max(hour) FROM frametally_ledger_hours AS hours
        WHERE hours.model = {NUMBER_OF_NAME} AND hours.source = names.number
    )
)
FROM frametally_ledger_names AS names
"""  # noqa: S608
_DEAD_FRAMES = f"""
SELECT segments.key, letters.at_offset, source.name, media.name, letters.captured_at_ms, letters.frame,
    letters.cause, segments.put_at_ms
FROM frametally_ledger_dead_letters AS letters
JOIN frametally_ledger_segments AS segments ON segments.number = letters.segment
LEFT JOIN frametally_ledger_frames AS frames ON frames.model = letters.model
    AND frames.source = letters.source AND frames.media = letters.media
    AND frames.captured_at_ms = letters.captured_at_ms AND frames.frame = letters.frame
LEFT JOIN frametally_ledger_names AS source ON source.number = letters.source
LEFT JOIN frametally_ledger_names AS media ON media.number = letters.media
WHERE letters.model = {NUMBER_OF_NAME} AND (letters.frame IS NULL OR frames.dead <> 0)
ORDER BY segments.put_at_ms, segments.key, letters.at_offset
"""  # noqa: S608
_DAMAGED_SEGMENTS = f"""
SELECT key FROM frametally_ledger_segments WHERE problem IS NOT NULL AND model = {NUMBER_OF_NAME}
"""  # noqa: S608
_PROBLEMS = f"""
SELECT key, problem FROM frametally_ledger_objects
WHERE problem IS NOT NULL AND (model IS NULL OR model = ?)
UNION ALL
SELECT key, problem FROM frametally_ledger_segments
WHERE problem IS NOT NULL AND model = {NUMBER_OF_NAME}
"""  # noqa: S608


def _within(from_ms: int | None, to_ms: int | None) -> tuple[str, list[int]]:
    """Return the conditions for times in `[from_ms, to_ms)`, and their values."""
    bounds = {"AND captured_at_ms >= ?": from_ms, "AND captured_at_ms < ?": to_ms}
    conditions = {condition: ms for condition, ms in bounds.items() if ms is not None}
    return " ".join(conditions), list(conditions.values())
