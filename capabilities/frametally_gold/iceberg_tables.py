"""Publishes the gold tables of days as Iceberg tables in the store, for DuckDB, Spark and others.

A round publishes the days that the gold database has loaded and these tables lack. The gold database is also
the catalogue, in the two tables of Iceberg's SQL catalogues.

A round first writes its Parquet files, then a new snapshot of each table, in one transaction of the
catalogue: readers see all tables before or after it. A killed round leaves the previous snapshots, and
possibly unreferenced files, which `expire` deletes.
"""

from __future__ import annotations

import datetime
import posixpath
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, NamedTuple

import pyarrow as arrow
from pyiceberg.catalog import MetastoreCatalog
from pyiceberg.catalog.sql import IcebergTables as CatalogRows
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError, ValidationError
from pyiceberg.io import FileIO
from pyiceberg.io import pyarrow as arrow_files
from pyiceberg.manifest import DataFile
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.transforms import IdentityTransform
from pyiceberg.typedef import EMPTY_DICT, Properties, Record
from pyiceberg.types import (
    BooleanType,
    DateType,
    DoubleType,
    IcebergType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
    TimestamptzType,
)
from sqlalchemy import Connection, Table, delete, select
from sqlalchemy import types as sql

from frametally.adapters.sql.sql_book import SqlBook
from frametally.errors import Misconfigured
from frametally.ports.object_store import ObjectInfo, ObjectMissing, ObjectStore
from frametally.rules.places import base_model, series_of
from frametally.rules.times import EPOCH, HOUR_S
from frametally.settings.access import ServerAccess
from frametally_gold import tables
from frametally_gold.book import Gold, has_catalogue
from frametally_gold.gold_records import GoldDay
from frametally_gold.gold_rows import day_of
from frametally_gold.iceberg_checksums import (
    CHECKSUMS,
    FOLDER,
    HINT,
    METADATA,
    join_checksums,
    put_checksums,
)
from frametally_gold.iceberg_files import STORE, WRITTEN, StoreFileIO, key_of, location_of
from frametally_gold.row_checksums import of_day

NAMESPACE = "gold"
_KEYS = ("model", "interval_s", "series")
_TYPES: tuple[tuple[type[Any], IcebergType], ...] = (  # the first that fits
    (sql.BigInteger, LongType()),
    (sql.Integer, IntegerType()),
    (sql.Boolean, BooleanType()),
    (sql.DateTime, TimestamptzType()),
    (sql.Date, DateType()),
    (sql.Float, DoubleType()),
    (sql.Text, StringType()),
)


def name_of(table: Table) -> str:
    """Return the name of a gold table's Iceberg table: without `gold_`."""
    return table.name.removeprefix(f"{NAMESPACE}_")


def schema_of(table: Table) -> Schema:
    """Return the columns of a gold table plus the UTC day."""
    types = {column.name: (column.type, not column.nullable) for column in table.c}
    types.setdefault("day", (sql.Date(), True))
    return Schema(
        *(
            NestedField(
                number,
                name,
                next(iceberg_type for kind, iceberg_type in _TYPES if isinstance(type_, kind)),
                required=required,
            )
            for number, (name, (type_, required)) in enumerate(types.items(), start=1)
        )
    )


def partitions_of(table: Table, schema: Schema) -> PartitionSpec:
    """Return the partitions of a table: a file belongs to one day of a model (or series) and interval."""
    keys = [*_KEYS, "day"] if table is not tables.loads else []
    return PartitionSpec(
        *(
            PartitionField(schema.find_field(name).field_id, 1000 + number, IdentityTransform(), name)
            for number, name in enumerate(keys)
            if name in schema.column_names
        )
    )


def partition_of(table: Table, day: GoldDay) -> tuple[Any, ...]:
    """Return the partition of a day, in the order of `partitions_of`; Iceberg counts days from 1970."""
    series = (series_of(day.model),) if "series" in table.c else ()
    return base_model(day.model), day.interval_s, *series, (day_of(day.day) - EPOCH.date()).days


def has_other_columns(present: IcebergTable, table: Table) -> bool:
    """Return whether the columns of a table in the catalogue differ from those of this release."""
    return {*schema_of(table).column_names} != {*present.schema().column_names}


CATALOGUE = "frametally"
_TABLES = (*tables.MOMENTS, tables.loads)
_ROWS_AT_ONCE = 100_000
_ORPHAN_AFTER_S = HOUR_S  # a round may still need its files before that


