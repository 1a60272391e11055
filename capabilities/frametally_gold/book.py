"""The gold tables in a SQL database (SQLite or PostgreSQL) that people query.

Their rows depend only on the store: a day's rows on its current run, a video's on its records and segments.
`frametally gold` refills a lost database. Only the run noted in a row depends on earlier loads, since
unchanged hours keep their rows.

One transaction replaces a day or a video. Readers see the database before or after it.
"""

from __future__ import annotations

import datetime
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    func,
    insert,
    inspect,
    literal,
    select,
)
from sqlalchemy.exc import IntegrityError

from frametally.adapters.sql.migration import Layout
from frametally.adapters.sql.sql_book import SqlBook
from frametally.errors import Misconfigured, Poison
from frametally.rules.places import Place, base_model, is_of_places, series_of
from frametally.settings.loading import Settings
from frametally_gold import tables
from frametally_gold.gold_records import (
    DaySums,
    GoldDay,
    GoldLoad,
    GoldVideo,
    HourRows,
    LabelSums,
    PublishedDay,
)
from frametally_gold.gold_rows import day_of, ends_of, rows_of_day, rows_of_video
from frametally_gold.row_checksums import (
    checksums_after,
    conditions_of,
    day_checksums,
    of_day,
    unequal_tables,
    video_checksums,
)
from frametally_gold.settings import GoldSettings

_LAYOUT = Layout(
    part="gold database",
    setting="FRAMETALLY_GOLD_URL",
    refill="frametally gold",
    about=tables.about,
    schema_version=tables.SCHEMA_VERSION,
    migrations=Path(__file__).with_name("migrations") / "gold",
    growing=(tables.counts,),
)
_ROWS_PER_INSERT = 2_000


_loads = tables.loads.c


def open_gold(settings: Settings) -> Gold:
    """Open the gold tables that the settings name."""
    part = settings.part(GoldSettings)
    return Gold(part.gold_url, part.gold_access)


