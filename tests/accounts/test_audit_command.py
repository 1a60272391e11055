"""`frametally audit`, as a person uses it, and the audit entries of every other command."""

from __future__ import annotations

import csv
import io
import json
import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest
import tests.commands
from sqlalchemy import text
from tests.capabilities import CAPABILITIES, needs

from frametally_accounts.audit.book import AuditBook
from frametally_accounts.audit_records import AuditEntry, digest_of
from frametally_cli.main import COMMANDS, cli

Said = Callable[..., str]
ME = f"(command) {pwd.getpwuid(os.getuid()).pw_name}"


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Said:
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(tmp_path))

    return tests.commands.said


@pytest.fixture
def book(tmp_path: Path) -> Iterator[AuditBook]:
    with closing(AuditBook(f"sqlite:///{tmp_path}/catalogue.sqlite")) as opened:
        yield opened


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        here = f"{path} {name}".strip()
        if isinstance(command, click.Group):
            yield from commands(command, here)
        else:
            yield here, command


CHANGE_NOTHING = """
accuracy list, accuracy next, accuracy result, accuracy show, accuracy verify, aggregate, alerts list,
alerts log, alerts run, alerts test, audit export, audit list, audit verify,
backup, cloud-setup, compare, consume, dead-letters list, dead-letters show, demo, doctor,
download-models, explain, export, gold, history, iceberg, index, lines export, lines list, lines schema, live
discover, live list, live work, media arrivals, media bronze, media gold, media pictures, media silver,
mcp, models count, models get, models list, models remove, models try, models use, privacy report,
privacy show, produce, quality, reach, report list, report traffic, retention show, run, serve,
service install, service remove, service status, setup, status, stream, tokens list, up,
upgrade, users list, work
"""


@needs(*CAPABILITIES)
def test_every_command_is_classified_as_changing_something_or_not() -> None:
    every = dict(commands(cli))
    changing = {
        f"{name} {part}".strip(): named
        for name, entry in COMMANDS.items()
        for part, named in entry.audited.items()
    }
    working = {name.strip() for name in CHANGE_NOTHING.replace("\n", " ").split(",")}
    every = {name: command for name, command in every.items() if not name.startswith("api ")}  # as requests
    assert {*changing} | working == {*every}
    assert not {*changing} & working
    for name, told in changing.items():
        assert {*told} <= {parameter.name for parameter in every[name].params}, name
        assert hasattr(every[name].callback, "__wrapped__"), name


@pytest.mark.thorough
@needs("live")
def test_a_command_that_changes_something_is_recorded_with_its_outcome(said: Said, book: AuditBook) -> None:
    said("users", "add", "anna", "--role", "run")
    said("users", "passwd", "nobody", code=2)
    said("users", "list")
    said("lines", "list", "gate", code=2)
    said("upload", __file__, "--move-counts", code=2)
    uploaded, refused, added = (one.entry for one in book.changes(10)[0])
    assert added == AuditEntry(ME, "users add", 'name="anna" role="run"', "command line", 1, 0)
    assert refused == AuditEntry(ME, "users passwd", 'name="nobody"', "command line", 3, 2)
    assert (uploaded.what, uploaded.target) == ("upload", f'files="{__file__}" move_counts=true')