_writer_options_of = arrow_files._get_parquet_writer_kwargs
# Readers that compare the checksums of pages, such as Spark, refuse a page with a flipped bit.
arrow_files._get_parquet_writer_kwargs = lambda table_properties: {
    **_writer_options_of(table_properties),
    "write_page_checksum": True,
}


class Expiry(NamedTuple):
    """The number of snapshots and files that were deleted."""

    snapshots: int
    files: int


class _Batch(NamedTuple):
    """Days to publish together.

    Attributes:
        before: The published days when the batch was read.
        days: The days to replace or remove.
        rows: Their new rows by table; for `loads`, the whole table.
    """

    before: dict[GoldDay, tuple[str, str]]
    days: list[GoldDay]
    rows: list[tuple[Table, IcebergTable, list[dict[str, Any]]]]


class _Catalogue(SqlCatalog):
    """Iceberg's SQL catalogue within an open transaction."""

    def __init__(self, connection: Connection, store: ObjectStore, written: dict[str, str]) -> None:
        # SqlCatalog's `__init__` would open the database a second time. Sessions join the transaction.
        implementation = f"{StoreFileIO.__module__}.{StoreFileIO.__name__}"
        properties: dict[str, Any] = {"py-io-impl": implementation, STORE: store, WRITTEN: written}
        MetastoreCatalog.__init__(self, CATALOGUE, **properties)
        self.engine = connection  # type: ignore[assignment]
        self.connection = connection
        self._schema_version = "v1"

    def _load_file_io(self, properties: Properties = EMPTY_DICT, location: str | None = None) -> FileIO:
        return StoreFileIO(self.properties)  # not a class that a file in the store names

    def table(self, table: Table) -> IcebergTable:
        return self.load_table((NAMESPACE, name_of(table)))


