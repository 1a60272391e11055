"""Upgrades the tables of a database to the layout of this version of frametally.

`schema_version` in the database is the number of its layout. A new database is made from the book's
`tables.py`. Alembic's revisions in `migrations/<book>/`, beside the book, upgrade one of an earlier release.
One process makes or changes the tables, in one transaction, while others wait.

To change the tables of a book:

1. change its `tables.py` and add 1 to `SCHEMA_VERSION`; `first_version` of its `Layout` stays;
2. add `migrations/<book>/rev_<number>_<what>.py`: `revision = "0005"` after layout 4, `down_revision` the
   number before, or None for the first revision, and `def upgrade() -> None` with Alembic's `op`;
3. never import the tables from a revision: they will change again, and a released revision never does;
4. a row of the index carries a `crc32` over its other columns (`tables.checksum`): compute it again.

There is no way down: an older frametally refuses a newer database.
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
    update,
)

from frametally.errors import FrametallyError

MIGRATIONS = Path(__file__).resolve().with_name("migrations")
"""Those of the core's own books."""
_one_at_a_time = threading.Lock()  # Alembic's `op` is one for all threads
_IN_CATALOGUE = tuple(
    f"frametally_{book}" for book in ("catalogue", "access", "accuracy", "alerts", "audit", "live")
)
"""The `about` tables of the books that share the video catalogue's database; any of them may be missing."""


def about_table(name: str, tables: MetaData, *more: Column[Any]) -> Table:
    """Return a book's `about`: the number of its layout, the next number that it gives, and what it adds."""
    version = Column("schema_version", Integer, primary_key=True, autoincrement=False)
    return Table(name, tables, version, Column("next_number", BigInteger, nullable=False), *more)


class Layout(NamedTuple):
    """The purpose of a database, and its tables.

    Attributes:
        refill: How it is filled again after it was lost.
        about: The table of one row, by which a database is recognised; all tables are in its metadata.
        migrations: Folder of the revisions that lead to it; its name is the book's.
        first_version: The layout of the first release; no revision leads to it.
        beside: Names of other layouts' `about` that may lie in the same SQLite file.
        has_secrets: Whether it, or one beside it, has what only the file's owner may read.
    """

    part: str
    setting: str
    refill: str
    about: Table
    schema_version: int
    migrations: Path
    first_version: int = 1
    beside: tuple[str, ...] = ()
    has_secrets: bool = False

    @property
    def tables(self) -> MetaData:
        """All its tables."""
        return self.about.metadata

    @classmethod
    def in_catalogue(
        cls, part: str, refill: str, about: Table, version: int, migrations: Path, *, first_version: int = 1
    ) -> Layout:
        """Return the layout of a book in the video catalogue's database, beside others or alone."""
        setting = "FRAMETALLY_CATALOGUE_URL"
        return cls(
            part, setting, refill, about, version, migrations, first_version, _IN_CATALOGUE, has_secrets=True
        )


class UnknownLayout(FrametallyError):
    """The database was made by a newer frametally, or by one from before the first release."""

    def __init__(self, number: int) -> None:
        super().__init__(f"this version does not know layout {number}")
        self.number = number


def layout_of(connection: Connection, about: Table) -> int | None:
    """Return the number of the database's layout; None if there are no tables yet."""
    if not inspect(connection).has_table(about.name):
        return None
    # None: its tables were made and its row was not, which no transaction of ours leaves behind.
    version: int | None = connection.execute(select(about.c.schema_version)).scalar()
    return version


def bring_up(connection: Connection, layout: Layout) -> None:
    """Make the tables, or upgrade them in place, in a transaction that excludes all others.

    Raises:
        UnknownLayout: The database is beyond `layout`, or older than the first release.
    """
    about, head = layout.about, layout.schema_version
    present = layout_of(connection, about)
    if present is None:
        if connection.dialect.name == "postgresql":
            _share_conditions(layout.tables)
        layout.tables.create_all(connection)
        connection.execute(insert(about).values(schema_version=head, next_number=1))
        present = head
    if not layout.first_version <= present <= head:
        raise UnknownLayout(present)
    if present < head:
        _upgrade(connection, layout, since=present)
        connection.execute(update(about).values(schema_version=head))


def _share_conditions(metadata: MetaData) -> None:
    # Tables name an index's condition for SQLite alone: PostgreSQL's dialect would be imported everywhere.
    for index in (index for table in metadata.tables.values() for index in table.indexes):
        index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]


def _upgrade(connection: Connection, layout: Layout, *, since: int) -> None:
    # Imported here: it takes longer than all the rest of an opening, and is seldom needed.
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
    # A database of the first release has no such table, and `schema_version` is what is true.
    context.stamp(scripts, "base" if since == layout.first_version else f"{since:04d}")
    with _one_at_a_time, Operations.context(context):
        context.run_migrations()
