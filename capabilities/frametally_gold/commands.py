"""`frametally gold`: updates the gold tables from the store, or compares them with the index."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from frametally.adapters_by_url import open_ledger
from frametally.console import output as console
from frametally.console.option_values import parse_bounds_ms
from frametally.console.options import data_dir_option, option, read_settings
from frametally.console.rounds import repeat_rounds
from frametally.errors import Misconfigured, Retryable
from frametally.openers.port_openers import open_ports, open_store_port
from frametally.ports.opened import Ports, StorePorts
from frametally.process.exit_codes import worst
from frametally.process.period import parse_period_s
from frametally.process.reports import exit_code, plural
from frametally.settings.loading import Settings
from frametally.work.family_members import MemberOptions
from frametally_gold.comparison import check_gold
from frametally_gold.loading import load_gold
from frametally_gold.settings import GoldSettings, is_wanted
from frametally_gold.video_rows import load_videos
from frametally_videos.catalogue.catalogue_rows import VideoQuestion
from frametally_videos.catalogue_by_url import catalogue_to_look

if TYPE_CHECKING:
    from frametally_gold.iceberg_tables import IcebergTables

DIFFERS = 3
_VIDEOS_AT_ONCE = 500

_Bounds = tuple[int | None, int | None]
_ALL: _Bounds = (None, None)


@click.command()
@option("--every", "Repeat at this interval (15s, 15m, 1h), until SIGTERM.", metavar="PERIOD")
@click.option("--check", is_flag=True, help="Change nothing; compare each day's sums with the index.")
@option("--from", "Only UTC days that end after this ISO 8601 time.", metavar="TIME")
@option("--to", "Only UTC days that begin before this ISO 8601 time.", metavar="TIME")
@data_dir_option
def gold(every: str | None, check: bool, **overrides: Any) -> int:
    """Update the gold tables, which you can query with SQL, from the store.

    With --check the exit code is 0, or 3 if a day's sums differ from the index.
    """
    if check and every is not None:
        raise Misconfigured("use either --check or --every, not both")
    period_s = None if every is None else parse_period_s("--every", every)
    bounds = parse_bounds_ms(overrides.pop("from"), overrides.pop("to"), datetime.UTC)
    settings = read_settings("search", overrides)
    if check:
        with open_ports(settings, reading=True) as ports:
            return _check(ports, bounds)
    if period_s is None:
        with open_store_port(settings) as store:
            return load(store, bounds, verify=True)
    return repeat_rounds(
        settings, lambda: open_store_port(settings), lambda store: load(store, bounds), period_s=period_s
    )


@click.command()
@click.option(
    "--keep-days",
    type=click.IntRange(min=0),
    help="Delete snapshots that are older than so many days, with their files.",
    metavar="DAYS",
)
@click.option("--rebuild", is_flag=True, help="Delete all Iceberg tables and their history first.")
@data_dir_option
def iceberg(keep_days: int | None, rebuild: bool, **overrides: Any) -> int:
    """Publish the gold tables as Iceberg tables in the store, for DuckDB, Spark and others.

    From then on, everything that updates the gold tables also publishes them.
    """
    settings = read_settings("search", overrides)
    with open_store_port(settings) as ports:
        code = publish_again(ports) if rebuild else load(ports, publishing=True)
        if keep_days is not None:
            with closing(_open_iceberg(ports)) as tables:
                expiry = tables.expire(
                    datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=keep_days)
                )
            click.echo(
                f"iceberg: {plural(expiry.snapshots, 'snapshot')} and {plural(expiry.files, 'file')} deleted"
            )
    return code


def publish_again(ports: StorePorts) -> int:
    """Delete all Iceberg tables and their history, and publish them again. Raises as `load`."""
    with closing(_open_iceberg(ports)) as tables:
        tables.remove()
    return load(ports, publishing=True)


def load_if_wanted(ports: StorePorts) -> int:
    """Update the gold tables, if they exist; return the exit code."""
    return load(ports) if is_wanted(ports.settings) else 0


def must_open_gold(settings: Settings) -> None:
    """Open the gold tables, if they exist, before jobs that need them start.

    Raises:
        Misconfigured: They can never be opened. For a database that is down, the jobs wait.
    """
    from frametally_gold.book import open_gold

    if is_wanted(settings):
        with suppress(Retryable):
            open_gold(settings).close()


@contextmanager
def serving(ports: Ports, options: MemberOptions) -> Iterator[dict[str, Any]]:
    """Yield no context; keep a dashboard that runs video jobs from starting with broken tables."""
    if not options.alone:
        must_open_gold(ports.settings)
    yield {}


def load(ports: StorePorts, bounds: _Bounds = _ALL, *, verify: bool = False, publishing: bool = False) -> int:
    """Update the gold tables, print the changes, and return the exit code.

    With `verify`, read all rows, and reload days and videos whose rows were changed. With `publishing`, or if
    there are Iceberg tables, also publish the changes there.

    Raises:
        Retryable: The store or the database is not available.
        Misconfigured: The database (or, with `publishing`, an Iceberg table) cannot be opened or written.
    """
    from frametally_gold.book import open_gold

    settings = ports.settings
    with (
        closing(open_gold(settings)) as tables,
        closing(open_ledger(settings.ledger_url, settings.ledger_access)) as ledger,
    ):
        has_iceberg = tables.has_iceberg()
        with console.stage_bar("gold") as bar:
            days = load_gold(
                store=ports.store,
                gold=tables,
                progress=bar,
                from_ms=bounds[0],
                to_ms=bounds[1],
                verify=verify,
            )
        with console.stage_bar("videos") as bar:
            videos = load_videos(
                settings=settings, store=ports.store, ledger=ledger, gold=tables, progress=bar, verify=verify
            )
    skipped = days.skipped + videos.skipped
    console.print_skipped(skipped)
    console.say_round(
        f"gold: {plural(len(days.loaded), 'day')} loaded, {days.unchanged} unchanged, "
        f"{len(days.removed)} deleted, {plural(days.rows, 'row')}; {plural(videos.loaded, 'video')} loaded, "
        f"{videos.unchanged} unchanged, {videos.removed} deleted",
        is_news=bool(days.loaded or days.removed or videos.loaded or videos.removed or skipped),
    )
    days_and_videos = len(days.loaded) + days.unchanged + videos.loaded + videos.unchanged
    code = exit_code(done_count=days_and_videos, skipped=skipped)
    if publishing:
        return worst(code, _publish(ports))
    if has_iceberg:
        return worst(code, console.try_optional("publishing the Iceberg tables", lambda: _publish(ports)))
    return code


def _publish(ports: StorePorts) -> int:
    with closing(_open_iceberg(ports)) as iceberg_tables:
        published = iceberg_tables.publish()
    console.say_round(f"iceberg: {plural(published, 'day')} published", is_news=bool(published))
    return 0


def _open_iceberg(ports: StorePorts) -> IcebergTables:
    try:
        from frametally_gold.iceberg_tables import IcebergTables
    except ModuleNotFoundError as error:
        raise Misconfigured(
            f"{error.name} is not installed, but the Iceberg tables need it: run pip install "
            "'frametally[iceberg]'"
        ) from error
    of_gold = ports.settings.part(GoldSettings)
    return IcebergTables(of_gold.gold_url, of_gold.gold_access, ports.store)


def _check(ports: Ports, bounds: _Bounds) -> int:
    from frametally_gold.book import open_gold

    settings = ports.settings
    if not is_wanted(settings):
        raise Misconfigured(
            f"there are no gold tables in {settings.part(GoldSettings).gold_url} yet: run `frametally "
            "gold` first"
        )
    with closing(open_gold(settings)) as tables, console.stage_bar("compare") as bar:
        comparison = check_gold(
            index=ports.index,
            gold=tables,
            progress=bar,
            videos=_videos_of(settings),
            from_ms=bounds[0],
            to_ms=bounds[1],
        )
    if comparison.difference is not None:
        click.echo(console.plain(comparison.difference))
        return DIFFERS
    click.echo(f"gold: {plural(comparison.days, 'day has', 'days have')} the same sums as the index")
    return 0


def _videos_of(settings: Settings) -> list[str]:
    """Return the videos that the gold tables should contain: all that are ready or failed."""
    video_ids: list[str] = []
    with catalogue_to_look(settings) as catalogue:
        question = VideoQuestion(states=("ready", "failed"), limit=_VIDEOS_AT_ONCE)
        while True:
            page = catalogue.videos(question)
            video_ids += (row.record.id for row in page.rows)
            if not page.next:
                return video_ids
            question = question._replace(cursor=page.next)
