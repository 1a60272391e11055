"""The contract of every audit book: who changed what, in a chain that shows where it is broken."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.fakes.at_once import at_once
from tests.fakes.databases import Place

from frametally.errors import FrametallyError, Misconfigured
from frametally_accounts.audit.book import AuditBook
from frametally_accounts.audit_records import (
    AuditChain,
    AuditEntry,
    AuditQuestion,
    AuditRecord,
    Held,
    digest_of,
    first_break,
)
from frametally_accounts.book import AccessBook
from frametally_videos.catalogue_by_url import open_video_catalogue

UPDATE = "UPDATE frametally_audit_records SET"
FORGE = (
    "INSERT INTO frametally_audit_records SELECT {}, at_ms, who, what, target, origin, ends, status, digest "
    "FROM frametally_audit_records"
)
ENTRY = AuditEntry("anna", "DELETE /api/videos/{}", "video_id=v1", "10.0.0.7")


@pytest.fixture
def make(database: Place) -> Iterator[Callable[[], AuditBook]]:
    with ExitStack() as stack:

        def opened() -> AuditBook:
            return stack.enter_context(closing(AuditBook(*database)))

        yield opened


@pytest.fixture
def book(make: Callable[[], AuditBook]) -> AuditBook:
    return make()


def tamper(book: AuditBook, *statements: str) -> None:
    """Change rows as a user with all rights in the database could."""
    writing = book._database.writing
    with writing() as connection:
        if connection.dialect.name == "sqlite":
            for kind in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS frametally_audit_no_{kind}"))
        else:
            connection.execute(text("ALTER TABLE frametally_audit_records DISABLE TRIGGER USER"))
        for statement in statements:
            connection.execute(text(statement))


def broken(book: AuditBook, held: Held | None = None) -> int | None:
    with book.chain() as chain:
        found = first_break(chain, held)
    return None if found is None else found.number


def test_a_change_has_a_record_before_it_is_made_and_one_of_its_outcome(book: AuditBook) -> None:
    begun = book.write(ENTRY)
    book.write(ENTRY._replace(who="(nobody)", status=401))
    book.write(ENTRY._replace(ends=begun, status=204, target="video_id=v1 name=gate"))
    [refused, done], following = book.changes(10)
    assert following == 0
    assert (done.number, refused.number) == (1, 2)
    assert (done.entry.status, done.entry.target) == (204, "video_id=v1 name=gate")
    assert (refused.entry.who, refused.entry.status) == ("(nobody)", 401)
    assert done.at_ms > 1_700_000_000_000
    assert broken(book) is None


def test_changes_are_queried_by_person_action_and_time_and_paged(book: AuditBook) -> None:
    for number in range(7):
        book.write(ENTRY._replace(who="anna" if number % 2 else "ben", target=f"video_id=V%{number}"))
    first, following = book.changes(3)
    rest, end = book.changes(10, before=following)
    assert [one.number for one in first + rest] == [7, 6, 5, 4, 3, 2, 1]
    assert (following, end) == (5, 0)

    def asked(**question: Any) -> list[int]:
        return [one.number for one in book.changes(10, AuditQuestion(**question))[0]]

    assert asked(who="anna") == [6, 4, 2]
    assert asked(who="ann") == []
    assert asked(what="v%3") == [4]
    assert asked(what="delete") == [7, 6, 5, 4, 3, 2, 1]
    at_ms = first[0].at_ms
    assert asked(from_ms=at_ms + 60_000) == []
    assert asked(to_ms=at_ms + 60_000, from_ms=at_ms - 60_000) == [7, 6, 5, 4, 3, 2, 1]


def test_records_cannot_be_changed_or_removed(book: AuditBook, database: Place) -> None:
    book.write(ENTRY)
    writing = book._database.writing
    statements = ["UPDATE frametally_audit_records SET who = 'ben'", "DELETE FROM frametally_audit_records"]
    if database[1] is not None:
        statements.append("TRUNCATE frametally_audit_records")
    for statement in statements:
        with pytest.raises((FrametallyError, DBAPIError), match="append-only"), writing() as connection:
            connection.execute(text(statement))
    assert broken(book) is None
    assert len(book.changes(10)[0]) == 1


@pytest.mark.thorough
def test_many_simultaneous_writers_do_not_fork_the_chain(make: Callable[[], AuditBook]) -> None:
    books = [make() for _ in range(4)]
    at_once(*(lambda book=book: [book.write(ENTRY) for _ in range(25)] for book in books * 2))
    assert broken(books[0]) is None
    with books[0].chain() as chain:
        assert [record.number for record in chain.records] == [*range(1, 201)]


@pytest.mark.parametrize(
    ("done", "first"),
    [
        ([f"{UPDATE} who = 'ben' WHERE number = 3"], 3),
        ([f"{UPDATE} at_ms = at_ms - 1 WHERE number = 2"], 2),
        ([f"{UPDATE} status = 200 WHERE number = 6"], 6),
        (["DELETE FROM frametally_audit_records WHERE number = 4"], 4),
        (["DELETE FROM frametally_audit_records WHERE number >= 5"], 5),
        (["DELETE FROM frametally_audit_records"], 1),
        ([f"{UPDATE} number = {new} WHERE number = {old}" for old, new in ((3, 9), (4, 3), (9, 4))], 3),
        ([f"{FORGE.format(7)} WHERE number = 6"], 7),
        (["UPDATE frametally_audit_ends SET head = ''"], 6),
    ],
)
def test_changed_removed_reordered_and_forged_records_are_reported(
    book: AuditBook, done: list[str], first: int
) -> None:
    for number in range(6):
        book.write(ENTRY._replace(target=f"video_id=v{number}"))
    tamper(book)
    assert broken(book) is None
    tamper(book, *done)
    assert broken(book) == first


def test_a_rebuilt_chain_is_detected_by_a_digest_kept_elsewhere(book: AuditBook) -> None:
    for number in range(3):
        book.write(ENTRY._replace(target=f"video_id=v{number}"))
    with book.chain() as chain:
        held = [Held(record.number, record.digest) for record in chain.records]
        head = chain.head
    assert held[-1].digest == head
    tamper(
        book,
        "DELETE FROM frametally_audit_records",
        "UPDATE frametally_audit_ends SET next_number = 1, head = ''",
    )
    book.write(ENTRY._replace(target="video_id=another"))
    assert broken(book) is None
    assert broken(book, held[0]) == 1
    assert broken(book, held[2]) == 3


def test_nothing_is_written_after_a_forged_record(book: AuditBook) -> None:
    book.write(ENTRY)
    tamper(book, FORGE.format(2))
    with pytest.raises(Misconfigured, match="frametally audit verify"):
        book.write(ENTRY)
    assert broken(book) == 2


def test_recorded_text_is_limited_and_contains_no_control_characters(book: AuditBook) -> None:
    book.write(AuditEntry("n" * 10_000_000, "\x1b[2J\0", "<b>\u202e\ud800\r\n", "x" * 5000))
    [kept] = book.changes(1)[0]
    assert all(len(text) <= 400 and text.isprintable() for text in kept.entry[:4])
    assert kept.entry.who.endswith("n…")
    assert broken(book) is None


def test_the_books_of_one_database_do_not_disturb_each_other(database: Place) -> None:
    with (
        closing(AuditBook(*database)) as audit,
        closing(AccessBook(*database)) as access,
        closing(open_video_catalogue(*database)),
    ):
        audit.write(ENTRY)
        assert access.is_empty()


WORDS = st.text(max_size=6)
ENTRIES = st.builds(
    AuditEntry, WORDS, WORDS, WORDS, WORDS, st.integers(0, 5), st.none() | st.integers(100, 599)
)


def chained(entries: list[AuditEntry]) -> list[AuditRecord]:
    records: list[AuditRecord] = []
    for number, entry in enumerate(entries, 1):
        before = records[-1].digest if records else ""
        records.append(
            AuditRecord(number, 1000 + number, entry, digest_of(before, number, 1000 + number, entry))
        )
    return records


@given(entries=st.lists(ENTRIES, min_size=1, max_size=8), data=st.data())
def test_every_change_to_a_record_is_reported_and_nothing_else(
    entries: list[AuditEntry], data: st.DataObject
) -> None:
    records = chained(entries)
    following, head = len(records) + 1, records[-1].digest

    def told(now: list[AuditRecord]) -> int | None:
        found = first_break(AuditChain(following, head, iter(now)))
        return None if found is None else found.number

    assert told(records) is None
    at = data.draw(st.integers(0, len(records) - 1))
    one = records[at]
    field = data.draw(st.sampled_from(AuditEntry._fields))
    other = data.draw(ENTRIES)
    if getattr(other, field) != getattr(one.entry, field):
        changed = one._replace(entry=one.entry._replace(**{field: getattr(other, field)}))
        assert told([*records[:at], changed, *records[at + 1 :]]) == at + 1
        # Also if the forger recomputed its digest: the next entry, or the end, does not follow.
        before = records[at - 1].digest if at else ""
        signed = changed._replace(digest=digest_of(before, one.number, one.at_ms, changed.entry))
        assert told([*records[:at], signed, *records[at + 1 :]]) in (at + 1, at + 2)
    assert told(records[:at] + records[at + 1 :]) == at + 1
    assert told(records[:at]) == at + 1
    swapped = [*records]
    to = data.draw(st.integers(0, len(records) - 1))
    if at != to:
        swapped[at] = records[to]._replace(number=at + 1)
        swapped[to] = records[at]._replace(number=to + 1)
        assert told(swapped) == min(at, to) + 1
    forged = AuditRecord(following, 1, other, digest_of(head, following, 1, other))
    after = AuditRecord(following + 1, 1, other, digest_of(forged.digest, following + 1, 1, other))
    assert told([*records, forged]) == told([*records, forged, after]) == following


def test_a_digest_is_what_the_manual_says() -> None:
    entry = AuditEntry("anna", "POST /api/cameras", "source=a, b", "::1")
    encoded = '[7,1000,"anna","POST /api/cameras","source=a, b","::1",0,null]'
    assert digest_of("ab", 7, 1000, entry) == hashlib.sha256(f"ab\n{encoded}".encode()).hexdigest()
