"""One round of the indexer, and what it prints."""

from __future__ import annotations

from functools import partial

import click
from rich import filesize

from frametally.books.superseded import remove_superseded
from frametally.console import output as console
from frametally.errors import Misconfigured
from frametally.plugins import hooks
from frametally.ports.opened import IndexPorts
from frametally.process.exit_codes import worst
from frametally.process.reports import exit_code, plural
from frametally.telemetry.lineage import lineage_run
from frametally_search.indexer import index_runs


def publish_counts(ports: IndexPorts) -> int:
    """Publish counts to the index and to plug-ins' tables."""
    code = index_new_runs(ports)
    steps = [(f"the update by {after.__module__}", partial(after, ports)) for after in hooks("indexed")]
    return worst(code, *(console.try_optional(name, step) for name, step in steps))


def index_new_runs(ports: IndexPorts) -> int:
    """Publish the runs that are not in the index yet; return the exit code."""
    settings = ports.settings
    token = settings.lineage_token.get_secret_value()
    with console.stage_bar("index") as bar, lineage_run("index", settings.lineage_url, token) as lineage:
        report = index_runs(store=ports.store, index=ports.index, progress=bar, lineage=lineage)
    run_count = len(report.published) + report.unchanged
    console.print_skipped(report.skipped)
    console.say_round(
        f"index: {plural(len(report.published), 'run')} published, {report.unchanged} unchanged"
        + ("" if run_count or report.skipped else f"; no runs in {settings.store_url}"),
        is_news=bool(report.published or report.skipped),
    )
    try:
        removed = remove_superseded(ports.store, ports.index.current_runs())
    except Misconfigured as error:  # a key with earlier rights; the index is up to date anyway
        click.echo(f"could not delete superseded runs from the store: {error}", err=True)
    else:
        if removed.runs:
            click.echo(
                f"store: {plural(removed.runs, 'superseded run')} deleted, "
                f"{filesize.decimal(removed.size_bytes)}"
            )
    return exit_code(done_count=run_count, skipped=report.skipped)