class IcebergTables(SqlBook):
    """Iceberg tables of one store, with their catalogue in the gold database."""

    layout = Gold.layout

    def __init__(self, url: str, access: ServerAccess | None, store: ObjectStore) -> None:
        """Open the gold database; the caller closes the store."""
        super().__init__(url, access)
        self._store = store
        self._written: dict[str, str] = {}

    def publish(self) -> int:
        """Publish new and changed days of the gold tables; return their number.

        Raises:
            Retryable: The store or the database is not available.
            Misconfigured: This user may not write there, or the published tables cannot be read.
        """
        with _readable():
            if not self._has_tables():
                self._make_tables()
            count = 0
            while (batch := self._read_batch()) is not None:
                count += self._publish_batch(batch)
            self._write_hints()
        return count

    def expire(self, before: datetime.datetime) -> Expiry:
        """Delete snapshots older than a time, except the current ones, and files that no snapshot needs.

        Raises the errors of `publish`.
        """
        with _readable():
            with self._writing() as catalogue:
                before_tables = _loaded(catalogue)
                files_before = set(chain.from_iterable(map(_files_of, before_tables)))
                snapshots = sum(len(table.snapshots()) for table in before_tables)
                for table in before_tables:
                    if any(snapshot.timestamp_ms < before.timestamp() * 1000 for snapshot in _old(table)):
                        table.maintenance.expire_snapshots().older_than(before).commit()
            with self._reading() as catalogue:
                current = _loaded(catalogue)
            needed = set(chain.from_iterable(map(_files_of, current)))
            self._write_hints()
        snapshots -= sum(len(table.snapshots()) for table in current)
        return Expiry(snapshots, self._delete_files(files_before, needed))

    def _delete_files(self, files_before: Collection[str], needed: Collection[str]) -> int:
        """Delete earlier files that are no longer needed, and those that a killed round left long ago."""
        orphan_ms = (datetime.datetime.now(datetime.UTC).timestamp() - _ORPHAN_AFTER_S) * 1000
        files = 0
        for info in self._store.list(FOLDER):
            location = location_of(self._store, info.key)
            is_spare = location in files_before or info.modified_at_ms < orphan_ms
            is_ours = info.key.endswith(HINT) or info.key.startswith(f"{CHECKSUMS}/")
            if is_spare and location not in needed and not is_ours:
                self._store.delete(info.key)
                files += 1
        join_checksums(self._store)
        return files

    def needed(self) -> set[str]:
        """Return the keys of all files that the tables need. Raises the errors of `publish`."""
        with _readable(), self._reading() as catalogue:
            locations = chain.from_iterable(map(_files_of, _loaded(catalogue)))
            return {key_of(self._store, location) for location in locations}

    def remove(self) -> None:
        """Remove all tables and their history, not the gold tables. Raises the errors of `publish`."""
        with self._writing() as catalogue:
            catalogue.create_tables()
            catalogue.connection.execute(delete(CatalogRows))
        for info in self._store.list(FOLDER):
            self._store.delete(info.key)

    @contextmanager
    def _reading(self) -> Iterator[_Catalogue]:
        with self._database.reading() as connection:
            yield _Catalogue(connection, self._store, self._written)

    @contextmanager
    def _writing(self) -> Iterator[_Catalogue]:
        with self._database.writing() as connection:
            yield _Catalogue(connection, self._store, self._written)
            if self._written:  # before the commit: each named file then has its checksum
                put_checksums(self._store, self._written)
                self._written.clear()

    def _has_tables(self) -> bool:
        with self._reading() as catalogue:
            names = {(NAMESPACE, name_of(table)) for table in _TABLES}
            return has_catalogue(catalogue.connection) and names <= {*catalogue.list_tables(NAMESPACE)}

    def _make_tables(self) -> None:
        """Create missing tables, and update the columns of the others to this version's."""
        with self._writing() as catalogue:
            catalogue.create_tables()
            catalogue.create_namespace_if_not_exists(NAMESPACE)
            for table in _TABLES:
                schema = schema_of(table)
                try:
                    present = catalogue.table(table)
                except NoSuchTableError:
                    present = self._make_table(catalogue, table, schema)
                if has_other_columns(present, table):
                    with present.update_schema() as update:
                        update.union_by_name(schema)
                        for name in {*present.schema().column_names} - {*schema.column_names}:
                            update.delete_column(name)

    def _make_table(self, catalogue: _Catalogue, table: Table, schema: Schema) -> IcebergTable:
        """Create a table, or register the one in the store if the catalogue was lost."""
        name = (NAMESPACE, name_of(table))
        folder = f"{FOLDER}/{name_of(table)}"
        versions = [info for info in self._store.list(f"{folder}/metadata") if info.key.endswith(METADATA)]
        if versions:
            return catalogue.register_table(name, location_of(self._store, max(versions, key=_version).key))
        return catalogue.create_table(
            name, schema, location_of(self._store, folder), partitions_of(table, schema)
        )

    def _read_batch(self) -> _Batch | None:
        """Read the rows of days whose published rows are outdated; return None if there are none."""
        with self._reading() as catalogue:
            connection = catalogue.connection
            published = _published(catalogue)
            before = _marks(published)
            loads = {_day_of(row): row for row in _rows(connection, tables.loads)}
            marks = _marks(loads.values())
            changed = [day for day in {**before, **marks} if before.get(day) != marks.get(day)]
            if not changed:
                return None
            changed.sort(key=lambda day: (day.day, day.model, day.interval_s))
            targets = {table: catalogue.table(table) for table in _TABLES}
            rows: dict[Table, list[dict[str, Any]]] = {table: [] for table in _TABLES}
            days: list[GoldDay] = []
            while changed and sum(map(len, rows.values())) < _ROWS_AT_ONCE:
                days.append(day := changed.pop(0))
                for table in tables.MOMENTS if day in loads else ():
                    if (condition := of_day(table, day)) is not None:
                        rows[table] += _rows(connection, table, condition, day=day_of(day.day))
        rows[tables.loads] = [row for row in published if _day_of(row) not in days]
        rows[tables.loads] += [loads[day] for day in days if day in loads]
        return _Batch(before, days, [(table, targets[table], rows[table]) for table in _TABLES])

    def _publish_batch(self, batch: _Batch) -> int:
        """Publish a batch; return 0, and change no rows, if another round was faster."""
        if any(has_other_columns(target, table) for table, target, _ in batch.rows):
            self._make_tables()
            return 0
        files = {table: _write(target, rows) for table, target, rows in batch.rows}
        with self._writing() as catalogue:
            if _marks(_published(catalogue)) != batch.before:
                return 0
            for table, new_files in files.items():
                present = catalogue.table(table)
                old_files = _files_of_days(present, table, batch.days)
                if not (new_files or old_files):
                    continue
                with _overwriting(present) as snapshot:
                    for file in old_files:
                        snapshot.delete_data_file(file)
                    for file in new_files:
                        snapshot.append_data_file(file)
        return len(batch.days)

    def _write_hints(self) -> None:
        """Write each table's version to a file, for readers without the catalogue."""
        with self._reading() as catalogue:
            newest = catalogue.table(tables.loads).metadata_location
            if self._hint_beside(newest) == _hint_of(newest):
                return
            places = [table.metadata_location for table in _loaded(catalogue)]
        for place in places:  # `loads` last: its hint shows that all are written
            self._store.put(_hint_key(self._store, place), _hint_of(place))

    def _hint_beside(self, place: str) -> bytes | None:
        try:
            return self._store.get(_hint_key(self._store, place))
        except ObjectMissing:
            return None


