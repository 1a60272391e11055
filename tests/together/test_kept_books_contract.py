"""A catalogue's backup is one consistent moment, and restores exactly, in each database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.fakes.databases import DATABASES, Place

from frametally.adapters.sql import catalogue
from frametally.adapters.sql.engine import SqlDatabase
from frametally.adapters.sql.kept_books import KeptBooks
from frametally.backups import KeptRow
from frametally.errors import FrametallyError, Misconfigured, Poison
from frametally_accounts.audit.book import AuditBook
from frametally_accounts.audit_records import AuditEntry, first_break
from frametally_accounts.book import AccessBook
from frametally_accounts.rights import ApiToken, UserAccount
from frametally_alerts.book import AlertBook
from frametally_alerts.rules import AlertRule
from frametally_live.book import LiveBook
from frametally_live.feed_records import Feed
from frametally_videos.catalogue_by_url import open_video_catalogue

HOUR_S = 3600.0


Opened = Callable[[Callable[..., Any]], Any]


@pytest.fixture(params=DATABASES)
def places(request: pytest.FixtureRequest) -> Iterator[list[Opened]]:
    """Two databases; each opens a book of itself, which is closed at the end."""
    with ExitStack() as stack:

        def opener(place: Place) -> Opened:
            return lambda open_book: stack.enter_context(closing(open_book(*place)))

        yield [opener(stack.enter_context(request.param())) for _ in range(2)]


@pytest.fixture
def opened(places: list[Opened]) -> Opened:
    """One with an entry of each kind."""
    fill(places[0], "anna")
    return places[0]


def fill(opened: Opened, name: str) -> None:
    access, alerts = opened(AccessBook), opened(AlertBook)
    audit, catalogue = opened(AuditBook), opened(open_video_catalogue)
    access.signing_key()
    access.add_account(UserAccount(name, "run", ("gate",)))
    access.set_password(name, "hash")
    access.add_token(ApiToken(name, "ci", "run", ("gate",)), f"token-{name}", lasts_s=HOUR_S)
    access.begin_session(name, f"session-{name}", most_s=HOUR_S)
    access.put_link(name, f"link-{name}", lasts_s=HOUR_S)
    alerts.add(AlertRule(name=name, what="count", channels=("ops",), threshold=3.0))
    number = audit.write(AuditEntry(name, "users add", "größer 日本", "10.0.0.1"))
    audit.write(AuditEntry(name, "users add", "größer 日本", "10.0.0.1", number, 0))
    catalogue.queue(f"video-{name}", "checks")
    opened(LiveBook).put_camera(Feed(f"c-{name}", "camera", name, name.title(), address="rtsp://10.0.0.1/x"))
    catalogue.put_notice(name, "subject", "body")


def test_data_made_by_people_is_on_disk_once_it_is_committed(tmp_path: Path) -> None:
    layout = catalogue.LAYOUT
    with (
        closing(SqlDatabase(f"sqlite:///{tmp_path}/catalogue.sqlite", layout)) as database,
        database.writing() as connection,
    ):
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2, "FULL"


def rows_of(books: KeptBooks) -> list[KeptRow]:
    with books.rows() as rows:
        return list(rows)


def changed(opened: Opened, statement: str) -> None:
    with opened(AccessBook)._database.writing() as connection:
        connection.execute(text(statement))


def test_all_rows_are_restored_unchanged_and_numbers_and_the_audit_chain_continue(
    opened: Opened, places: list[Opened]
) -> None:
    books, other = opened(KeptBooks), places[1](KeptBooks)
    rows = rows_of(books)
    assert other.row_counts() == {}
    other.restore(rows, replace=False)
    assert rows_of(other) == rows
    assert other.row_counts() == books.row_counts()
    access, audit = places[1](AccessBook), places[1](AuditBook)
    assert access.signing_key() == opened(AccessBook).signing_key()
    assert access.sessions() == {}
    assert access.link("link-anna") is None
    assert audit.write(AuditEntry("ben", "x", "", "")) == 3
    with audit.chain() as chain:
        assert first_break(chain) is None
    for statement in ("UPDATE frametally_audit_records SET who = ''", "DELETE FROM frametally_audit_records"):
        with pytest.raises((DBAPIError, FrametallyError), match="append-only"):
            changed(places[1], statement)
    catalogue = places[1](open_video_catalogue)
    assert catalogue.queue("video-ben", "checks").id != catalogue.queue("video-anna", "checks").id
    assert catalogue.put_notice("anna", "subject", "body") is False


def test_books_that_are_not_empty_are_replaced_only_on_request(opened: Opened, places: list[Opened]) -> None:
    fill(places[1], "ben")
    places[1](open_video_catalogue).queue("video-cleo", "checks")
    books, other = opened(KeptBooks), places[1](KeptBooks)
    rows, before = rows_of(books), rows_of(other)
    with pytest.raises(Misconfigured, match=r"not empty \(accounts: 1, alert rules: 1, tokens: 1.*--replace"):
        other.restore(rows, replace=False)
    assert rows_of(other) == before
    other.restore(rows, replace=True)
    # Existing videos have numbers that must stay unique.
    [differs] = [(ours, theirs) for ours, theirs in zip(rows_of(other), rows, strict=True) if ours != theirs]
    assert [row.values for row in differs] == [{"next_number": 4}, {"next_number": 3}]
    assert places[1](AccessBook).session("session-ben", idle_s=HOUR_S, most_s=HOUR_S) is None


def test_rows_that_cannot_all_be_written_change_nothing(opened: Opened) -> None:
    books = opened(KeptBooks)
    before = rows_of(books)
    for bad in (
        KeptRow("frametally_accounts", {"name": "eve"}),
        KeptRow("pg_authid", {"name": "eve"}),
        KeptRow("frametally_accounts", {**before[1].values, "name; DROP TABLE x": 1}),
    ):
        with pytest.raises(Poison, match="do not match this version's layout"):
            books.restore([*before, bad], replace=True)
        assert rows_of(books) == before


def test_rows_are_a_snapshot_whatever_is_written_meanwhile(opened: Opened) -> None:
    books = opened(KeptBooks)
    before = rows_of(books)
    with books.rows() as rows:
        first = next(rows)
        opened(AccessBook).add_account(UserAccount("late", "look"))
        opened(AuditBook).write(AuditEntry("late", "x", "", ""))
        assert [first, *rows] == before
    assert len(rows_of(books)) == len(before) + 2
