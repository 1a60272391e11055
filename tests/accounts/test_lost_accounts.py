"""A lost catalogue opens nothing: the store knows that there are accounts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.fakes.databases import Place
from tests.fakes.memory import MemoryStore

from frametally.errors import Misconfigured
from frametally_accounts.book import AccessBook
from frametally_accounts.marker import (
    ACCOUNTS_KEY,
    check_accounts,
    has_noted_accounts,
    note_accounts,
    note_no_accounts,
)
from frametally_accounts.rights import UserAccount
from frametally_cli.main import main

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)

    def called(*arguments: str) -> tuple[int, str]:
        code = main([*arguments, "--data-dir", str(tmp_path / "data")])
        told = capsys.readouterr()
        return code, told.out + told.err

    return called


def lose_catalogue(folder: Path) -> None:
    for file in (folder / "data").glob("catalogue.sqlite*"):
        file.unlink()


@pytest.mark.thorough
@pytest.mark.parametrize("wanted", ["", "true"], ids=["by a command", "by FRAMETALLY_WEB_ACCOUNTS"])
def test_serve_refuses_in_one_line_without_the_accounts_that_the_store_knows(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    assert run("users", "add", "bob", "--role", "run")[0] == 0
    lose_catalogue(tmp_path)
    if wanted:
        monkeypatch.setenv("FRAMETALLY_WEB_ACCOUNTS", wanted)
    code, told = run("serve", "--alone", "--port", "0")
    assert code == 2
    assert told.count("\n") == 2
    assert "Counts of " in told.splitlines()[0]
    for part in (f"sqlite:///{tmp_path}/data/catalogue.sqlite", "FRAMETALLY_CATALOGUE_URL", "users add NAME"):
        assert part in told
    assert "this store is marked as having some" in run("doctor")[1]
    code, told = run("up", "--port", "0")
    assert (code, told.count("\n")) == (2, 1) and "FRAMETALLY_CATALOGUE_URL" in told


def test_another_catalogue_that_is_named_by_mistake_is_refused_too(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("users", "add", "bob", "--role", "run")
    monkeypatch.setenv("FRAMETALLY_CATALOGUE_URL", f"sqlite:///{tmp_path}/other.sqlite")
    code, told = run("serve", "--alone", "--port", "0")
    assert code == 2
    assert "other.sqlite has no accounts" in told


def test_an_account_that_is_added_on_purpose_begins_anew_and_the_last_removal_leaves_no_trace(
    run: Run, tmp_path: Path
) -> None:
    marker = tmp_path / "data" / "store" / ACCOUNTS_KEY
    run("users", "add", "bob", "--role", "run")
    assert marker.is_file()
    lose_catalogue(tmp_path)
    code, told = run("users", "add", "eve", "--role", "run")
    assert code == 0
    assert "this is the first new one" in told
    run("users", "add", "ben")
    run("users", "remove", "ben")
    assert marker.is_file()
    run("users", "remove", "eve")
    assert not marker.exists()


def test_accounts_alone_are_no_footage(run: Run) -> None:
    run("users", "add", "bob", "--role", "run")
    code, told = run("status")
    assert code == 2
    assert "no data in" in told


def test_a_book_without_accounts_is_refused_only_where_there_were_some(database: Place) -> None:
    store = MemoryStore()
    with closing(AccessBook(*database)) as book:

        def check() -> None:
            check_accounts(store, has_accounts=not book.is_empty(), url=book.url)

        check()
        note_accounts(store)
        with pytest.raises(Misconfigured, match="has no accounts"):
            check()
        book.add_account(UserAccount("anna", "run"))
        check()
        book.remove_account("anna")
        note_no_accounts(store)
        check()
        assert not has_noted_accounts(store)
