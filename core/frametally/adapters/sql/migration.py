"""Upgrades the tables of a database to the layout of this version of frametally.

`schema_version` in the database is the number of its layout. A new database is created from its `tables.py`,
or from those of all capabilities if it is the catalogue's (`catalogue.py`). Alembic's revisions in
`migrations/<name>/` upgrade one of an earlier release. One process creates or changes the tables, in one
transaction, while others wait.

To change a table:

1. change its `tables.py`, and add 1 to `SCHEMA_VERSION` of the layout;
2. add `migrations/<name>/rev_<number>_<what>.py`: `revision = "0012"` after layout 11, `down_revision` the
   previous number, or None for the first revision, and `def upgrade() -> None` with Alembic's `op`;
3. never import the tables in a revision: they will change again, and a released revision never does;
4. change a capability's table only if it exists: then it is of the same layout as the rest, also if the
   capability was deleted for a while;
5. a row of the index has a `crc32` over its other columns (`tables.checksum`): compute it again.

Tables and columns that are new and may be empty need no revision: each opening adds missing tables, and the
missing columns of `Layout.growing`.

There are no downgrades: an older frametally refuses a newer database.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    column,
    insert,
    inspect,
    select,
    table,
    text,
    update,
)
from sqlalchemy.schema import CreateColumn

from frametally.errors import FIRST_LAYOUT, FrametallyError

MIGRATIONS = Path(__file__).resolve().with_name("migrations")
"""The migrations of the core's own layouts."""
_one_at_a_time = threading.Lock()  # all threads share Alembic's `op`


def about_table(name: str, tables: MetaData, *more: Column[Any]) -> Table:
    """Return the `about` table of a layout: its number, its next number, and more columns."""
    version = Column("schema_version", Integer, primary_key=True, autoincrement=False)
    return Table(name, tables, version, Column("next_number", BigInteger, nullable=False), *more)


class Layout(NamedTuple):
    """The purpose of a database, and its tables.

    Attributes:
        refill: The command that fills it again after a loss.
        about: The table of one row that identifies a database; all tables are in its metadata.
        migrations: Folder of the revisions that lead to it.
        former: Names of other tables with a `schema_version` that a database of `FIRST_LAYOUT` may have.
        declare: Declares its tables that are not imported yet, if its tables are declared in several places:
            each opening adds those that are missing.
        has_secrets: Whether it has data that only the file's owner may read.
        is_kept: Whether nothing can fill it again: SQLite then writes each commit to the disk at once.
        growing: Tables whose columns are declared elsewhere: a new one can be null.
    """

    part: str
    setting: str
    refill: str
    about: Table
    schema_version: int
    migrations: Path
    former: tuple[str, ...] = ()
    declare: Callable[[], object] | None = None
    has_secrets: bool = False
    is_kept: bool = False
    growing: tuple[Table, ...] = ()

    @property
    def tables(self) -> MetaData:
        """Its tables that are declared so far."""
        return self.about.metadata


class UnknownLayout(FrametallyError):
    """The database was of a newer frametally, or of one before the first release."""

    def __init__(self, number: int) -> None:
        super().__init__(f"this version does not know layout {number}")
        self.number = number


def is_current(connection: Connection, layout: Layout) -> bool:
    """Return whether the database has this layout, with all that each opening adds."""
    names = inspect(connection).get_table_names()
    lacks_some = layout.declare is not None and not layout.tables.tables.keys() <= {*names}
    if lacks_some or layout_of(connection, layout, names) != layout.schema_version:
        return False
    return not missing_columns(connection, layout)


def layout_of(connection: Connection, layout: Layout, names: Collection[str]) -> int | None:
    """Return the number of the layout of a database with these tables, or None if it has none of it yet."""
    versions = [
        connection.execute(select(column("schema_version")).select_from(table(name))).scalar()
        for name in (layout.about.name, *layout.former)
        if name in names
    ]
    # A table without its row is not one of ours: none of our transactions leaves it behind.
    return min((version for version in versions if version is not None), default=None)


def missing_columns(connection: Connection, layout: Layout) -> list[Column[Any]]:
    """Return the columns that the growing tables of the database lack."""
    return [
        declared
        for growing in layout.growing
        for present in [{present["name"] for present in inspect(connection).get_columns(growing.name)}]
        for declared in growing.c
        if declared.name not in present
    ]


def bring_up(connection: Connection, layout: Layout) -> None:
    """Create the tables, or upgrade them in place, in a transaction that excludes all others.

    Raises:
        UnknownLayout: The database is newer than `layout`, or older than `FIRST_LAYOUT`.
    """
    if layout.declare is not None:
        layout.declare()
    about, head = layout.about, layout.schema_version
    present = layout_of(connection, layout, inspect(connection).get_table_names())
    if present is not None and not FIRST_LAYOUT <= present <= head:
        raise UnknownLayout(present)
    if present is not None and present < head:
        _upgrade(connection, layout, since=present)
        connection.execute(update(about).values(schema_version=head))
    if present is None or layout.declare is not None:
        _create_missing(connection, layout.tables)
    if present is None:
        connection.execute(insert(about).values(schema_version=head, next_number=1))
    for missing in missing_columns(connection, layout):
        definition = CreateColumn(missing).compile(dialect=connection.dialect)
        connection.execute(text(f"ALTER TABLE {missing.table.name} ADD COLUMN {definition}"))


def _create_missing(connection: Connection, tables: MetaData) -> None:
    if connection.dialect.name == "postgresql":
        # Tables define an index's condition for SQLite only, so that not all import PostgreSQL's dialect.
        for index in (index for declared in tables.tables.values() for index in declared.indexes):
            index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]
    tables.create_all(connection)


def _upgrade(connection: Connection, layout: Layout, *, since: int) -> None:
    # Imported here: the import takes longer than the rest of an opening, and is seldom needed.
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(layout.migrations), version_locations=[str(layout.migrations)])
    # Not Alembic's own record of its revisions: `schema_version` is the only one.
    due = [step for step in scripts.walk_revisions() if since < int(step.revision) <= layout.schema_version]
    with _one_at_a_time, Operations.context(MigrationContext.configure(connection)):
        for step in reversed(due):
            step.module.upgrade()
