"""A catalogue of 0.4.0, which had six layouts, becomes one of one layout without loss; 0.4.0 then refuses it.

`fixtures/catalogue-0.4.0.sql` and `.backup` were made by 0.4.0, with an entry of each kind.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest
from sqlalchemy import Boolean, DefaultClause, MetaData, create_engine, false, insert, inspect, select, text
from sqlalchemy.pool import StaticPool
from tests.fakes.at_once import at_once
from tests.fakes.databases import Place
from tests.together.released_data import FIXTURES
from tests.together.test_migrations import connected

from frametally.adapters.sql import catalogue
from frametally.adapters.sql.kept_books import KeptBooks
from frametally.backups import KeptRow, decode_backup
from frametally_accounts.audit.book import AuditBook
from frametally_accounts.audit_records import AuditEntry, first_break
from frametally_accounts.book import AccessBook
from frametally_alerts.book import AlertBook
from frametally_live.book import LiveBook
from frametally_videos.catalogue.video_catalogue import VideoCatalogue

VERSION_TABLES = {*catalogue.FORMER, "frametally_catalogue"}
ADDED = {"frametally_signing_keys", "frametally_audit_ends"}
KEY = "29591b7923d997244c4c423a01d24820ef46e8bf07726622efeec78bd2956b8c"
BOOKS = (AccessBook, AlertBook, AuditBook, LiveBook, VideoCatalogue, KeptBooks)

Rows = dict[str, list[tuple[Any, ...]]]
Open = Callable[..., Any]


@pytest.fixture
def opened(old: Place) -> Iterator[Open]:
    with ExitStack() as stack:
        yield lambda book: stack.enter_context(closing(book(*old)))


@pytest.fixture
def old(database: Place) -> Place:
    """A catalogue of 0.4.0."""
    if database[0].startswith("sqlite"):
        with closing(sqlite3.connect(database[0].removeprefix("sqlite:///"))) as raw:
            raw.executescript(released())
        return database
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with closing(engine.raw_connection()) as raw:
        raw.executescript(released())
    tables = MetaData()
    tables.reflect(engine)
    for table in tables.tables.values():
        table.indexes.clear()
        for column in table.c:
            column.type = column.type.as_generic()
            if isinstance(column.type, Boolean):
                column.server_default = DefaultClause(false())
    with connected(database) as connection, engine.connect() as source:
        tables.create_all(connection)
        for table in tables.sorted_tables:
            for row in source.execute(select(table)):
                connection.execute(insert(table).values(**row._mapping))
    return database


def released() -> str:
    return (FIXTURES / "catalogue-0.4.0.sql").read_text(encoding="utf-8")


def rows_of(place: Place) -> Rows:
    with connected(place) as connection:
        tables = MetaData()
        tables.reflect(connection)
        return {
            name: sorted(tuple(row) for row in connection.execute(select(table)))
            for name, table in tables.tables.items()
        }


@contextmanager
def kept(place: Place) -> Iterator[None]:
    """Check that a block upgrades the place and keeps each row but those of version tables."""
    before = rows_of(place)
    yield
    after = rows_of(place)
    assert before["frametally_accounts"], "rows to lose"
    assert {name: after[name] for name in before.keys() - VERSION_TABLES} == {
        name: rows for name, rows in before.items() if name not in VERSION_TABLES
    }
    assert after["frametally_catalogue"] == [(catalogue.SCHEMA_VERSION, 41, 4_102_444_800_000)]
    assert after["frametally_signing_keys"] == [(KEY,)]
    assert after.keys() == catalogue.all_tables().tables.keys()


@pytest.mark.parametrize("book", BOOKS)
def test_any_book_upgrades_a_catalogue_of_0_4_0_without_loss(old: Place, opened: Open, book: Any) -> None:
    with kept(old):
        opened(book)


def test_numbers_the_audit_chain_and_the_signing_key_of_0_4_0_continue(opened: Open) -> None:
    audit, jobs = opened(AuditBook), opened(VideoCatalogue)
    with audit.chain() as chain:
        assert first_break(chain) is None
    assert audit.write(AuditEntry("ben", "x", "", "")) == 3
    with audit.chain() as chain:
        assert first_break(chain) is None
    assert opened(AccessBook).signing_key().hex() == KEY
    jobs.queue("video-ben", "checks")
    jobs.put_notice("ben", "subject", "body")
    with jobs._database.reading() as connection:
        numbers = connection.execute(text("SELECT max(number) FROM frametally_notices")).scalar_one()
    assert numbers == 42, "no number of another book comes again"


MISSING = {
    "only accounts": VERSION_TABLES - {"frametally_access"},
    "only cameras": VERSION_TABLES - {"frametally_live"},
    "no accuracy checks": {"frametally_accuracy"},
}


@pytest.mark.parametrize("missing", MISSING.values(), ids=[*MISSING])
def test_a_catalogue_of_0_4_0_may_lack_books(old: Place, opened: Open, missing: set[str]) -> None:
    with connected(old) as connection:
        for name in missing:
            connection.execute(text(f"DROP TABLE {name}"))
    opened(AlertBook)
    after = rows_of(old)
    assert [row[0] for row in after["frametally_catalogue"]] == [catalogue.SCHEMA_VERSION]
    assert after.keys() == catalogue.all_tables().tables.keys()
    assert after["frametally_feeds"]


def test_of_many_processes_one_upgrades_and_the_others_wait(old: Place, opened: Open) -> None:
    with kept(old):
        at_once(*(lambda book=book: opened(book) for book in BOOKS))


@pytest.mark.parametrize("dropped", [1, 5])
def test_an_upgrade_that_is_killed_midway_loses_nothing(old: Place, opened: Open, dropped: int) -> None:
    before = rows_of(old)
    child = multiprocessing.get_context("spawn").Process(target=killed_midway, args=(old, dropped))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert rows_of(old) == before
    with kept(old):
        opened(AuditBook)


def killed_midway(place: Place, dropped: int) -> None:
    """Upgrade the place, and be killed when the table with this number is dropped."""
    from alembic import op

    drop, left = op.drop_table, iter(range(dropped, 0, -1))

    def drop_or_die(name: str) -> None:
        drop(name)
        if next(left) == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    pytest.MonkeyPatch().setattr(op, "drop_table", drop_or_die)
    AuditBook(*place)


def test_0_4_0_finds_the_later_version_in_each_of_its_version_tables(database: Place) -> None:
    AccessBook(*database).close()  # a new catalogue, not an upgraded one
    with connected(database) as connection:
        for name in VERSION_TABLES:
            assert inspect(connection).has_table(name), "as 0.4.0 asks"
            lock = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
            [version] = connection.execute(text(f"SELECT schema_version FROM {name}{lock}")).scalars()  # noqa: S608
            assert version == catalogue.SCHEMA_VERSION


def test_a_backup_of_0_4_0_is_restored(database: Place) -> None:
    data = (FIXTURES / "catalogue-0.4.0.backup").read_bytes()
    backup = decode_backup(data, key="", name="released")
    with closing(KeptBooks(*database)) as books:
        backup.check_layout(catalogue.SCHEMA_VERSION)
        books.restore(backup.rows(), replace=False)
        assert books.row_counts() == books.translate_counts(backup.numbers())
        with books.rows() as rows:
            assert next(rows).values == {"next_number": 41}
    with closing(AuditBook(*database)) as audit, audit.chain() as chain:
        assert first_break(chain) is None
    with closing(AccessBook(*database)) as access:
        assert access.signing_key().hex() == KEY


def test_an_empty_signing_key_in_a_backup_of_0_4_0_signs_nothing(database: Place) -> None:
    with closing(KeptBooks(*database)) as books:
        books.restore([KeptRow("frametally_access", {"signing_key": ""})], replace=False)
    with closing(AccessBook(*database)) as access:
        key = access.signing_key()
        assert (len(key), access.signing_key()) == (32, key)


def test_the_tables_of_a_capability_that_was_away_are_added(database: Place) -> None:
    AccessBook(*database).close()
    with connected(database) as connection:
        for name in [name for name in rows_of(database) if name.startswith("frametally_alert")]:
            connection.execute(text(f"DROP TABLE {name}"))
    with closing(AlertBook(*database)) as book:
        assert book.rules() == []
