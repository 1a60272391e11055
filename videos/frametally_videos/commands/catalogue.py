"""`frametally catalogue`: looks after the catalogue of videos."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import click

from frametally.process.reports import exit_code
from frametally_cli.console import output as console
from frametally_cli.options.ports import data_dir_option, open_books, read_settings
from frametally_videos.books.rebuilding import rebuild_catalogue
from frametally_videos.books.video_states import StateSettler
from frametally_videos.opening import open_video_catalogue


@click.group("catalogue")
def catalogue_group() -> None:
    """Look after the catalogue of videos, a cache of what the store holds."""


@catalogue_group.command("rebuild")
@data_dir_option
def catalogue_rebuild(**overrides: Any) -> int:
    """Make the catalogue anew from the store alone; what was done to videos before is not in it."""
    settings = read_settings(None, overrides)
    with (
        open_books(settings) as (ports, ledger),
        closing(open_video_catalogue(settings.catalogue_url, settings.catalogue_access)) as catalogue,
    ):
        with console.stage_bar("catalogue") as bar:
            rebuilt = rebuild_catalogue(ports.store, catalogue, bar)
        settler = StateSettler(
            settings=settings, store=ports.store, index=ports.index, ledger=ledger, catalogue=catalogue
        )
        settler.settle_all()
    console.print_skipped(rebuilt.skipped)
    click.echo(f"catalogue: {rebuilt.videos} videos taken in, {rebuilt.removed} removed")
    return exit_code(done=rebuilt.videos, skipped=rebuilt.skipped)