class Gold(SqlBook):
    """Gold tables in the database that a URL names."""

    layout = _LAYOUT

    def loads(self) -> dict[GoldDay, GoldLoad]:
        """Return the load of each day in the tables."""
        with self._database.reading() as connection:
            try:
                rows = connection.execute(select(tables.loads)).all()
            except (TypeError, ValueError) as error:  # a value that its column cannot hold
                raise Misconfigured(
                    f"{tables.loads.name} cannot be read ({error}): move {self.url} away, then run "
                    "`frametally gold`"
                ) from error
        return {
            GoldDay(row.model, row.interval_s, row.day.isoformat()): GoldLoad(
                row.params, row.run_id, row.rows
            )
            for row in rows
        }

    def publish(self, day: PublishedDay, *, instead_of: str | None) -> int | None:
        """Replace a day, or its hours that have changed, in one transaction.

        Args:
            day: The new rows.
            instead_of: The run of the rows that the caller has read, or None if there were none.

        Returns:
            The number of inserted rows, or None (with nothing changed) if another load has replaced them.

        Raises:
            Poison: A record occurs twice.
            Misconfigured: This user may not write.
        """
        run = day.run
        key = GoldDay(run.model, run.interval_s, run.day)
        with self._database.writing() as connection:
            if _run_of(connection, key) != instead_of:
                return None
            parts = day.replaced
            former = connection.execute(select(_loads.checksums).where(_is_load(key))).scalar_one_or_none()
            removed = {} if parts is None else day_checksums(connection, key, parts)
            _delete_day(connection, key, parts)
            try:
                inserted = sum(_insert(connection, *rows) for rows in rows_of_day(day))
            except IntegrityError as error:
                raise Poison(
                    f"run {run.prefix} counts something twice, so frametally does not load it"
                ) from error
            checksums = day_checksums(connection, key, parts)
            if parts is not None:
                checksums = checksums_after(former, removed, checksums)
            load = {
                **key._asdict(),
                "day": day_of(run.day),
                "params": run.params,
                "run_id": run.run_id,
                "rows": sum(max(rows, 0) for rows, _ in checksums.values()),
                "loaded_at": datetime.datetime.now(datetime.UTC),
                "checksums": json.dumps(checksums),
            }
            connection.execute(insert(tables.loads), [load])
        return inserted

    def remove(self, day: GoldDay, *, instead_of: str) -> bool:
        """Remove a day. Return False, and change nothing, if another load has replaced it."""
        with self._database.writing() as connection:
            if _run_of(connection, day) != instead_of:
                return False
            _delete_day(connection, day)
        return True

    def has_iceberg(self) -> bool:
        """Return whether the rows are also published as Iceberg tables."""
        with self._database.reading() as connection:
            return has_catalogue(connection)

    def changed_tables(self, day: GoldDay) -> list[str]:
        """Return the tables whose rows of a day differ from the loaded ones, by name."""
        query = select(_loads.checksums).where(_is_load(day))
        with self._database.reading() as connection:
            return unequal_tables(connection.execute(query).scalar(), day_checksums(connection, day))

    def strays(self) -> list[str]:
        """Return the tables that have rows of days that were never loaded."""
        with self._database.reading() as connection:
            table_names = {
                table.name
                for table, of_none in _strays(connection)
                if connection.execute(select(table.c.model).where(of_none).limit(1)).first()
            }
        return sorted(table_names)

    def remove_strays(self) -> int:
        """Remove the rows of days that were never loaded; return their number."""
        with self._database.writing() as connection:
            return sum(
                connection.execute(delete(table).where(of_none)).rowcount
                for table, of_none in _strays(connection)
            )

    def changed_videos(self) -> dict[str, list[str]]:
        """Return the tables whose rows of a video differ from the loaded ones, by video ID."""
        tables_by_video = {}
        with self._database.reading() as connection:
            query = select(tables.videos.c.video_id, tables.videos.c.checksums)
            noted = {row.video_id: row.checksums for row in connection.execute(query)}
            for table in tables.OF_VIDEO:
                ids = connection.execute(select(table.c.video_id).distinct()).scalars()
                noted.update(dict.fromkeys(set(ids) - noted.keys()))
            for video_id, checksums in sorted(noted.items()):
                if unequal := unequal_tables(checksums, video_checksums(connection, video_id)):
                    tables_by_video[video_id] = unequal
        return tables_by_video

    def day_sums(self, day: GoldDay) -> DaySums:
        """Return the sums of a day."""
        with self._database.reading() as connection:
            if is_of_places(day.model):
                return DaySums(_place_sums(connection, day), {})
            labels, frames = _label_sums(connection, day), _frame_sums(connection, day)
        return DaySums(labels, frames)

    def video_marks(self) -> dict[str, str]:
        """Return the `made_of` mark of each video, by ID."""
        with self._database.reading() as connection:
            rows = connection.execute(select(tables.videos.c.video_id, tables.videos.c.made_of)).all()
        return {row.video_id: row.made_of for row in rows}

    def put_video(self, video: GoldVideo) -> None:
        """Replace all rows of a video in one transaction."""
        with self._database.writing() as connection:
            _delete_video(connection, video.record.id)
            for rows in rows_of_video(video):
                _insert(connection, *rows)
            checksums = json.dumps(video_checksums(connection, video.record.id))
            row = tables.videos.update().where(tables.videos.c.video_id == video.record.id)
            connection.execute(row.values(checksums=checksums))

    def remove_video(self, video_id: str) -> None:
        """Delete the rows of a video; an unknown video is not an error."""
        with self._database.writing() as connection:
            _delete_video(connection, video_id)


def has_catalogue(connection: Connection) -> bool:
    """Return whether the database has a catalogue of Iceberg tables."""
    return inspect(connection).has_table("iceberg_tables")


def _run_of(connection: Connection, day: GoldDay) -> str | None:
    run_id: str | None = connection.execute(select(_loads.run_id).where(_is_load(day))).scalar_one_or_none()
    return run_id


def _is_load(day: GoldDay) -> ColumnElement[bool]:
    return and_(_loads.model == day.model, _loads.interval_s == day.interval_s, _loads.day == day_of(day.day))