def _write(target: IcebergTable, rows: Sequence[dict[str, Any]]) -> list[DataFile]:
    if not rows:
        return []
    array = arrow.Table.from_pylist(rows, target.schema().as_arrow())
    return [*arrow_files._dataframe_to_data_files(target.metadata, array, target.io)]


@contextmanager
def _overwriting(present: IcebergTable) -> Iterator[Any]:
    """Make a snapshot of a table from the files that the caller deletes and appends."""
    with present.transaction() as change, change.update_snapshot().overwrite() as snapshot:
        # pyiceberg's threads share an evaluator that stores the manifest it is evaluating, and can so miss
        # days to replace. Give each manifest its own.
        evaluator_of = snapshot._build_manifest_evaluator
        snapshot.__dict__["_build_manifest_evaluator"] = lambda spec: lambda file: evaluator_of(spec)(file)
        yield snapshot


def _files_of_days(present: IcebergTable, table: Table, days: Sequence[GoldDay]) -> list[DataFile]:
    """Return the files of days in the current snapshot, or all files of `loads`, which is written whole."""
    if table is tables.loads:
        return [task.file for task in present.scan().plan_files()]
    partitions = {partition_of(table, day) for day in days}
    # Without these conditions, pyiceberg would read the manifests of all days.
    first, last = min(day.day for day in days), max(day.day for day in days)
    files = [task.file for task in present.scan(f"day >= '{first}' AND day <= '{last}'").plan_files()]
    return [file for file in files if _values(file.partition) in partitions]


def _values(partition: Record) -> tuple[Any, ...]:
    return tuple(partition[number] for number in range(len(partition)))


def _rows(connection: Connection, table: Table, *conditions: Any, **more: Any) -> list[dict[str, Any]]:
    mappings = connection.execute(select(table).where(*conditions)).mappings()
    return [{**row, **more} for row in mappings]


def _day_of(load: Mapping[str, Any]) -> GoldDay:
    return GoldDay(load["model"], load["interval_s"], load["day"].isoformat())


def _marks(loads: Iterable[Mapping[str, Any]]) -> dict[GoldDay, tuple[str, str]]:
    """Return the run of each day and the checksums of its rows, which differ between versions."""
    return {_day_of(load): (load["run_id"], load["checksums"]) for load in loads}


def _loaded(catalogue: _Catalogue) -> list[IcebergTable]:
    return [catalogue.table(table) for table in _TABLES]


def _published(catalogue: _Catalogue) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = catalogue.table(tables.loads).scan().to_arrow().to_pylist()
    return rows


def _old(table: IcebergTable) -> list[Snapshot]:
    """Return the snapshots that are not the current one."""
    return [snapshot for snapshot in table.snapshots() if snapshot != table.current_snapshot()]


def _hint_of(place: str) -> bytes:
    return posixpath.basename(place).removesuffix(METADATA).encode()


def _hint_key(store: ObjectStore, place: str) -> str:
    return posixpath.join(posixpath.dirname(key_of(store, place)), HINT)


@contextmanager
def _readable() -> Iterator[None]:
    """Turn errors of damaged or missing files into `Misconfigured` with advice on the repair."""
    try:
        yield
    except (EOFError, LookupError, TypeError, ValidationError, ValueError, zlib.error) as error:
        raise Misconfigured(
            f"the Iceberg tables cannot be read ({type(error).__name__}): restore the folder {FOLDER} of the "
            "store from a backup, or run `frametally iceberg --rebuild`, which publishes all tables again, "
            "without their history"
        ) from error


def _files_of(table: IcebergTable) -> Iterator[str]:
    """Yield the location of each file that a table needs for all its snapshots."""
    yield table.metadata_location
    yield from (entry.metadata_file for entry in table.metadata.metadata_log)
    manifests = {}
    for snapshot in table.snapshots():
        yield snapshot.manifest_list
        manifests.update({manifest.manifest_path: manifest for manifest in snapshot.manifests(table.io)})
    for path, manifest in manifests.items():
        yield path
        yield from (entry.data_file.file_path for entry in manifest.fetch_manifest_entry(table.io))


def _version(info: ObjectInfo) -> tuple[str, int]:
    """Return a metadata file's number, then its time, to sort by."""
    return posixpath.basename(info.key).partition("-")[0], info.modified_at_ms
