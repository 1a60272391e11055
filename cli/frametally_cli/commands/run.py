"""`frametally run` and `frametally demo`: all the stages, one after the other, from footage to the chart."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from frametally.opening import open_ledger
from frametally.process.exit_codes import NOTHING_DONE, worst
from frametally.settings.data_folder import DEMO_DATA_DIR
from frametally_cli.commands.stages import consume_here, footage_options, serve_dashboard, show
from frametally_cli.console import output as console
from frametally_cli.options.ports import (
    Ports,
    check_port,
    data_dir_option,
    open_ports,
    option,
    read_settings,
    stop_on,
    stopped,
    with_options,
)

# A moment of its own for the demo clip, so that its numbers are the same everywhere.
DEMO_START_TIME = "2026-01-01T08:00:00Z"


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@with_options(footage_options)
@option("--interval", "Seconds of the stored base interval; divides a day.", type=int)
@click.option("--serve/--no-serve", "serving", default=True, help="Serve the dashboard afterwards.")
@option("--port", "Port that the dashboard listens on.", type=int)
@data_dir_option
def run(
    paths: tuple[Path, ...],
    source: str | None,
    start_time: str | None,
    interval: int | None,
    serving: bool,
    port: int | None,
    **overrides: Any,
) -> int:
    """Do it all: from pictures and videos to the chart."""
    settings = read_settings("producer", {**overrides, "interval_s": interval, "web_port": port})
    with open_ports(settings) as ports:
        return _run(ports, paths, source=source, start_time=start_time, serving=serving)


@click.command()
@click.option("--serve/--no-serve", "serving", default=True, help="Serve the dashboard afterwards.")
@option("--port", "Port that the dashboard listens on.", type=int)
@click.option("--data-dir", type=click.Path(path_type=Path), default=DEMO_DATA_DIR, show_default=True)
def demo(serving: bool, port: int | None, data_dir: Path) -> int:
    """Run it all on a traffic clip that is fetched for you."""
    from frametally.files.demo_clip import ensure_demo_clip

    settings = read_settings("producer", {"data_dir": data_dir, "interval_s": 1, "web_port": port})
    with console.stage_bar("clip") as bar:
        clip = ensure_demo_clip(settings.data_dir, bar)
    with open_ports(settings) as ports:
        return _run(ports, (clip,), source="Traffic", start_time=DEMO_START_TIME, serving=serving)


def _run(
    ports: Ports, paths: Sequence[Path], *, source: str | None, start_time: str | None, serving: bool
) -> int:
    from frametally_cli.stages.aggregate import count_once
    from frametally_cli.stages.produce import produce_call, produce_files

    if serving:
        check_port(
            ports.settings,
            "name another port by --port or FRAMETALLY_WEB_PORT, or leave the dashboard out by --no-serve",
        )
    with stop_on(signal.SIGTERM, signal.SIGINT, at_once=True) as should_stop:
        call = produce_call(ports.settings, paths, source, start_time, should_stop)
        codes = [produce_files(call, ports.store, ports.log)]
        if NOTHING_DONE in codes:
            return NOTHING_DONE
        if not should_stop():
            codes.append(consume_here(ports, until_caught_up=True, should_stop=should_stop))
        if should_stop():
            return stopped()
    codes.append(count_once(ports))
    codes.append(show(ports))
    series = ports.index.series()
    if not series:
        return NOTHING_DONE
    shown = next((s for s in series if s.base_interval_s == ports.settings.interval_s), series[0])
    console.print_counts(ports.index, shown.model, shown.base_interval_s)
    if any(codes):
        console.err.print("Not all went in: the lines above that begin with 'skipped' say what, and why.")
    if serving:
        with closing(open_ledger(ports.settings.ledger_url, ports.settings.ledger_access)) as ledger:
            serve_dashboard(ports, ledger, interval_s=ports.settings.interval_s)
    return worst(*codes)
