"""`frametally audit list|export|verify`."""

from __future__ import annotations

import datetime
import json
import re
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from frametally.console import output as console
from frametally.console.action_answers import ask_action, json_option, print_json
from frametally.console.option_values import parse_bounds_ms
from frametally.console.options import data_dir_option, read_settings
from frametally.errors import Misconfigured
from frametally.files.csv_table import write_csv
from frametally.process.exit_codes import PART_DONE
from frametally.process.reports import plural
from frametally.rules.times import utc
from frametally_accounts.audit_records import AuditRecord, Held, first_break

if TYPE_CHECKING:
    from frametally_accounts.audit.answers import AuditLog
    from frametally_accounts.audit.book import AuditBook

_FIELDS = ("number", "at_ms", "who", "what", "target", "origin", "ends", "status", "digest")
_HELD = re.compile("([1-9][0-9]{0,17}):([0-9a-f]{64})")


@click.group("audit")
def audit_group() -> None:
    """Show, export and verify who changed what."""


@audit_group.command("list")
@click.option(
    "--who", default="", help="Only changes by this account, or by (open), (nobody), '(command) USER'."
)
@click.option("--what", default="", help="Only changes whose route, command or target contains this text.")
@click.option("--from", "from_time", help="Earliest time, ISO 8601, UTC.", metavar="TIME")
@click.option("--to", "to_time", help="End of the range, not included, ISO 8601, UTC.", metavar="TIME")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Most changes to show."
)
@json_option
@data_dir_option
def audit_list(
    who: str,
    what: str,
    from_time: str | None,
    to_time: str | None,
    limit: int,
    as_json: bool,
    **overrides: Any,
) -> int:
    """Show changes and refused changes, newest first."""
    from_ms, to_ms = parse_bounds_ms(from_time, to_time, datetime.UTC)
    settings = read_settings("web", overrides, must_be_there=False)
    question = {"who": who, "what": what, "from": from_ms, "to": to_ms}
    answer: AuditLog = ask_action(settings, "audit", **question, limit=limit)
    if as_json:
        print_json(answer)
        return 0
    for change in answer.changes:
        outcome = "no end recorded" if change.status is None else str(change.status)
        target = f"  {change.target}" if change.target else ""
        line = f"{utc(change.at_ms)}  {change.who}  {change.what}{target}  {outcome}  from {change.origin}"
        click.echo(console.plain(line))
    if not answer.changes:
        click.echo("no changes")
    return 0


@audit_group.command("export")
@click.option(
    "--format", "file_format", type=click.Choice(["csv", "jsonl"]), default="jsonl", show_default=True
)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="File to write; default: standard output."
)
@data_dir_option
def audit_export(file_format: str, output: Path | None, **overrides: Any) -> int:
    """Write all records, by number, as JSON lines or CSV.

    JSON lines contain the bytes from which digests are calculated. In CSV, an apostrophe precedes text that
    a spreadsheet would read as a formula.
    """
    with (
        _book(overrides) as book,
        book.chain() as chain,
        output.open("w", encoding="utf-8", newline="") if output else nullcontext(sys.stdout) as file,
    ):
        rows = (_row(record) for record in chain.records)
        if file_format == "csv":
            write_csv(file, _FIELDS, (row.values() for row in rows))
        else:
            for row in rows:
                file.write(f"{json.dumps(row)}\n")
    return 0


@audit_group.command("verify")
@click.option(
    "--held", help="A line that an earlier `frametally audit verify` printed.", metavar="NUMBER:DIGEST"
)
@data_dir_option
def audit_verify(held: str | None, **overrides: Any) -> int:
    """Check that no record has changed since it was written, and show the first that has.

    Anyone who can write to the whole database can forge the whole log. Keep the last line that this command
    prints somewhere else, and pass it with --held the next time. The exit code is 6 if a record is damaged.
    """
    match = _HELD.fullmatch(held or "")
    if held is not None and match is None:
        raise Misconfigured(
            f"--held {held[:100]!r} is not a NUMBER:DIGEST line; give a line that `frametally audit "
            "verify` printed"
        )
    known_record = Held(int(match[1]), match[2]) if match else None
    with _book(overrides) as book, book.chain() as chain:
        broken = first_break(chain, known_record)
        last = f"{chain.following - 1}:{chain.head}"
    if broken is not None:
        console.say_error(f"record {broken.number} of the audit log {broken.why}")
        return PART_DONE
    click.echo(
        f"{plural(chain.following - 1, 'record')}, all as they were written"
        if chain.head
        else "no records yet"
    )
    if chain.head:
        click.echo(last)
    return 0


@contextmanager
def _book(overrides: dict[str, Any]) -> Iterator[AuditBook]:
    from frametally_accounts.audit.book import AuditBook

    settings = read_settings("web", overrides, must_be_there=False)
    with closing(AuditBook(settings.catalogue_url, settings.catalogue_access)) as book:
        yield book


def _row(record: AuditRecord) -> dict[str, object]:
    every = {**record._asdict(), **record.entry._asdict()}
    return {name: every[name] for name in _FIELDS}