def _strays(connection: Connection) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    """Yield the tables of days, each with a condition for rows before, between or after the loaded days.

    Rows whose time has a flipped bit are included, since SQLite compares times as text.
    """
    loaded: defaultdict[tuple[str, int, str], set[str]] = defaultdict(set)
    for row in connection.execute(select(_loads.model, _loads.interval_s, _loads.day)):
        kind = (base_model(row.model), row.interval_s, series_of(row.model))
        loaded[kind].add(row.day.isoformat())
    for table, time_column in tables.MOMENTS.items():
        series = table.c.series if "series" in table.c else literal(tables.SERIES_OF[table][0])
        columns = (table.c.model, table.c.interval_s, series)
        for kind in connection.execute(select(*columns).distinct()).all():
            of_kind = [column == value for column, value in zip(columns, kind, strict=True)]
            ends = [moment for day in sorted(loaded[tuple(kind)]) for moment in ends_of(day)]
            for after, before in zip([None, *ends[1::2]], [*ends[::2], None], strict=True):
                if after is None or after != before:
                    behind = [] if after is None else [time_column >= after]
                    yield table, and_(*of_kind, *behind, *([] if before is None else [time_column < before]))


def _delete_day(connection: Connection, day: GoldDay, parts: Sequence[HourRows] | None = None) -> None:
    for table, condition in conditions_of(day, parts):
        connection.execute(delete(table).where(condition))
    connection.execute(delete(tables.loads).where(_is_load(day)))


def _label_sums(connection: Connection, day: GoldDay) -> dict[tuple[str, str], LabelSums]:
    c = tables.counts.c
    query = (
        select(c.source, c.label, *_sums(c.detections, c.peak, c.followed_objects))
        .where(of_day(tables.counts, day))  # type: ignore[arg-type]
        .group_by(c.source, c.label)
    )
    return {(row.source, row.label): _sum(row) for row in connection.execute(query)}


def _place_sums(connection: Connection, day: GoldDay) -> dict[tuple[str, str], LabelSums]:
    c = tables.place_counts.c
    place = (c.source, c.kind, c.name, c.what)
    query = (
        select(*place, c.label, *_sums(func.coalesce(c.value, c.at_least, 0), c.peak, c.followed_objects))
        .where(of_day(tables.place_counts, day))  # type: ignore[arg-type]
        .group_by(*place, c.label)
    )
    return {
        (
            str(Place(row.source, row.kind, (row.name, row.what) if row.what else (row.name,))),
            row.label,
        ): _sum(row)
        for row in connection.execute(query)
    }


def _frame_sums(connection: Connection, day: GoldDay) -> dict[str, int]:
    c = tables.coverage.c
    query = (
        select(c.source, func.sum(c.frames).label("frames"))
        .where(of_day(tables.coverage, day))  # type: ignore[arg-type]
        .group_by(c.source)
    )
    return {row.source: int(row.frames) for row in connection.execute(query)}


def _sums(detections: Any, peak: Any, objects: Any) -> list[Any]:
    return [
        func.sum(detections).label("boxes"),
        func.max(peak).label("most"),
        func.sum(objects).label("objects"),
        func.count(objects).label("known"),
        func.count().label("rows"),
    ]


def _sum(row: Any) -> LabelSums:
    objects = int(row.objects) if row.known == row.rows else None
    return LabelSums(int(row.boxes), int(row.most), objects)


def _delete_video(connection: Connection, video_id: str) -> None:
    for table in tables.OF_VIDEO:
        connection.execute(delete(table).where(table.c.video_id == video_id))


def _insert(connection: Connection, table: Table, rows: Iterable[dict[str, Any]]) -> int:
    """Insert rows, each with all columns of the table; return their number.

    `Connection.execute` would take twice as long, because it examines each value again.
    """
    dialect = connection.dialect
    statement = insert(table).compile(dialect=dialect)
    prepared = {
        column.name: lru_cache(maxsize=4096)(process)
        for column in table.c
        if (process := column.type.dialect_impl(dialect).bind_processor(dialect)) is not None
    }
    in_order = itemgetter(*statement.positiontup) if statement.positiontup else None
    inserted = 0
    for batch in _batches(rows):
        for row in batch:
            for name, process in prepared.items():
                row[name] = process(row[name])
        connection.exec_driver_sql(str(statement), [*map(in_order, batch)] if in_order else batch)
        inserted += len(batch)
    return inserted


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, _ROWS_PER_INSERT)):
        yield batch
