"""A lost catalogue opens nothing: the store knows that there are accounts."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.fakes.databases import Place
from tests.fakes.memory import MemoryStore
from tests.kit.ports import free_port
from tests.kit.waiting import until

from frametally.errors import Misconfigured, Retryable
from frametally.ports.object_store import ObjectInfo
from frametally.settings.loading import load_settings
from frametally_accounts.audit.opened_book import OpenedAudit
from frametally_accounts.book import AccessBook
from frametally_accounts.gate import Gate
from frametally_accounts.marker import (
    ACCOUNTS_KEY,
    LastMark,
    check_accounts,
    has_noted_accounts,
    note_accounts,
    note_no_accounts,
)
from frametally_accounts.rights import UserAccount
from frametally_cli.main import main
from frametally_web.api.endpoints import RIGHTS

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


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[tuple[str, Path]]:
    """Run a command that serves the dashboard; yield its address, and the file of what it prints."""
    port, printed = free_port(), folder / "printed"
    with printed.open("wb") as out:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "frametally",
                *arguments,
                "--port",
                str(port),
                "--data-dir",
                folder / "data",
            ],
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield f"http://127.0.0.1:{port}", printed
    finally:
        process.terminate()
        process.wait(60)


def answer_of(address: str, path: str) -> tuple[int, str]:
    """Return the status and body of a page, once the server listens."""
    for _ in range(600):
        try:
            with urllib.request.urlopen(address + path) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            time.sleep(0.1)
    raise AssertionError("nothing listens")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("wanted", "command"),
    [("", ("up",)), ("true", ("serve", "--alone"))],
    ids=["up, by a command", "serve, by FRAMETALLY_WEB_ACCOUNTS"],
)
def test_a_server_without_the_accounts_that_the_store_knows_starts_explains_and_shows_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str, command: tuple[str, ...]
) -> None:
    assert run("users", "add", "bob", "--role", "run")[0] == 0
    lose_catalogue(tmp_path)
    if wanted:
        monkeypatch.setenv("FRAMETALLY_WEB_ACCOUNTS", wanted)
    with running(tmp_path, *command) as (address, printed):
        assert answer_of(address, "/api/v1/sources")[0] == 401
        assert "accounts of this installation are lost" in answer_of(address, "/sign-in")[1]
        told = printed.read_text()
        line = next(line for line in told.splitlines() if "no one can sign in" in line)
        for part in (f"sqlite:///{tmp_path}/data/catalogue.sqlite", "frametally restore", "users add NAME"):
            assert part in line
        assert "open this link" not in told
        assert run("users", "add", "eve", "--role", "run")[0] == 0
        assert "are lost" not in answer_of(address, "/sign-in")[1]
        assert answer_of(address, "/api/v1/sources")[0] == 401
    assert "this store is marked as having some" not in run("doctor")[1]


def test_a_wrong_catalogue_opens_nothing_even_while_the_store_is_unavailable(tmp_path: Path) -> None:
    class Away(MemoryStore):
        def head(self, key: str) -> ObjectInfo | None:
            raise Retryable("the store is away")

    settings = load_settings(data_dir=tmp_path / "data")
    with closing(AccessBook(f"sqlite:///{tmp_path}/other.sqlite")) as book:
        audit = OpenedAudit(SimpleNamespace(settings=settings))
        for are_lost in (True, False):
            gate = Gate(settings, Away(), book, audit, RIGHTS, accounts_are_lost=are_lost)
            assert gate.identify("GET", {}, "127.0.0.1").may("look") is not are_lost


def test_adding_an_account_on_purpose_starts_afresh_and_the_last_removal_leaves_no_trace(
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


def test_accounts_without_footage_do_not_count_as_data(run: Run) -> None:
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


class SilentStore(MemoryStore):
    """A store that answers while `speaks` is set, and is silent otherwise; `asked` counts the questions."""

    def __init__(self) -> None:
        super().__init__()
        self.speaks = threading.Event()
        self.asked = 0

    def head(self, key: str) -> ObjectInfo | None:
        self.asked += 1
        assert self.speaks.wait(60)
        return super().head(key)


def test_a_silent_store_delays_no_request_and_its_last_answer_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("frametally_accounts.marker._READ_EVERY_S", 0.0)
    monkeypatch.setattr("frametally_accounts.marker._WITHIN_S", 0.05)
    store = SilentStore()
    store.speaks.set()
    mark = LastMark(store)
    assert not mark.is_there()
    note_accounts(store)
    store.speaks.clear()
    store.asked = 0
    assert [mark.is_there() for _ in range(20)] == [False] * 20
    assert store.asked == 1  # one thread waits, however many ask
    store.speaks.set()
    until(mark.is_there)
    store.speaks.clear()
    assert [mark.is_there() for _ in range(3)] == [True] * 3
    store.speaks.set()
