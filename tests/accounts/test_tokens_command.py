"""`frametally tokens`: programs' tokens by the command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from frametally.settings.access import is_api_token
from frametally_accounts.book import AccessBook
from frametally_accounts.credentials import token_hash
from frametally_cli.main import main

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)

    def said(group: str, *arguments: str) -> tuple[int, str]:
        code = main([group, *arguments, "--data-dir", str(tmp_path / "data")])
        told = capsys.readouterr()
        return code, told.out + told.err

    said("users", "add", "anna", "--role", "run")
    said("users", "add", "ben", "--source", "gate", "--source", "harbour")
    return said


def test_a_token_is_printed_once_and_kept_only_as_a_hash(run: Run, tmp_path: Path) -> None:
    code, told = run(
        "tokens", "add", "Anna", "Nightly", "--role", "look", "--source", "Gate 1", "--days", "7"
    )
    assert code == 0
    secret = told.splitlines()[1]
    assert is_api_token(secret)
    assert told.startswith("token nightly of anna has the role look (gate-1) and expires in 7 days\n")
    with closing(AccessBook(f"sqlite:///{tmp_path / 'data' / 'catalogue.sqlite'}")) as book:
        found = book.token(token_hash(secret))
    assert (found.role, found.sources) == ("look", ("gate-1",))
    assert found.ends_at_ms - found.created_at_ms == 7 * 86_400_000
    data = b"".join(file.read_bytes() for file in (tmp_path / "data").rglob("*") if file.is_file())
    assert secret.removeprefix("frametally_").encode() not in data
    assert secret not in run("tokens", "list")[1]


@pytest.mark.thorough
def test_tokens_are_listed_with_their_expiry_and_last_use_and_removed_with_their_account(
    run: Run, tmp_path: Path
) -> None:
    assert "no tokens yet" in run("tokens", "list")[1]
    run("tokens", "add", "anna", "a")
    secret = run("tokens", "add", "ben", "b")[1].splitlines()[1]
    with closing(AccessBook(f"sqlite:///{tmp_path / 'data' / 'catalogue.sqlite'}")) as book:
        assert book.token(token_hash(secret)) is not None
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"
    code, told = run("tokens", "list")
    assert code == 0
    assert re.fullmatch(
        f"anna a: role run [(]all sources[)]; expires {time}; never used\n"
        f"ben b: role look [(]gate, harbour[)]; expires {time}; used {time}\n",
        told,
    )
    assert run("tokens", "remove", "anna", "a") == (0, "token a of anna deleted\n")
    assert run("users", "remove", "ben")[0] == 0
    assert "no tokens yet" in run("tokens", "list")[1]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["add", "nobody", "t"], "account nobody does not exist"),
        (["add", "<b>x</b>", "t"], "is not a valid name for an account"),
        (["add", "anna", "<b>x</b>"], "is not a valid name for a token"),
        (["add", "anna", "t" * 10_000_000], "is not a valid name for a token"),
        (
            ["add", "ben", "t", "--role", "correct"],
            "ben is Viewer of gate, harbour; a token cannot have more",
        ),
        (["add", "ben", "t", "--source", "quay"], "a token cannot have more"),
        (["add", "anna", "t", "--days", "0"], "0 is not in the range"),
        (["add", "anna", "t", "--days", "367"], "367 is not in the range"),
        (
            ["add", "anna", "there"],
            "anna already has a token named there; delete it first with "
            "`frametally tokens remove anna there`",
        ),
        (["remove", "anna", "t"], "anna has no token named t; `frametally tokens list` lists the tokens"),
        (["remove", "anna", "t" * 10_000_000], "is not a valid name for a token"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_invalid_input_gives_one_line_and_changes_nothing(run: Run, arguments: list[str], line: str) -> None:
    run("tokens", "add", "anna", "there")
    before = run("tokens", "list")
    code, told = run("tokens", *arguments)
    assert code == 2
    assert line in told
    assert len(told) < 400
    assert told.count("\n") == 1
    assert run("tokens", "list") == before
