"""The ledger in a SQL database: SQLite, or PostgreSQL with the same statements."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Executable, and_, case, delete, func, or_, select, update

from frametally import keys
from frametally.adapters.sql.ledger import chains, hour_rows, intake, segment_rows, segments, tables
from frametally.adapters.sql.ledger.hour_rows import number_of_name
from frametally.adapters.sql.migration import MIGRATIONS, Layout
from frametally.adapters.sql.sql_book import SqlBook
from frametally.books.intake import FOLDER_OF_KIND, take_object, take_run
from frametally.books.runs import list_current_pointers
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
from frametally.undo_records import DroppedDeadLetter, Tombstone

_LAYOUT = Layout(
    part="ledger",
    setting="FRAMETALLY_LEDGER_URL",
    refill="frametally ledger rebuild",
    about=tables.about,
    schema_version=tables.SCHEMA_VERSION,
    migrations=MIGRATIONS / "ledger",
    first_version=3,
)

RecordT = TypeVar("RecordT", bound=Record)


class SqlLedger(SqlBook):
    """A ledger in the database that a SQLAlchemy URL names; see `Ledger`. Processes may share it."""

    layout = _LAYOUT

    def refresh(self, store: ObjectStore, progress: Progress) -> Refreshed:
        """Read new and changed objects of the store, and forget removed ones; see `Ledger.refresh`.

        Derived objects are listed before their inputs: runs, then segments, then manifests. So a run never
        appears without its segments while the stages work.
        """
        taken_count, removed_count = self._refresh_runs(store)
        for took, removed in (
            segments.refresh(self._database, store, progress),
            *(self._refresh_objects(store, kind) for kind in ("tombstone", "dropped", "manifest")),
        ):
            taken_count, removed_count = taken_count + took, removed_count + removed
        return Refreshed(taken_count, removed_count)

    def refresh_headers(self, store: ObjectStore, progress: Progress, *, list_all: bool = False) -> None:
        segments.refresh(self._database, store, progress, headers_only=True, list_all=list_all)

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
        segments = tables.segments.c
        query = select(segments.key, segments.problem).where(segments.log_id.is_(None))
        return sorted((key, problem or f"segment {key} cannot be read") for key, problem in self._rows(query))

    def segments_with_dead_letters(self) -> list[str]:
        segments = tables.segments.c
        return sorted(row.key for row in self._rows(select(segments.key).where(segments.dead_letters > 0)))

    def clear(self) -> None:
        with self._database.writing() as connection:
            for table in tables.CONTENT:
                connection.execute(delete(table))
            connection.execute(update(tables.about).values(digest_0=0, digest_1=0))

    def manifests(self) -> list[MediaManifest]:
        """Return every medium's manifest without its long fields; see `Ledger.manifests`."""
        manifests = self._records("manifest", MediaManifest)
        return sorted(manifests, key=lambda m: (m.source, m.first_captured_at_ms or 0, m.sha256))

    def tombstones(self) -> list[Tombstone]:
        return self._records("tombstone", Tombstone)

    def runs(self) -> list[CountedRun]:
        """Return every day's current run, by model, interval and day."""
        objects, run_frames = tables.objects.c, tables.run_frames.c
        frames: dict[str, dict[str, int]] = defaultdict(dict)
        with self._database.reading() as connection:
            for key, source, number in connection.execute(
                select(run_frames.key, run_frames.source, run_frames.frames)
            ):
                frames[key][source] = number
            query = select(objects.key, objects.record).where(
                objects.kind == "run", objects.record.is_not(None)
            )
            runs_by_key = [(key, decode(text.encode(), Run)) for key, text in connection.execute(query)]
        runs = [CountedRun(run, dict(frames[key])) for key, run in runs_by_key]
        return sorted(
            runs,
            key=lambda counted_run: (counted_run.run.model, counted_run.run.interval_s, counted_run.run.day),
        )

    def models(self) -> list[str]:
        segments, names, stretches = tables.segments.c, tables.names.c, tables.stretches.c
        with self._database.reading() as connection:
            numbers = {*connection.execute(select(stretches.model).distinct()).scalars()}
            numbers |= {row.model for row in segment_rows.segments_with_problems(connection)}
            newest_ms = {}
            newest = select(func.max(segments.put_at_ms))
            for number in numbers:  # each maximum is one look-up; grouping would read all rows
                name = connection.execute(select(names.name).where(names.number == number)).scalar_one()
                of_model = newest.where(segments.model == number)
                newest_ms[name] = connection.execute(of_model).scalar_one()
        return sorted(newest_ms, key=lambda model: (-newest_ms[model], model))

    def tallies(self, model: str) -> list[FrameTally]:
        """Return the distinct frames in the model's segments, by source and medium."""
        table = tables.tallies.c
        source, media = tables.names.alias(), tables.names.alias()
        sums = func.sum(table.detected), func.sum(table.dead_lettered)
        query = (
            select(source.c.name, media.c.name, *sums)
            .join(source, source.c.number == table.source)
            .join(media, media.c.number == table.media)
            .where(table.model == number_of_name(model))
            .group_by(source.c.name, media.c.name)
        )
        rows = self._rows(query)
        return sorted(FrameTally(name, medium, int(frames), int(dead)) for name, medium, frames, dead in rows)

    def tally_between(
        self, model: str, source: str, media: str, *, from_ms: int | None, to_ms: int | None
    ) -> tuple[int, int]:
        table = tables.frames.c
        dead = func.coalesce(func.sum(case((table.dead != 0, 1), else_=0)), 0)
        query = select(func.count(), dead).where(
            table.model == number_of_name(model),
            table.source == number_of_name(source),
            table.media == number_of_name(media),
            _is_within(table.captured_at_ms, from_ms, to_ms),
        )
        ((frames, dead_lettered),) = self._rows(query)
        return int(frames) - int(dead_lettered), int(dead_lettered)

    def extent(self, media: str, *, from_ms: int | None, to_ms: int | None) -> Extent:
        table, tallies = tables.frames.c, tables.tallies.c
        time_ms = table.captured_at_ms
        day = time_ms - (time_ms % DAY_MS + DAY_MS) % DAY_MS
        frames_of, days = Counter[int](), set[int]()
        with self._database.reading() as connection:
            of_medium = tallies.media == number_of_name(media)
            holders = select(tallies.model, tallies.source).where(of_medium).distinct()
            for model, source in connection.execute(holders).all():
                is_of_medium = and_(
                    table.model == model, table.source == source, table.media == number_of_name(media)
                )
                detected = and_(is_of_medium, table.dead == 0, _is_within(time_ms, from_ms, to_ms))
                days_of = select(day.label("day")).where(detected).subquery()
                query = select(days_of.c.day, func.count()).group_by(days_of.c.day)
                rows = connection.execute(query).all()
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
        segments = tables.segments.c
        of_model = segments.model == number_of_name(model)
        newest = select(func.max(segments.put_at_ms)).where(of_model).scalar_subquery()
        query = (
            select(segments.put_at_ms, segments.frames + segments.dead_letters)
            .where(
                of_model,
                segments.put_at_ms >= newest - span_ms,
                segments.put_at_ms > 0,
                segments.log_id.is_not(None),
            )
            .order_by(segments.put_at_ms.desc())
            .limit(MOST_PUTS)
        )
        return sorted((int(at_ms), int(messages)) for at_ms, messages in self._rows(query))

    def newest_frames(self, model: str) -> dict[str, int]:
        hours, names = tables.hours.c, tables.names.c
        # The maximum of each name is one look-up; grouping would read all hours.
        of_source = hours.model == number_of_name(model), hours.source == names.number
        last_hour = select(func.max(hours.hour)).where(*of_source).correlate(tables.names).scalar_subquery()
        newest = select(func.max(hours.last_ms)).where(*of_source, hours.hour == last_hour)
        query = select(names.name, newest.correlate(tables.names).scalar_subquery())
        return {source: int(last_ms) for source, last_ms in self._rows(query) if last_ms is not None}

    def dead_frames(self, model: str) -> list[DeadFrame]:
        letters, frames = tables.dead_letters.c, tables.frames.c
        source, media = tables.names.alias(), tables.names.alias()
        put_at_ms = tables.segments.c.put_at_ms
        mended = and_(
            *(
                frames[name] == letters[name]
                for name in ("model", "source", "media", "captured_at_ms", "frame")
            )
        )
        query = (
            select(
                tables.segments.c.key,
                letters.at_offset,
                source.c.name,
                media.c.name,
                letters.captured_at_ms,
                letters.frame,
                letters.cause,
                put_at_ms,
            )
            .join(tables.segments, tables.segments.c.number == letters.segment)
            .outerjoin(tables.frames, mended)
            .outerjoin(source, source.c.number == letters.source)
            .outerjoin(media, media.c.number == letters.media)
            .where(letters.model == number_of_name(model), or_(letters.frame.is_(None), frames.dead != 0))
        )
        dropped = {(record.segment, record.offset) for record in self._records("dropped", DroppedDeadLetter)}
        still_open: dict[object, DeadFrame] = {}
        rows = self._rows(query.order_by(put_at_ms, tables.segments.c.key, letters.at_offset))
        for key, offset, of_source, of_media, captured_at_ms, frame, cause, at_ms in rows:
            # Of several dead letters for one frame the last one counts: the frame was tried again.
            identity = (key, offset) if frame is None else (of_source, of_media, captured_at_ms, frame)
            still_open.pop(identity, None)
            if (key, offset) not in dropped:
                still_open[identity] = DeadFrame(
                    of_source or "", of_media or "", captured_at_ms, cause, key, offset, at_ms
                )
        return list(still_open.values())

    def parts(self, model: str, source: str, *, from_ms: int, to_ms: int) -> list[SegmentPart]:
        values: dict[str, object] = {"model": model, "source": source, "from_ms": from_ms, "to_ms": to_ms}
        values |= {"from_hour": from_ms // HOUR_MS, "to_hour": (to_ms - 1) // HOUR_MS}
        return sorted(SegmentPart(*row) for row in self._rows(hour_rows.PARTS, values))

    def problems(self, model: str | None) -> list[str]:
        objects, segments = tables.objects.c, tables.segments.c
        of_objects = select(objects.key, objects.problem).where(
            objects.problem.is_not(None), or_(objects.model.is_(None), objects.model == model)
        )
        of_segments = select(segments.key, segments.problem).where(
            segments.problem.is_not(None), segments.model == number_of_name(model or "")
        )
        rows = [*self._rows(of_objects), *self._rows(of_segments)]
        return [str(problem) for _, problem in sorted(map(tuple, rows))]

    def _records(self, kind: str, record_type: type[RecordT]) -> list[RecordT]:
        objects = tables.objects.c
        query = select(objects.key, objects.record).where(objects.kind == kind, objects.record.is_not(None))
        # Sort keys as Python does, whatever the server's order of texts.
        return [decode(text.encode(), record_type) for _, text in sorted(map(tuple, self._rows(query)))]

    def _rows(self, query: Executable, values: Mapping[str, object] | None = None) -> Sequence[Any]:
        with self._database.reading() as connection:
            return connection.execute(query, values).all()

    def _known_objects(self, kind: str) -> dict[str, tuple[int, str, bool]]:
        with self._database.reading() as connection:
            return intake.known_objects(connection, kind)

    def _refresh_objects(self, store: ObjectStore, kind: str) -> tuple[int, int]:
        return self._replace(
            self._known_objects(kind),
            {info.key: info for info in list_records(store, FOLDER_OF_KIND[kind])},
            lambda info: take_object(store, info, kind),
            lambda connection, record: intake.put_object(connection, record, kind),
        )

    def _refresh_runs(self, store: ObjectStore) -> tuple[int, int]:
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
        put_record: Callable[[Connection, _TakenT], None],
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


def _is_within(time_ms: ColumnElement[int], from_ms: int | None, to_ms: int | None) -> ColumnElement[bool]:
    bounds = [] if from_ms is None else [time_ms >= from_ms]
    bounds += [] if to_ms is None else [time_ms < to_ms]
    return and_(True, *bounds)
