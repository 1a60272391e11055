"""`frametally redetect`: announce stored frames again for another model. Needs no component."""

from __future__ import annotations

from typing import Any

import click

from frametally.process.reports import exit_code
from frametally.segments.redetect import redetect as announce_again
from frametally_cli.console import output as console
from frametally_cli.options.ports import data_dir_option, open_ports, option, read_settings
from frametally_cli.options.times import parse_bounds_ms


@click.command()
@option("--model", "Model id of the consumer that will detect them.", required=True)
@option("--source", "Only this source.")
@option("--from", "ISO 8601 time: only frames from then on.", metavar="TIME")
@option("--to", "ISO 8601 time: only frames before.", metavar="TIME")
@data_dir_option
def redetect(model: str, source: str | None, **overrides: Any) -> int:
    """Announce stored frames that a model has not been used on, on a topic of its own."""
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
    console.print_skipped(report.skipped)
    click.echo(f"frames: {report.announced} announced for {model}, {report.known} it has already")
    if report.announced:
        click.echo(f"detect them with: frametally consume --until-caught-up --topic {report.topic}")
    return exit_code(done=report.announced + report.known, skipped=report.skipped)
