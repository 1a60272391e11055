"""The contract of every access book: accounts, their sessions and links, and attempted sign-ins."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.fakes.at_once import at_once
from tests.fakes.databases import Place

from frametally.errors import Misconfigured
from frametally_accounts.access_rows import MOST_WAIT_S, TriedBy, UsedInFuture
from frametally_accounts.book import AccessBook
from frametally_accounts.people import changes
from frametally_accounts.rights import ApiToken, Credentials, UserAccount
from frametally_videos.catalogue_by_url import open_video_catalogue

HOUR_S = 3600.0
ANNA = UserAccount("anna", "run")
BEN = UserAccount("ben", "look", ("gate", "harbour"))
BY_NAME = [TriedBy("account:anna", 2)]


@pytest.fixture
def make(database: Place) -> Iterator[Callable[[], AccessBook]]:
    with ExitStack() as stack:

        def opened() -> AccessBook:
            return stack.enter_context(closing(AccessBook(*database)))

        yield opened


@pytest.fixture
def book(make: Callable[[], AccessBook]) -> AccessBook:
    return make()


def change(book: AccessBook, statement: str) -> None:
    """Change rows to what another setting of the clock would have written."""
    with book._database.writing() as connection:
        connection.execute(text(statement))


def begin(book: AccessBook, session: str = "t") -> str:
    assert book.begin_session("anna", session, most_s=HOUR_S)
    return session


def is_open(book: AccessBook, session: str = "t") -> bool:
    return book.session(session, idle_s=HOUR_S, most_s=2 * HOUR_S) is not None


@pytest.mark.parametrize("how", ["remove", "lower"])
def test_two_administrators_who_demote_each_other_at_once_leave_one_administrator(
    make: Callable[[], AccessBook], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = [make(), make()]
    pair = [UserAccount(name, "run") for name in ("anna", "berta")]
    for account in pair:
        books[0].add_account(account)
    both_are_here = threading.Barrier(2)

    def met(method: Callable[..., bool]) -> Callable[..., bool]:
        def run(*arguments: Any, **options: Any) -> bool:
            both_are_here.wait(timeout=60)  # from here on, anything read before is out of date
            return method(*arguments, **options)

        return run

    for name in ("remove_account", "set_rights"):
        monkeypatch.setattr(AccessBook, name, met(getattr(AccessBook, name)))

    def take_rights(number: int) -> bool:
        try:
            if how == "remove":
                changes.remove_account(books[number], pair[1 - number])
            else:
                changes.change_rights(books[number], pair[1 - number], "look", ())
        except changes.AccessRefused as refused:
            assert "is the last account with the Admin role" in refused.detail
            return False
        return True

    assert sorted(at_once(partial(take_rights, 0), partial(take_rights, 1))) == [False, True]
    assert len([one for one in books[0].accounts() if one.may_administer]) == 1


def test_account_names_are_unique(book: AccessBook) -> None:
    assert book.is_empty()
    assert book.add_account(BEN)
    assert book.add_account(ANNA)
    assert not book.add_account(ANNA._replace(role="look"))
    assert not book.is_empty()
    assert [one._replace(created_at_ms=0) for one in book.accounts()] == [ANNA, BEN]
    assert book.account("ben") == book.accounts()[1]
    assert book.account("nobody") is None
    assert book.remove_account("anna")
    assert not book.remove_account("anna")
    assert [one.name for one in book.accounts()] == ["ben"]


def test_nothing_is_kept_for_an_unknown_account(book: AccessBook) -> None:
    assert book.credentials("anna") is None
    assert not book.set_password("anna", "h")
    assert not book.set_code_secret("anna", "S")
    assert not book.use_code("anna", 5)
    assert not book.put_link("anna", "l", lasts_s=HOUR_S)
    assert not book.begin_session("anna", "t", most_s=HOUR_S)
    assert book.link("l") is None
    assert not is_open(book)


def test_a_session_has_the_rights_of_its_account_in_every_process(make: Callable[[], AccessBook]) -> None:
    book, other = make(), make()
    assert book.add_account(BEN)
    assert book.begin_session("ben", "t", most_s=HOUR_S)
    session = other.session("t", idle_s=HOUR_S, most_s=HOUR_S)
    assert (session.account.role, session.account.sources) == ("look", ("gate", "harbour"))
    assert other.sessions() == {"ben": 1}
    other.end_session("t")
    other.end_session("t")
    assert book.session("t", idle_s=HOUR_S, most_s=HOUR_S) is None
    assert book.signing_key() == other.signing_key()
    assert len(book.signing_key()) == 32


def test_a_session_ends_when_it_is_unused_and_at_its_maximum_age(book: AccessBook) -> None:
    assert book.add_account(ANNA)
    begin(book)
    change(
        book,
        "UPDATE frametally_sessions "
        "SET seen_at_ms = seen_at_ms - 3500000, begun_at_ms = begun_at_ms - 3500000",
    )
    assert is_open(book)  # and was recognized by it
    change(book, "UPDATE frametally_sessions SET begun_at_ms = begun_at_ms - 3500000")
    assert is_open(book)
    change(book, "UPDATE frametally_sessions SET begun_at_ms = begun_at_ms - 3500000")
    assert not is_open(book)
    begin(book, "u")
    change(book, "UPDATE frametally_sessions SET seen_at_ms = seen_at_ms - 3700000")
    assert not is_open(book, "u")
    assert book.sessions() == {}


def test_the_sessions_of_an_account_are_listed_without_expired_ones(book: AccessBook) -> None:
    assert book.add_account(ANNA)
    assert book.add_account(BEN)
    for session in ("left", "old", "ahead", "earlier", "last"):
        begin(book, session)
    assert book.begin_session("ben", "of-ben", most_s=HOUR_S)
    for session, aged in (
        ("left", "seen_at_ms = seen_at_ms - 3700000"),
        ("old", "begun_at_ms = begun_at_ms - 7300000"),
        ("ahead", "seen_at_ms = seen_at_ms + 7300000"),
        ("earlier", "seen_at_ms = seen_at_ms - 5000"),
    ):
        change(book, f"UPDATE frametally_sessions SET {aged} WHERE token_hash = '{session}'")  # noqa: S608
    told = book.sessions_of("anna", idle_s=HOUR_S, most_s=2 * HOUR_S)
    assert [one.token_hash for one in told] == ["last", "earlier"]
    assert told[1].begun_at_ms - told[1].seen_at_ms == 5000
    assert book.sessions_of("clara", idle_s=HOUR_S, most_s=HOUR_S) == []


def test_a_clock_that_is_set_back_extends_no_session_or_link_and_locks_nobody_out(book: AccessBook) -> None:
    assert book.add_account(ANNA)
    begin(book)
    change(book, "UPDATE frametally_sessions SET seen_at_ms = seen_at_ms + 7200000")
    assert not is_open(book)
    assert book.put_link("anna", "l", lasts_s=HOUR_S)
    change(book, "UPDATE frametally_account_links SET made_at_ms = made_at_ms + 7200000")
    assert book.link("l") is None
    assert book.use_code("anna", 1000)
    assert book.use_code("anna", 500)
    for _ in range(3):
        book.try_login(BY_NAME)
    assert book.try_login(BY_NAME) > 0
    change(book, "UPDATE frametally_login_attempts SET tried_at_ms = tried_at_ms + 7200000")
    assert book.try_login(BY_NAME) == 0
    begin(book, "u")
    assert is_open(book, "u")


@pytest.mark.parametrize(
    "end",
    [
        lambda book: book.set_password("anna", "h2"),
        lambda book: book.set_code_secret("anna", "S"),
        lambda book: book.use_link("l", "h3"),
        lambda book: book.remove_account("anna"),
    ],
    ids=["password", "code", "link", "removal"],
)
def test_changing_how_an_account_signs_in_ends_all_its_sessions_and_links(
    book: AccessBook, end: Callable[[AccessBook], object]
) -> None:
    assert book.add_account(ANNA)
    assert book.add_account(BEN)
    assert book.put_link("anna", "l", lasts_s=HOUR_S)
    begin(book)
    begin(book, "u")
    assert book.begin_session("ben", "v", most_s=HOUR_S)
    assert end(book)
    assert not is_open(book)
    assert not is_open(book, "u")
    assert book.link("l") is None
    assert is_open(book, "v")


def test_a_link_sets_a_password_once(book: AccessBook) -> None:
    assert book.add_account(ANNA)
    assert book.put_link("anna", "old", lasts_s=HOUR_S)
    assert book.put_link("anna", "l", lasts_s=HOUR_S)
    assert book.link("old") is None
    assert book.link("l") == "anna"
    assert book.use_link("l", "h") == "anna"
    assert book.use_link("l", "h2") is None
    assert book.credentials("anna") == Credentials("h", "")
    assert book.put_link("anna", "over", lasts_s=-1)
    assert book.link("over") is None
    assert book.use_link("over", "h2") is None


def test_only_one_of_many_simultaneous_uses_of_a_link_succeeds(make: Callable[[], AccessBook]) -> None:
    books = [make() for _ in range(4)]
    assert books[0].add_account(ANNA)
    assert books[0].put_link("anna", "l", lasts_s=HOUR_S)
    used = at_once(*(partial(book.use_link, "l", f"h{n}") for n, book in enumerate(books)))
    assert sorted(map(str, used)) == ["None", "None", "None", "anna"]


def test_a_code_can_be_used_once(book: AccessBook) -> None:
    assert book.add_account(ANNA)
    assert book.use_code("anna", 5)
    assert not book.use_code("anna", 5)
    assert not book.use_code("anna", 4)
    assert book.use_code("anna", 6)


def test_failed_sign_ins_wait_longer_each_time_but_never_permanently(book: AccessBook) -> None:
    assert [book.try_login(BY_NAME) for _ in range(2)] == [0.0, 0.0]
    assert 0 < book.try_login(BY_NAME) <= 1
    assert book.try_login([TriedBy("account:ben", 2)]) == 0
    assert book.try_login([TriedBy("account:ben", 2), *BY_NAME]) > 0
    for _ in range(12):
        change(book, "UPDATE frametally_login_attempts SET due_at_ms = 0")
        assert book.try_login(BY_NAME) == 0
    assert MOST_WAIT_S - 5 < book.try_login(BY_NAME) <= MOST_WAIT_S
    change(book, "UPDATE frametally_login_attempts SET tried_at_ms = tried_at_ms - 1000000")
    assert book.try_login(BY_NAME) == 0


def test_successful_sign_ins_are_not_slowed_down(book: AccessBook) -> None:
    for _ in range(20):
        assert book.try_login(BY_NAME) == 0
        book.forgive(BY_NAME)


def test_many_simultaneous_guesses_are_all_counted(make: Callable[[], AccessBook]) -> None:
    books = [make() for _ in range(4)]

    def guess(book: AccessBook) -> list[float]:
        return [book.try_login([TriedBy("account:anna", 5)]) for _ in range(5)]

    waits = at_once(*(partial(guess, book) for book in books))
    assert sum(not wait for wait in chain.from_iterable(waits)) <= 6


@pytest.mark.parametrize("is_first", [True, False], ids=["book-first", "catalogue-first"])
def test_the_book_is_in_the_catalogues_database(database: Place, is_first: bool) -> None:
    opening: list[Callable[..., Any]] = [AccessBook, open_video_catalogue]
    with ExitStack() as stack:
        for opened in opening if is_first else reversed(opening):
            stack.enter_context(closing(opened(*database)))
        stack.enter_context(closing(AccessBook(*database))).check()


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    from frametally.adapters_by_url import open_ledger

    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    open_ledger(url).close()
    with pytest.raises(Misconfigured, match="of another kind"):
        AccessBook(url)


NIGHTLY = ApiToken("ben", "nightly", "look", ("gate",))


def test_a_token_works_for_its_account_in_every_process_until_it_is_removed(
    make: Callable[[], AccessBook],
) -> None:
    book, other = make(), make()
    assert book.add_account(BEN)
    assert book.add_token(NIGHTLY, "t", lasts_s=HOUR_S)
    assert not book.add_token(NIGHTLY, "u", lasts_s=HOUR_S)
    assert book.add_token(NIGHTLY._replace(name="weekly", sources=()), "u", lasts_s=2 * HOUR_S)
    found, all_of_bens = other.token("t"), other.token("u")
    assert found[:4] == NIGHTLY[:4]
    assert found.ends_at_ms - found.created_at_ms == HOUR_S * 1000
    assert all_of_bens.sources == ("gate", "harbour")
    assert [one.name for one in other.tokens()] == ["nightly", "weekly"]
    assert other.remove_token("ben", "nightly")
    assert not other.remove_token("ben", "nightly")
    assert book.token("t") is None
    assert book.token("u") is not None
    assert book.token("") is None


def test_a_token_has_no_more_rights_than_its_account(book: AccessBook) -> None:
    assert book.add_account(BEN)
    assert not book.add_token(NIGHTLY._replace(role="correct"), "t", lasts_s=HOUR_S)
    assert not book.add_token(NIGHTLY._replace(sources=("gate", "quay")), "t", lasts_s=HOUR_S)
    assert not book.add_token(NIGHTLY._replace(account="carl"), "t", lasts_s=HOUR_S)
    assert book.add_token(NIGHTLY, "t", lasts_s=HOUR_S)
    change(book, """UPDATE frametally_accounts SET sources = '["harbour"]'""")
    assert book.token("t") is None


def test_a_token_ends_at_its_expiry_and_with_its_account(book: AccessBook) -> None:
    assert book.add_account(BEN)
    assert book.add_token(NIGHTLY, "t", lasts_s=HOUR_S)
    change(book, "UPDATE frametally_api_tokens SET ends_at_ms = ends_at_ms - 3600000")
    assert book.token("t") is None
    assert [one.name for one in book.tokens()] == ["nightly"]
    assert book.add_token(NIGHTLY._replace(name="other"), "u", lasts_s=HOUR_S)
    assert book.remove_account("ben")
    assert book.tokens() == []
    assert book.add_account(BEN)
    assert book.token("u") is None


def test_the_last_use_of_a_token_is_recorded(book: AccessBook) -> None:
    assert book.add_account(BEN)
    assert book.add_token(NIGHTLY, "t", lasts_s=HOUR_S)
    assert book.tokens()[0].used_at_ms == 0
    assert book.token("t") is not None
    first = book.tokens()[0].used_at_ms
    assert first >= book.tokens()[0].created_at_ms
    change(book, "UPDATE frametally_api_tokens SET used_at_ms = used_at_ms - 70000")
    assert book.token("t") is not None
    assert book.tokens()[0].used_at_ms >= first


@pytest.mark.parametrize("column", ["created_at_ms", "used_at_ms"])
def test_a_clock_that_is_set_back_extends_no_token(book: AccessBook, column: str) -> None:
    assert book.add_account(BEN)
    assert book.add_token(NIGHTLY, "t", lasts_s=10 * HOUR_S)
    assert book.token("t") is not None
    change(book, f"UPDATE frametally_api_tokens SET {column} = {column} + 7200000")  # noqa: S608
    with pytest.raises(UsedInFuture, match=r"The token was used at .*, but the server's clock says "):
        book.token("t")
    change(book, f"UPDATE frametally_api_tokens SET {column} = {column} - 7200000")  # noqa: S608
    assert book.token("t") is not None
