"""The layout of the catalogue's database: all that people made, and that nothing else can fill again.

Each capability declares its tables in a `tables.py`, which its `plugin.py` names. All of them have one
version, one chain of revisions, one lock and one backup. `info` of a table says what a backup does with its
rows:

- `kept`: it saves them; this is what people call them, or empty if nobody counts them;
- `emptied`: a restore deletes them;
- `unlocked`: allows a restore to delete rows that the database protects otherwise.
"""

from __future__ import annotations

from importlib import import_module

from sqlalchemy import BigInteger, Column, Connection, MetaData, event, select, update

from frametally.adapters.sql.clock import now_ms
from frametally.adapters.sql.migration import MIGRATIONS, Layout, about_table
from frametally.plugins import plugins

SCHEMA_VERSION = 11
TABLES = MetaData()
"""The tables that are imported so far."""
FORMER = tuple(f"frametally_{book}" for book in ("access", "accuracy", "alerts", "audit", "live"))
"""The version tables of 0.4.0, which had a layout for each book. Any of them may be missing."""

about = about_table(
    "frametally_catalogue", TABLES, Column("changed", BigInteger, nullable=False, server_default="0")
)
"""`next_number` numbers jobs and messages in order; `changed` rises with each change that a page shows."""


@event.listens_for(about, "after_create")
def _refuse_former(_: object, connection: Connection, **__: object) -> None:
    """Show the version where 0.4.0 looks for it, so that it refuses this database instead of changing it."""
    for name in FORMER:
        connection.exec_driver_sql(f"CREATE VIEW {name} AS SELECT schema_version FROM {about.name}")  # noqa: S608


def all_tables() -> MetaData:
    """Import the tables of all capabilities that are here, and return them."""
    for module in (module for plugin in plugins() for module in plugin.tables):
        import_module(module)
    return TABLES


LAYOUT = Layout(
    part="catalogue",
    setting="FRAMETALLY_CATALOGUE_URL",
    refill="frametally restore",
    about=about,
    schema_version=SCHEMA_VERSION,
    migrations=MIGRATIONS / "catalogue",
    former=FORMER,
    declare=all_tables,
    has_secrets=True,
    is_kept=True,
)


def next_number(connection: Connection) -> int:
    """Take the next number, in the writer's transaction."""
    number = about.c.next_number
    query = update(about).values(next_number=number + 1).returning(number)
    return int(connection.execute(query).scalar_one()) - 1


def note_change(connection: Connection) -> None:
    """Record, in the writer's transaction, a change to something that a page shows.

    Uses the clock if that is ahead, so that a catalogue created again always has a new version.
    """
    changed_ms = connection.execute(select(about.c.changed)).scalar_one()
    connection.execute(update(about).values(changed=max(changed_ms + 1, now_ms(connection))))
