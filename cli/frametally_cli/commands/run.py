"""`frametally run` and `demo` run all stages in order; `frametally up` runs all parts on one machine."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from frametally.adapters_by_url import open_ledger
from frametally.console import output as console
from frametally.console import streams
from frametally.console.options import (
    data_dir_option,
    interval_option,
    option,
    port_option,
    read_settings,
    with_options,
)
from frametally.console.stop_signals import stop_on, stopped
from frametally.console.tables import print_counts
from frametally.errors import Misconfigured, Retryable
from frametally.files.demo_clip import DemoClip
from frametally.files.work_lock import work_lock
from frametally.media.source_timezones import readable_timezones
from frametally.openers.port_openers import open_ports, port_openers
from frametally.plugins import hooks
from frametally.ports.opened import Ports
from frametally.process.exit_codes import NOTHING_DONE, STOPPED, worst
from frametally.process.period import parse_period_s
from frametally.process.reports import plural, stamped
from frametally.settings.data_folder import DEMO_DATA_DIR, must_be_writable
from frametally.settings.loading import Settings
from frametally.telemetry.exposition import Scraped
from frametally.telemetry.family import family
from frametally.telemetry.listener import listening
from frametally.work.children import Family
from frametally.work.family_members import COUNT_EVERY, MemberOptions, command, counting
from frametally_cli.commands.backups import backing_up, kept_books
from frametally_cli.commands.stages import consume_here, serve_dashboard
from frametally_cli.stages.footage_options import asked_film, footage_options
from frametally_cli.stages.members_on_demand import all_parts, distinct, say


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(readable=False, path_type=Path))
@with_options(footage_options)
@interval_option
@click.option("--serve/--no-serve", "serving", default=True, help="Serve the dashboard afterwards.")
@port_option
@data_dir_option
def run(
    paths: tuple[Path, ...],
    source: str | None,
    start_time: str | None,
    serving: bool,
    **overrides: Any,
) -> int:
    """Do everything: from pictures and videos to the chart."""
    film = asked_film(overrides)
    settings = read_settings("producer", overrides)
    with open_ports(settings) as ports:
        return _run(ports, paths, source=source, start_time=start_time, serving=serving, film=film)


@click.command()
@click.option("--serve/--no-serve", "serving", default=True, help="Serve the dashboard afterwards.")
@port_option
@click.option("--data-dir", type=click.Path(path_type=Path), default=DEMO_DATA_DIR, show_default=True)
@click.option("--remove-town", is_flag=True, help="Remove all that is simulated, and end.")
def demo(serving: bool, remove_town: bool, **overrides: Any) -> int:
    """Count a traffic clip, from download to chart, next to two simulated weeks of a town and a camera."""
    from frametally.files.demo_clip import ensure_demo_clip

    settings = read_settings("producer", {**overrides, "interval_s": 1, "time_pattern": ""})
    if remove_town:
        with open_ports(settings) as ports:
            return _remove_town(ports)
    with console.stage_bar("clip") as bar:
        clip = DemoClip(ensure_demo_clip(settings.data_dir, bar))
    with open_ports(settings) as ports:
        return _run(
            ports, (clip.path,), source=clip.source, start_time=clip.start_time, serving=serving, clip=clip
        )


def _count_town(ports: Ports) -> int:
    """Build and count the simulated town unless it exists; return the exit code."""
    from frametally.simulated_town import DAYS, SOURCES, build_town
    from frametally_hadoop.count_round import count_once
    from frametally_search.index_round import publish_counts

    with console.stage_bar("town") as bar:
        is_new = build_town(ports, bar)
    if not is_new:
        return 0
    click.echo(f"simulated town: {plural(DAYS, 'day')} of {' and '.join(SOURCES)}; nothing of it was filmed")
    return worst(count_once(ports), publish_counts(ports))


def _remove_town(ports: Ports) -> int:
    from frametally.simulated_town import remove_town

    with console.stage_bar("town") as bar:
        removed = remove_town(ports, bar)
    for leave in hooks("town_removed"):
        leave(ports.settings)
    click.echo(f"simulated town: {plural(removed, 'recording')} removed")
    return 0


def _run(
    ports: Ports,
    paths: Sequence[Path],
    *,
    source: str | None,
    start_time: str | None,
    serving: bool,
    film: Mapping[str, Any] = MappingProxyType({}),
    clip: DemoClip | None = None,
) -> int:
    from frametally_cli.stages.produce import produce_call, produce_files
    from frametally_hadoop.count_round import count_once
    from frametally_models.chosen_model import media_to_test, tested_detector
    from frametally_search.index_round import publish_counts

    if serving:
        check_port(
            ports.settings,
            "choose another port with --port or FRAMETALLY_WEB_PORT, or skip the dashboard with --no-serve",
        )
    if clip:
        _count_town(ports)
    with ExitStack() as beside:
        with stop_on(signal.SIGTERM, signal.SIGINT, at_once=True) as should_stop:
            call = produce_call(ports.settings, paths, source, start_time, should_stop)
            call = replace(call, **film)
            # Test before announcing any frame.
            detector = tested_detector(ports.settings, media_to_test(call))
            codes = [produce_files(call, ports.store, ports.log)]
            if NOTHING_DONE in codes:
                return NOTHING_DONE
            for show_more in hooks("demo") if clip else ():
                beside.enter_context(show_more(ports, clip, should_stop))
            if should_stop():
                return stopped()
            codes.append(
                consume_here(ports, until_caught_up=True, should_stop=should_stop, detector=detector)
            )
            if should_stop():
                return STOPPED
        codes.append(count_once(ports))
        codes.append(publish_counts(ports))
    series = ports.index.series()
    if not series:
        return NOTHING_DONE
    shown = next((s for s in series if s.base_interval_s == ports.settings.interval_s), series[0])
    zones = readable_timezones(ports.store)
    print_counts(ports.index, shown.model, shown.base_interval_s, zones, ports.settings.timezone)
    if any(codes):
        console.err().print("Some files were skipped: see the lines above that begin with 'skipped'.")
    if serving:
        with closing(open_ledger(ports.settings.ledger_url, ports.settings.ledger_access)) as ledger:
            serve_dashboard(ports, ledger, interval_s=ports.settings.interval_s)
    return worst(*codes)


@click.command()
@port_option
@option("--workers", "Number of jobs to run at once.", type=click.IntRange(1, 64))
@option(
    "--every", "How often to count (15s, 15m, 1h).", metavar="PERIOD", default=COUNT_EVERY, show_default=True
)
@click.option("--packs", is_flag=True, help="Store cameras' frames in packs, not one object per frame.")
@data_dir_option
def up(workers: int | None, every: str, packs: bool, **overrides: Any) -> int:
    """Run every part on this machine until Ctrl-C: dashboard, consumers, counting.

    Each line begins with the name of its command. A command that dies is restarted. frametally saves a backup
    in the store once a day.
    """
    parse_period_s("--every", every)
    with stop_on(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as should_stop:
        return _up(MemberOptions(workers=workers, every=every, packs=packs), overrides, should_stop)


def _up(options: MemberOptions, overrides: dict[str, Any], should_stop: Callable[[], bool]) -> int:
    from frametally_models.chosen_model import check_chosen_model

    settings, port = read_settings("web", overrides), overrides["web_port"]
    must_be_writable(settings.data_dir)
    check_port(settings, "choose another port with --port or FRAMETALLY_WEB_PORT")
    _must_open(settings)
    check_chosen_model(settings)
    streams.log_lines()
    members = [
        command("serve", settings, "--alone", *(() if port is None else ("--port", port))),
        command("consume", settings),
        counting(settings, options),
        *(member for part in all_parts(settings, options) for member in part.members),
    ]
    # The dashboard's `/metrics` shows all their metrics, and so does a separate address if one is set.
    shown = Scraped(settings.data_dir)
    with (
        _noting_another(settings.data_dir),
        family() as is_first,
        listening(shown, *settings.metrics_place) if settings.metrics_address and is_first else nullcontext(),
        backing_up(settings, say),
    ):
        return Family(distinct(members), say=say).run(should_stop)


@contextmanager
def _noting_another(data_dir: Path) -> Iterator[None]:
    """Report if another `up` works on the same folder; nothing is lost then."""
    with ExitStack() as stack:
        try:
            stack.enter_context(work_lock(data_dir, "up", wait=False))
        except Retryable as error:
            say(stamped(f"{error}; both work on the same footage, each with its own dashboard"))
        except OSError:  # such as a full disk, which the members report
            pass
        yield


def _must_open(settings: Settings) -> None:
    """Open what all members need, so that a permanent failure gives one error instead of many repeated ones.

    Raises:
        Misconfigured: A setting is wrong, or something needed is lost. Members wait for unavailable servers.
    """
    for url, open_at in port_openers(settings).values():
        with suppress(Retryable), closing(open_at(url)):
            pass
    with suppress(Retryable), kept_books(settings):
        pass
    for must_open in hooks("must_open"):
        must_open(settings)


def check_port(settings: Settings, remedy: str) -> None:
    """Check before the work that the port is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.web_host, settings.web_port))
        except OSError as error:
            raise Misconfigured(
                f"the dashboard cannot listen on {settings.web_host}:{settings.web_port} ({error.strerror}): "
                f"{remedy}"
            ) from error
