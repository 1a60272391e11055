"""`frametally upgrade`: counts the days of earlier versions again, or says what that would change."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from frametally.adapters.files.trial_store import TrialStore
from frametally.books.index_lag import of_earlier_version
from frametally.checkup.areas import not_there_yet
from frametally.console import output as console
from frametally.console.options import data_dir_option, read_settings
from frametally.console.stop_signals import ending_on
from frametally.files.temporary import temporary_folder
from frametally.files.work_lock import work_lock
from frametally.openers.port_openers import open_ports, open_store_port
from frametally.ports.opened import StorePorts
from frametally.process.exit_codes import PART_DONE
from frametally.process.reports import plural
from frametally_cli.commands.backups import kept_books

if TYPE_CHECKING:
    from frametally_hadoop.driver import AggregateReport


@click.command()
@click.option("--dry-run", is_flag=True, help="Show which numbers would change; change nothing.")
@data_dir_option
def upgrade(dry_run: bool, **overrides: Any) -> int:
    """Count the days of earlier versions again, and publish them; show each number that changes.

    `--dry-run` counts as an upgrade does, into a temporary folder.
    """
    from frametally_search.index_round import publish_counts

    settings = read_settings(None, overrides)
    with ending_on(signal.SIGTERM):
        if dry_run:
            with open_store_port(settings) as ports, _trial_of(ports) as trial:
                return _count(trial)
        if not_there_yet(settings.catalogue_url) is None:
            with kept_books(settings):  # opening it upgrades its tables
                pass
        with open_ports(settings) as opened:
            return max(_count(opened), publish_counts(opened))


@contextmanager
def _trial_of(ports: StorePorts) -> Iterator[StorePorts]:
    """Yield ports that keep all that is written in a temporary folder, the ledger included."""
    with temporary_folder() as name:
        folder = Path(name)
        ledger_url = f"sqlite:///{folder / 'ledger.sqlite'}"
        nowhere = {"lineage_url": "", "traces_url": ""}
        settings = ports.settings.model_copy(
            update={"data_dir": folder, "ledger_url": ledger_url, "runner": "inline", **nowhere}
        )
        with closing(TrialStore(ports.store, folder / "store")) as store:
            yield StorePorts(settings, store)


def _count(ports: StorePorts) -> int:
    """Count what an earlier version counted, print the numbers that differ, and return the exit code."""
    from frametally_hadoop.count_round import changed_totals, current_runs

    before = current_runs(ports.store)
    days = {(run.interval_s, run.day) for run in of_earlier_version(before)}
    reports = [_count_interval(ports, interval_s) for interval_s in sorted({day[0] for day in days})]
    after = [
        run
        for report in reports
        for run in [*report.runs, *report.part_runs, *(run for step in report.steps for run in step.runs)]
    ]
    older = [run for run in before if (run.interval_s, run.day) in days]
    lines = [*changed_totals(ports.store, older, after)]
    for line in lines:
        click.echo(console.plain(line))
    skipped = [item for report in reports for item in report.all_skipped]
    console.print_skipped(skipped)
    click.echo(
        f"upgrade: {plural(len(days), 'day')} of an earlier version, {plural(len(lines), 'changed number')}"
        if days
        else "upgrade: all days were counted with the rules of this version; nothing to do"
    )
    return PART_DONE if skipped else 0


def _count_interval(ports: StorePorts, interval_s: int) -> AggregateReport:
    from frametally_hadoop.driver import aggregate
    from frametally_hadoop.planning.plan import ALL_DAYS

    settings = ports.settings.model_copy(update={"interval_s": interval_s})
    with (
        console.stage_bar("counts") as bar,
        work_lock(settings.data_dir, "aggregate", wait=True, on_wait=bar.say),
    ):
        return aggregate(settings=settings, store=ports.store, progress=bar, selection=ALL_DAYS)
