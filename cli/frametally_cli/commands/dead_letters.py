"""`frametally dead-letters list|show|replay|drop`."""

from __future__ import annotations

import json
from typing import Any, get_args

import click
from rich import box
from rich.table import Table
from rich.text import Text

from frametally.books.offsets import consume_command
from frametally.errors import Misconfigured
from frametally.process.reports import exit_code
from frametally.records import Cause
from frametally.segments.dead_letters import Entry, choose, drop, list_dead_letters, replay
from frametally_cli.console import output as console
from frametally_cli.options.ports import data_dir_option, open_ports, option, read_settings

_cause_option = click.option(
    "--cause", type=click.Choice(get_args(Cause)), help="Only those set aside for this cause."
)
_model_option = option("--model", "Model id; default: all models.")


@click.group("dead-letters")
def dead_letters() -> None:
    """Look after the messages that consumers set aside."""


@dead_letters.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--all", "everything", is_flag=True, help="Also those that were detected later or dropped.")
@_cause_option
@_model_option
@data_dir_option
def list_command(
    as_json: bool, everything: bool, cause: str | None, model: str | None, **overrides: Any
) -> int:
    """List the dead letters that wait for their cause to be mended."""
    with open_ports(read_settings(None, overrides), reading=True) as ports:
        entries = choose(list_dead_letters(ports.store, model=model), cause=cause)
    if not everything:
        entries = [entry for entry in entries if entry.state == "waiting"]
    if as_json:
        click.echo(json.dumps([_as_dict(entry) for entry in entries], indent=2))
        return 0
    if entries:
        table = Table(box=box.SIMPLE_HEAD)
        for column in ("id", "state", "cause", "stage", "source", "message", "reason"):
            table.add_column(column, overflow="fold")
        for entry in entries:
            letter, header = entry.letter, entry.header
            table.add_row(
                entry.id,
                entry.state,
                entry.cause,
                letter.stage,
                letter.source or "",
                f"{header.topic}-{header.partition}:{letter.offset}",
                Text(letter.reason),
            )
        console.out.print(table)
    click.echo(f"{len(entries)} dead letters" if entries else "no dead letters")
    return 0


@dead_letters.command()
@click.argument("id")
@data_dir_option
def show(id: str, **overrides: Any) -> int:
    """Show one dead letter with its message and the segment that holds it, as JSON."""
    with open_ports(read_settings(None, overrides)) as ports:
        [entry] = choose(list_dead_letters(ports.store), ids=[id])
    message = entry.letter.message
    try:
        shown: object = json.loads(message)
    except (ValueError, RecursionError):
        shown = message.decode(errors="backslashreplace")
    click.echo(json.dumps({**_as_dict(entry), "message": shown}, indent=2))
    return 0


@dead_letters.command("replay")
@click.argument("ids", nargs=-1)
@_cause_option
@_model_option
@data_dir_option
def replay_command(ids: tuple[str, ...], cause: str | None, model: str | None, **overrides: Any) -> int:
    """Announce again those whose cause is mended: all, those of one cause, or those with these ids."""
    settings = read_settings("consumer", overrides)
    with open_ports(settings) as ports:
        entries = choose(list_dead_letters(ports.store, model=model), ids=ids, cause=cause)
        result = replay(
            entries,
            store=ports.store,
            log=ports.log,
            partitions=settings.log_partitions,
            max_pixels=settings.max_image_megapixels * 1_000_000,
        )
    console.print_skipped(result.skipped)
    click.echo(f"{len(result.announced)} announced again; `frametally consume` detects them")
    for topic in sorted({entry.header.topic for entry in result.announced} - {settings.topic}):
        click.echo(f"those of topic {topic}: {consume_command(topic, settings)}")
    return exit_code(done=len(result.announced), skipped=result.skipped)


@dead_letters.command("drop")
@click.argument("ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that wait.")
@_cause_option
@_model_option
@data_dir_option
def drop_command(
    ids: tuple[str, ...], everything: bool, cause: str | None, model: str | None, **overrides: Any
) -> int:
    """Settle dead letters that need no mending: nobody waits for them any more."""
    if not (ids or everything or cause):
        raise Misconfigured("no dead letter was named: give ids, --cause CAUSE or --all")
    with open_ports(read_settings(None, overrides)) as ports:
        entries = choose(list_dead_letters(ports.store, model=model), ids=ids, cause=cause)
        click.echo(f"{drop(entries, store=ports.store)} dropped")
    return 0


def _as_dict(entry: Entry) -> dict[str, object]:
    letter, header = entry.letter, entry.header
    return {
        "id": entry.id,
        "state": entry.state,
        "cause": entry.cause,
        "stage": letter.stage,
        "reason": letter.reason,
        "source": letter.source,
        "image_path": letter.image_path,
        "model": header.model,
        "log_id": header.log_id,
        "topic": header.topic,
        "partition": header.partition,
        "offset": letter.offset,
        "segment": entry.segment,
    }
