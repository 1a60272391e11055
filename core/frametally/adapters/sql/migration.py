"""Brings the tables of an index or a ledger to the layout that this frametally knows.

`schema_version` in the database says which layout it has; layouts are numbered from 1, the first release, and
each later one is a revision of Alembic in `migrations/`. One process makes or changes the tables, in one
transaction, while others wait; who comes next finds it done.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, MetaData, Table, insert, inspect, select, update

from frametally.errors import FrametallyError

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
_one_at_a_time = threading.Lock()  # Alembic's `op` is one for all threads


class Layout(NamedTuple):
    """What a database is for, and its tables.

    Attributes:
        what: What people call it.
        setting: The setting that names it.
        refill: How it is filled again after it was lost.
        tables: All of them, with `about` among them.
        about: The table of one row, `schema_version` and `next_number`, by which a database is recognised.
        schema_version: Of these tables.
        migrations: Folder of the revisions that lead to it, in `migrations/`.
        beside: Names of other layouts' `about` that may lie in the same SQLite file.
        has_secrets: Whether it, or one beside it, has what only the file's owner may read.
    """

    what: str
    setting: str
    refill: str
    tables: MetaData
    about: Table
    schema_version: int
    migrations: str
    beside: tuple[str, ...] = ()
    has_secrets: bool = False


class NewerLayout(FrametallyError):
    """The database was made by a newer frametally."""

    def __init__(self, found: int) -> None:
        """Keep the number of its layout."""
        super().__init__(f"layout {found} is of a newer frametally")
        self.found = found


def layout_of(connection: Connection, about: Table) -> int | None:
    """Return the number of the database's layout; None if there are no tables yet."""
    if not inspect(connection).has_table(about.name):
        return None
    # None: its tables were made and its row was not, which no transaction of ours leaves behind.
    found: int | None = connection.execute(select(about.c.schema_version)).scalar()
    return found


def bring_up(connection: Connection, layout: Layout) -> None:
    """Make the tables, or upgrade them in place, in a transaction that nobody else is in at the same time.

    Raises:
        NewerLayout: The database is beyond `layout`.
    """
    about, head = layout.about, layout.schema_version
    present = layout_of(connection, about)
    if present is None:
        layout.tables.create_all(connection)
        connection.execute(insert(about).values(schema_version=head, next_number=1))
        present = head
    if present > head:
        raise NewerLayout(present)
    if present < head:
        upgrade(connection, folder=layout.migrations, since=present, to=head)
        connection.execute(update(about).values(schema_version=head))


def upgrade(connection: Connection, *, folder: str, since: int, to: int) -> None:
    """Run the revisions after layout `since` (0: from nothing), up to layout `to`."""
    # Imported here: it takes longer than all the rest of an opening, and is seldom needed.
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    revisions = MIGRATIONS / folder
    scripts = ScriptDirectory(str(revisions), version_locations=[str(revisions)])

    def steps(current: Any, _: MigrationContext) -> Any:
        return scripts._upgrade_revs(revision_of(to), current)

    context = MigrationContext.configure(
        connection, opts={"version_table": f"frametally_{revisions.name}_revision", "fn": steps}
    )
    # The first release had no such table, and `schema_version` is what is true.
    context.stamp(scripts, revision_of(since) if since else "base")
    with _one_at_a_time, Operations.context(context):
        context.run_migrations()


def revision_of(layout: int) -> str:
    """Return Alembic's name of a layout."""
    return f"{layout:04d}"
