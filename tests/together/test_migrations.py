"""Databases of earlier releases are upgraded in place, by one process, with all their content; others are
refused.

A made-up history shows what an upgrade keeps; `test_catalogue_upgrade.py` upgrades the catalogue of 0.4.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    inspect,
    select,
    text,
)
from tests.fakes.at_once import at_once
from tests.fakes.databases import Place
from tests.kit.errors import one_line

from frametally.adapters.sql import catalogue
from frametally.adapters.sql.engine import Layout, SqlDatabase, SqlServer
from frametally.adapters.sql.index import counts as sql_index
from frametally.adapters.sql.ledger.database import ledger_layout
from frametally.errors import FIRST_LAYOUT, Misconfigured, TooOld
from frametally_gold import book as sql_gold

TOO_OLD = r"was made by a version before 0\.4\.0, which is not supported"
NAMES: dict[str, Any] = {"ids": lambda layout: layout.migrations.name}


@pytest.fixture
def opened() -> Iterator[Callable[..., SqlDatabase]]:
    with ExitStack() as stack:

        def make(place: Place, layout: Layout) -> SqlDatabase:
            return stack.enter_context(closing(SqlDatabase(place[0], layout, access=place[1])))

        yield make


LAYOUTS = [
    sql_index._LAYOUT,
    ledger_layout(),
    catalogue.LAYOUT,
    sql_gold._LAYOUT,
]


@pytest.mark.parametrize("layout", LAYOUTS, **NAMES)
def test_the_layout_version_is_that_of_the_last_revision(layout: Layout) -> None:
    revisions = [int(path.stem.split("_")[1]) for path in layout.migrations.glob("rev_*.py")]
    assert layout.schema_version == max([FIRST_LAYOUT, *revisions])


@contextmanager
def connected(place: Place) -> Iterator[Connection]:
    """One transaction, without the code under test."""
    url, access = place
    if url.startswith("sqlite"):
        engine = create_engine(url)
    else:
        engine = SqlServer(url, access, part="index", setting="FRAMETALLY_INDEX_URL").open()
    with engine.begin() as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize("layout", LAYOUTS, **NAMES)
def test_a_database_older_than_the_first_release_gives_one_line_and_is_not_changed(
    database: Place, layout: Layout, opened: Callable[..., SqlDatabase]
) -> None:
    opened(database, layout)
    with connected(database) as connection:
        connection.execute(layout.about.update().values(schema_version=FIRST_LAYOUT - 1))
    with one_line(TooOld, match=rf"{TOO_OLD}; set {layout.setting} to .*{layout.refill}"):
        opened(database, layout)
    with connected(database) as connection:
        assert connection.execute(select(layout.about.c.schema_version)).scalar_one() == FIRST_LAYOUT - 1


@pytest.mark.parametrize("layout", LAYOUTS, **NAMES)
def test_a_database_of_a_newer_frametally_is_refused_with_one_line(
    database: Place, layout: Layout, opened: Callable[..., SqlDatabase]
) -> None:
    opened(database, layout)
    with connected(database) as connection:
        connection.execute(layout.about.update().values(schema_version=layout.schema_version + 1))
    with one_line(Misconfigured, match=f"has layout {layout.schema_version + 1}; .*use the version that"):
        opened(database, layout)


# A separate history, so that the kept data of an upgrade does not depend on today's layouts.
THINGS = MetaData()
about = Table(
    "things_about",
    THINGS,
    Column("schema_version", Integer, primary_key=True, autoincrement=False),
    Column("next_number", BigInteger, nullable=False),
)
things = Table(
    "things", THINGS, Column("name", Text, primary_key=True), Column("letters", BigInteger, nullable=False)
)
FIRST = """
CREATE TABLE things_about (schema_version INTEGER PRIMARY KEY, next_number BIGINT NOT NULL);
INSERT INTO things_about VALUES (10, 8);
CREATE TABLE things (name TEXT PRIMARY KEY);
INSERT INTO things VALUES ('car'), ('lorry')
"""
SECOND = """
import pathlib
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0011", None
def upgrade():
    with pathlib.Path(__file__).with_name("times").open("a") as file:
        file.write("x")
    op.add_column("things", sa.Column("letters", sa.BigInteger(), nullable=True))
    op.execute("UPDATE things SET letters = length(name)")
    with op.batch_alter_table("things") as table:
        table.alter_column("letters", nullable=False)
"""
THIRD = """
from alembic import op
revision, down_revision = "0012", "0011"
def upgrade():
    op.execute("DELETE FROM things")
    op.execute("UPDATE nothing SET x = 1")
"""


@pytest.fixture
def history(tmp_path: Path) -> Layout:
    """Layouts 10 to 12; the migration to 12 fails at its end."""
    folder = tmp_path / "history"
    folder.mkdir()
    for number, content in enumerate((SECOND, THIRD), start=11):
        (folder / f"rev_{number}.py").write_text(content)
    return Layout(
        part="thing",
        setting="FRAMETALLY_THING_URL",
        refill="frametally thing",
        about=about,
        schema_version=11,
        migrations=folder,
    )


@pytest.fixture
def old(database: Place, history: Layout) -> Place:
    """A place with layout 10 and some content."""
    with connected(database) as connection:
        for statement in FIRST.split(";"):
            connection.execute(text(statement))
    return database


def names_and_letters(database: SqlDatabase) -> list[Any]:
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(select(things).order_by(things.c.letters))]


def test_only_one_of_many_processes_upgrades_an_old_database_and_the_others_wait(
    old: Place, history: Layout, opened: Callable[..., SqlDatabase]
) -> None:
    databases = at_once(*[lambda: opened(old, history)] * 6)
    assert [names_and_letters(database) for database in databases] == [[("car", 3), ("lorry", 5)]] * 6
    assert (history.migrations / "times").read_text() == "x"


def test_a_failed_upgrade_leaves_the_database_unchanged(
    old: Place, history: Layout, opened: Callable[..., SqlDatabase]
) -> None:
    with pytest.raises(Misconfigured):
        opened(old, history._replace(schema_version=12))
    with connected(old) as connection:
        assert [column["name"] for column in inspect(connection).get_columns("things")] == ["name"]
        assert connection.execute(select(about.c.schema_version)).scalar_one() == 10
    assert names_and_letters(opened(old, history)) == [("car", 3), ("lorry", 5)]


def test_an_older_process_that_still_runs_can_no_longer_write(
    old: Place, history: Layout, opened: Callable[..., SqlDatabase]
) -> None:
    with closing(opened(old, history._replace(schema_version=10))) as at_work:
        opened(old, history)
        with pytest.raises(Misconfigured, match="restart this one"), at_work.writing() as connection:
            connection.execute(text("DELETE FROM things"))
    assert len(names_and_letters(opened(old, history))) == 2


def test_an_opening_adds_the_columns_that_a_growing_table_lacks_once(
    old: Place, history: Layout, opened: Callable[..., SqlDatabase]
) -> None:
    grown = Table("things", MetaData(), Column("name", Text), Column("colour", Text, nullable=True))
    for _ in range(2):
        database = opened(old, history._replace(growing=(grown,)))
        assert names_and_letters(database) == [("car", 3), ("lorry", 5)]
    with connected(old) as connection:
        columns = [column["name"] for column in inspect(connection).get_columns("things")]
        assert columns == ["name", "letters", "colour"]
