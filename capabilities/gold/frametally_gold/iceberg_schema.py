"""Maps a gold table to an Iceberg table: its name, columns and partitions."""

from __future__ import annotations

from typing import Any

from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table as IcebergTable
from pyiceberg.transforms import IdentityTransform
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
from sqlalchemy import Table
from sqlalchemy import types as sql

from frametally.rules.places import base_model, series_of
from frametally.rules.times import EPOCH
from frametally_gold import tables
from frametally_gold.gold_records import GoldDay
from frametally_gold.gold_rows import day_of

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
    """Return whether an earlier version, which had other columns, made the table."""
    return {*schema_of(table).column_names} != {*present.schema().column_names}
