"""Upgrades the tables of a database to the layout of this version of frametally.

`schema_version` in the database is the number of its layout. A new database is created from the book's
`tables.py`. Alembic's revisions in `migrations/<book>/`, next to the book, upgrade one of an earlier release;
there are none yet.
One process creates or changes the tables, in one transaction, while others wait.

To change the tables of a book:

1. change its `tables.py` and add 1 to `SCHEMA_VERSION`;
2. add `migrations/<book>/rev_<number>_<what>.py`: `revision = "0011"` after layout 10, `down_revision` the
   previous number, or None for the first revision, and `def upgrade() -> None` with Alembic's `op`;
3. never import the tables in a revision: they will change again, and a released revision never does;
4. a row of the index has a `crc32` over its other columns (`tables.checksum`): compute it again.

Columns that a declaration adds to a table of `Layout.growing` need no revision: each opening adds those that
are missing.

There are no downgrades: an older frametally refuses a newer database.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.schema import CreateColumn

from frametally.errors import FIRST_LAYOUT, FrametallyError

MIGRATIONS = Path(__file__).resolve().with_name("migrations")
"""The migrations of the core's own books."""
_one_at_a_time = threading.Lock()  # all threads share Alembic's `op`
_IN_CATALOGUE = tuple(
    f"frametally_{book}" for book in ("catalogue", "access", "accuracy", "alerts", "audit", "live")
)
"""The `about` tables of the books that share the video catalogue's database; any of them may be missing."""


def about_table(name: str, tables: MetaData, *more: Column[Any]) -> Table:
    """Return a book's `about` table: the number of its layout, its next number, and more columns."""
    version = Column("schema_version", Integer, primary_key=True, autoincrement=False)
    return Table(name, tables, version, Column("next_number", BigInteger, nullable=False), *more)


class Layout(NamedTuple):
    """The purpose of a database, and its tables.

    Attributes:
        refill: The command that fills it again after a loss.
        about: The table of one row that identifies a database; all tables are in its metadata.
        migrations: Folder of the revisions that lead to it; its name is the book's.
        beside: Names of other layouts' `about` tables that may be in the same SQLite file.
        has_secrets: Whether it, or a book in the same file, has data that only the file's owner may read.
        is_kept: Whether nothing can fill it again: SQLite then writes each commit to the disk at once.
        growing: Tables whose columns are declared elsewhere: a new one can be null.
    """

    part: str
    setting: str
    refill: str
    about: Table
    schema_version: int
    migrations: Path
    beside: tuple[str, ...] = ()
    has_secrets: bool = False
    is_kept: bool = False
    growing: tuple[Table, ...] = ()

    @property
    def tables(self) -> MetaData:
        """All its tables."""
        return self.about.metadata

    @classmethod
    def in_catalogue(cls, part: str, refill: str, about: Table, version: int, migrations: Path) -> Layout:
        """Return the layout of a book in the video catalogue's database, with others or alone."""
        setting = "FRAMETALLY_CATALOGUE_URL"
        return cls(
            part,
            setting,
            refill,
            about,
            version,
            migrations,
            _IN_CATALOGUE,
            has_secrets=True,
            is_kept=True,
        )


class UnknownLayout(FrametallyError):
    """The database was of a newer frametally, or of one before the first release."""

    def __init__(self, number: int) -> None:
        super().__init__(f"this version does not know layout {number}")
        self.number = number


def layout_of(connection: Connection, about: Table) -> int | None:
    """Return the number of the database's layout, or None if there are no tables yet."""
    if not inspect(connection).has_table(about.name):
        return None
    # None if the tables exist but the row does not, which none of our transactions leaves behind.
    version: int | None = connection.execute(select(about.c.schema_version)).scalar()
    return version


def missing_columns(connection: Connection, layout: Layout) -> list[Column[Any]]:
    """Return the columns that the growing tables of the database lack."""
    return [
        column
        for table in layout.growing
        for present in [{column["name"] for column in inspect(connection).get_columns(table.name)}]
        for column in table.c
        if column.name not in present
    ]


def bring_up(connection: Connection, layout: Layout) -> None:
    """Create the tables, or upgrade them in place, in a transaction that excludes all others.

    Raises:
        UnknownLayout: The database is newer than `layout`, or older than `FIRST_LAYOUT`.
    """
    about, head = layout.about, layout.schema_version
    present = layout_of(connection, about)
    if present is None:
        if connection.dialect.name == "postgresql":
            _share_conditions(layout.tables)
        layout.tables.create_all(connection)
        connection.execute(insert(about).values(schema_version=head, next_number=1))
        present = head
    if not FIRST_LAYOUT <= present <= head:
        raise UnknownLayout(present)
    if present < head:
        _upgrade(connection, layout, since=present)
        connection.execute(update(about).values(schema_version=head))
    for column in missing_columns(connection, layout):
        definition = CreateColumn(column).compile(dialect=connection.dialect)
        connection.execute(text(f"ALTER TABLE {column.table.name} ADD COLUMN {definition}"))


def _share_conditions(metadata: MetaData) -> None:
    # Tables define an index's condition for SQLite only, to avoid importing PostgreSQL's dialect everywhere.
    for index in (index for table in metadata.tables.values() for index in table.indexes):
        index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]


def _upgrade(connection: Connection, layout: Layout, *, since: int) -> None:
    # Imported here: the import takes longer than the rest of an opening, and is seldom needed.
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    revisions = layout.migrations
    scripts = ScriptDirectory(str(revisions), version_locations=[str(revisions)])

    def steps(current: Any, _: MigrationContext) -> Any:
        return scripts._upgrade_revs(f"{layout.schema_version:04d}", current)

    context = MigrationContext.configure(
        connection, opts={"version_table": f"frametally_{revisions.name}_revision", "fn": steps}
    )
    # A database of the first release has no such table, and `schema_version` is authoritative.
    context.stamp(scripts, "base" if since == FIRST_LAYOUT else f"{since:04d}")
    with _one_at_a_time, Operations.context(context):
        context.run_migrations()
