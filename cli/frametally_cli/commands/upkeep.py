"""Commands that maintain models, dead letters, packs, the ledger and the embedded log."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import click
from rich.text import Text

from frametally import keys
from frametally.adapters_by_url import open_frame_log, open_ledger, open_object_store
from frametally.books.offsets import consume_command
from frametally.console import output as console
from frametally.console.action_answers import print_json
from frametally.console.option_values import parse_bounds_ms
from frametally.console.options import data_dir_option, option, read_settings
from frametally.console.tables import folded_table
from frametally.errors import Misconfigured
from frametally.media import lookup
from frametally.openers.port_openers import open_ports, open_store_port
from frametally.packs.packing import pack_pictures
from frametally.process import failpoints
from frametally.process.reports import exit_code, plural
from frametally.records import Cause
from frametally.segments.chain import models_with_segments
from frametally.segments.dead_letters import Entry, choose, drop, list_dead_letters, replay
from frametally.segments.redetect import redetect as announce_again


@click.command("download-models")
@click.option("--int8", is_flag=True, help="Also make the INT8 network, calibrated on this store's frames.")
@click.option(
    "--calibration-dir",
    type=click.Path(path_type=Path),
    help="Folder of pictures to calibrate on, in place of the store's frames.",
)
@data_dir_option
def download_models(int8: bool, calibration_dir: Path | None, **overrides: Any) -> int:
    """Download the model and verify it; with --int8, also make its INT8 network."""
    from frametally_models.files import chosen_model_files, chosen_onnx_files, refuse_int8

    settings = read_settings("consumer", overrides)
    if int8:
        refuse_int8(settings)
    with console.stage_bar("model") as bar:
        network = None if int8 else chosen_onnx_files(settings, bar)
        files = None if network else chosen_model_files(settings, bar)
    for path in network or files or ():
        click.echo(path)
    if int8 and files:
        from frametally_models.int8 import prepare_int8

        with console.stage_bar("int8") as bar:
            made = prepare_int8(files, settings, bar, folder=calibration_dir)
        click.echo(made.path)
        click.echo(
            f"int8: calibrated on {plural(made.frames, 'frame')}, finds {made.found_again:.1%} of what f32 "
            "finds; to use it, set FRAMETALLY_DETECTOR=openvino FRAMETALLY_PRECISION=int8"
        )
    return 0


@click.command()
@option("--model", "Model ID of the consumer that will detect them.", required=True)
@option("--source", "Only this source.")
@option("--from", "Only frames from this ISO 8601 time.", metavar="TIME")
@option("--to", "Only frames before this ISO 8601 time.", metavar="TIME")
@data_dir_option
def redetect(model: str, source: str | None, **overrides: Any) -> int:
    """Announce stored frames for another model, on a separate topic."""
    bounds = overrides.pop("from"), overrides.pop("to")
    settings = read_settings(None, overrides)
    from_ms, to_ms = parse_bounds_ms(*bounds, settings.tzinfo())
    with open_ports(settings) as ports, console.stage_bar("frames") as bar:
        report = announce_again(
            settings=settings,
            store=ports.store,
            log=ports.log,
            model=model,
            progress=bar,
            source=source,
            from_ms=from_ms,
            to_ms=to_ms,
        )
        models = models_with_segments(ports.store)
    console.print_skipped(report.skipped)
    if model not in models:
        note = f"note: {model} has detected nothing here yet; models that have: {', '.join(models) or 'none'}"
        click.echo(console.plain(note), err=True)
    click.echo(f"frames: {report.announced} announced for {model}, {report.known} already analysed")
    if report.announced:
        click.echo(f"analyse them with: {consume_command(report.topic, settings)}")
    return exit_code(done_count=report.announced + report.known, skipped=report.skipped)


@click.command()
@option("--source", "Only pictures from this source.")
@data_dir_option
def pack(source: str | None, **overrides: Any) -> int:
    """Store pictures in packs: one object per source and minute, so that a bucket costs less."""
    failpoints.arm()
    with open_store_port(read_settings(None, overrides)) as ports, console.stage_bar("pack") as bar:
        folder = keys.IMAGES
        if source is not None:
            folder = f"{folder}/{lookup.media_of_source(ports.store, source)[0].source}"
        report = pack_pictures(ports.store, folder, now_ms=time.time_ns() // 1_000_000, progress=bar)
    console.print_skipped(report.skipped)
    young = (
        f"; minutes left for later, because they are not an hour old: {report.young}" if report.young else ""
    )
    click.echo(f"packed: {plural(report.pictures, 'picture')}; objects: {report.packs}{young}")
    return exit_code(done_count=report.pictures, skipped=report.skipped)


@click.group("ledger")
def ledger_group() -> None:
    """Manage the ledger, a cache of the store."""


@ledger_group.command("rebuild")
@data_dir_option
def ledger_rebuild(**overrides: Any) -> int:
    """Rebuild the ledger from the store."""
    settings = read_settings(None, overrides)
    with (
        closing(open_object_store(settings.store_url, settings.store_access)) as store,
        closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger,
        console.stage_bar("ledger") as bar,
    ):
        ledger.clear()
        objects = ledger.refresh(store, bar).taken
    click.echo(f"ledger: {plural(objects, 'object')} added")
    return 0


@click.group("log")
def log_group() -> None:
    """Manage the embedded log."""


@log_group.command("trim")
@data_dir_option
def log_trim(**overrides: Any) -> int:
    """Delete the messages that every consumer group has committed."""
    settings = read_settings(None, overrides)
    with closing(open_frame_log(settings.log_url, settings.log_access)) as log:
        click.echo(f"{plural(log.trim(settings.topic), 'message')} removed")
    return 0


_cause_option = click.option(
    "--cause", type=click.Choice(get_args(Cause)), help="Only dead letters with this cause."
)
_model_option = option("--model", "Model ID; default: all models.")


@click.group("dead-letters")
def dead_letters() -> None:
    """Manage the messages that consumers could not process."""


@dead_letters.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--all", "everything", is_flag=True, help="Include dead letters that were detected later or dropped."
)
@_cause_option
@_model_option
@data_dir_option
def list_command(
    as_json: bool, everything: bool, cause: str | None, model: str | None, **overrides: Any
) -> int:
    """List the open dead letters."""
    with open_ports(read_settings(None, overrides), reading=True) as ports:
        entries = choose(list_dead_letters(ports.store, model=model), cause=cause)
    if not everything:
        entries = [entry for entry in entries if entry.state == "waiting"]
    if as_json:
        print_json([_as_dict(entry) for entry in entries])
        return 0
    if entries:
        table = folded_table("id", "state", "cause", "stage", "source", "message", "reason")
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
        console.out().print(table)
    click.echo(plural(len(entries), "dead letter") if entries else "no dead letters")
    return 0


@dead_letters.command()
@click.argument("id")
@data_dir_option
def show(id: str, **overrides: Any) -> int:
    """Show one dead letter with its message and its segment, as JSON."""
    with open_ports(read_settings(None, overrides)) as ports:
        [entry] = choose(list_dead_letters(ports.store), ids=[id])
    message = entry.letter.message
    try:
        shown: object = json.loads(message)
    except (ValueError, RecursionError):
        shown = message.decode(errors="backslashreplace")
    print_json({**_as_dict(entry), "message": shown})
    return 0


@dead_letters.command("replay")
@click.argument("ids", nargs=-1)
@_cause_option
@_model_option
@data_dir_option
def replay_command(ids: tuple[str, ...], cause: str | None, model: str | None, **overrides: Any) -> int:
    """Announce dead letters again after you have fixed their cause: all, by cause, or by ID."""
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
    detect = consume_command(settings.topic, settings)
    click.echo(f"{len(result.announced)} announced again; `{detect}` detects them")
    for topic in sorted({entry.header.topic for entry in result.announced} - {settings.topic}):
        click.echo(f"topic {topic}: run {consume_command(topic, settings)}")
    return exit_code(done_count=len(result.announced), skipped=result.skipped)


@dead_letters.command("drop")
@click.argument("ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All dead letters that are waiting.")
@_cause_option
@_model_option
@data_dir_option
def drop_command(
    ids: tuple[str, ...], everything: bool, cause: str | None, model: str | None, **overrides: Any
) -> int:
    """Close dead letters that you do not want to replay."""
    if not (ids or everything or cause):
        raise Misconfigured("no dead letters given: give IDs, --cause CAUSE or --all")
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