def test_the_first_administrator_is_recorded_before_anyone_can_sign_in(
    said: Said, book: AuditBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMETALLY_WEB_ACCOUNTS", "true")
    monkeypatch.setattr("frametally_web.serving.serve", lambda *_: None)
    for _ in range(2):
        assert "/sign-in/once/" in said("serve", "--alone")
    anew, made = (one.entry for one in book.changes(10)[0])
    assert made == AuditEntry(ME, "users add", 'name="admin" role="run"', "command line", 1, 0)
    assert anew == AuditEntry(ME, "users passwd", 'name="admin"', "command line", 3, 0)
    said("users", "add", "anna", "--role", "run")
    assert "/sign-in/once/" not in said("serve", "--alone")
    assert len(book.changes(10)[0]) == 3


@needs("live")
def test_no_password_and_no_camera_address_is_recorded(
    said: Said, book: AuditBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("hunter2 and a hat\n"))
    said("users", "add", "anna", "--password")
    said("live", "add", "rtsp://user:hunter2@10.0.0.1/x", "--source", "Gate", code=2)
    assert [one.entry.what for one in book.changes(10)[0]] == ["live add", "users add"]
    assert "hunter2" not in said("audit", "export")


def test_a_command_that_cannot_be_recorded_does_nothing(said: Said, book: AuditBook) -> None:
    said("users", "add", "anna")
    same = "at_ms, who, what, target, origin, ends, status, digest FROM frametally_audit_records"
    with book._database.writing() as connection:
        connection.execute(text(f"INSERT INTO frametally_audit_records SELECT 3, {same} WHERE number = 1"))
    assert "frametally audit verify" in said("users", "remove", "anna", code=2)
    assert "anna" in said("users", "list")


def test_records_are_listed_by_person_action_and_time(said: Said, book: AuditBook) -> None:
    assert "no changes" in said("audit", "list")
    said("users", "add", "anna")
    book.write(AuditEntry("ben", "DELETE /api/videos/{}", "video_id=v1\x1b[2J", "10.0.0.7"))
    newest, oldest = said("audit", "list").splitlines()
    assert newest.endswith("ben  DELETE /api/videos/{}  video_id=v1\ufffd[2J  no end recorded  from 10.0.0.7")
    assert oldest.endswith(f'{ME}  users add  name="anna" role="look"  0  from command line')
    assert said("audit", "list", "--who", "ben").count("\n") == 1
    assert said("audit", "list", "--what", "USERS").count("\n") == 1
    for end in ("2020-01-01", "1970-01-01", "1960-01-01"):  # before and at the beginning of all clocks
        assert "no changes" in said("audit", "list", "--to", end)
    assert said("audit", "list", "--from", "2020-01-01", "--limit", "1").count("\n") == 1
    assert json.loads(said("audit", "list", "--json"))["changes"][0]["who"] == "ben"


def test_exported_records_can_be_verified_elsewhere_and_contain_no_formula(
    said: Said, book: AuditBook, tmp_path: Path
) -> None:
    said("users", "add", "anna")
    book.write(AuditEntry("=HYPERLINK(1)", "POST /sign-in", 'ä, "b"', "@x"))
    digest = ""
    for line in said("audit", "export").splitlines():
        row = json.loads(line)
        entry = AuditEntry(*(row[name] for name in AuditEntry._fields))
        digest = digest_of(digest, row["number"], row["at_ms"], entry)
        assert row["digest"] == digest
    said("audit", "export", "--format", "csv", "--output", str(tmp_path / "audit.csv"))
    with (tmp_path / "audit.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["number"] for row in rows] == ["1", "2", "3"]
    assert (rows[2]["who"], rows[2]["target"], rows[2]["origin"]) == ("'=HYPERLINK(1)", 'ä, "b"', "'@x")
    assert rows[2]["digest"] == digest


def test_verify_names_the_first_broken_record(said: Said, book: AuditBook) -> None:
    assert said("audit", "verify") == "no records yet\n"
    said("users", "add", "anna")
    told, last = said("audit", "verify").splitlines()
    assert told == "2 records, all as they were written"
    said("users", "add", "ben")
    said("audit", "verify", "--held", last)
    assert "does not match the record" in said("audit", "verify", "--held", f"1:{'0' * 64}", code=6)
    assert "NUMBER:DIGEST" in said("audit", "verify", "--held", "x", code=2)
    with book._database.writing() as connection:
        connection.execute(text("DROP TRIGGER frametally_audit_no_update"))
        connection.execute(text("UPDATE frametally_audit_records SET who = 'ben' WHERE number = 2"))
    broken = "record 2 of the audit log was changed or moved"
    assert broken in said("audit", "verify", code=6)
