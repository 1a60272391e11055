"""`frametally doctor`: one table of all that can be wrong with an installation."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click
from rich import box
from rich.table import Table
from rich.text import Text

from frametally.errors import Misconfigured
from frametally.files.downloads import KnownFile
from frametally.settings.loading import Settings
from frametally_cli.checkup.backups import backup_rows
from frametally_cli.checkup.findings import Finding
from frametally_cli.checkup.machine import disk_row, software_rows
from frametally_cli.checkup.mail import mail_rows
from frametally_cli.checkup.models import model_rows
from frametally_cli.checkup.ports import NOTHING_YET, STAGE_AREAS, is_needed, port_rows
from frametally_cli.checkup.runner import runner_row
from frametally_cli.checkup.settings import setting_rows
from frametally_cli.console import output as console
from frametally_cli.options.ports import data_dir_option, read_settings
from frametally_cli.scrub.checks import deep_rows

BROKEN = 2
_PORTS = ("store", "log", "index", "ledger")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--deep", is_flag=True, help="Read all that is stored, too, and compare its checksums.")
@click.option("--stage", type=click.Choice(sorted(STAGE_AREAS)), help="Check only what this command needs.")
@data_dir_option
def doctor(as_json: bool, deep: bool, stage: str | None, **overrides: Any) -> int:
    """Look at settings, ports, rights, versions, model, disk, clock, job engine; exit with 0 or 2."""
    if deep and stage:
        raise Misconfigured("use either --deep or --stage, not both")
    rows = list(setting_rows(overrides))
    try:
        settings = read_settings(None, overrides, must_be_there=False)
    except Misconfigured as error:
        rows.append(Finding("settings", "all of them", "cannot be used", remedy=str(error)))
    else:
        rows += examine(settings, model_files=_default_model_files, stage=stage or "")
        ports = [row for row in rows if row.area in _PORTS]
        if deep and all(row.good and (row.area, row.value) != ("store", NOTHING_YET) for row in ports):
            rows += deep_rows(settings)
    good = all(row.good for row in rows)
    if as_json:
        body = [row._asdict() | {"good": row.good} for row in rows]
        click.echo(json.dumps({"good": good, "rows": body}, indent=2))
    else:
        _print(rows)
    return 0 if good else BROKEN


def examine(
    settings: Settings, *, model_files: Callable[[], Sequence[KnownFile]], stage: str = ""
) -> Iterator[Finding]:
    """Check everything but the settings themselves, one after the other: for all stages, or for one.

    `model_files` gives the default model's files, or raises `ImportError` where no consumer is installed.
    """
    yield from port_rows(settings, stage)
    if is_needed("backup", stage):
        yield from backup_rows(settings)
    if is_needed("mail", stage):
        yield from mail_rows(settings)
    if is_needed("model", stage):
        yield from model_rows(settings, model_files)
    yield from software_rows()
    yield disk_row(settings)
    if is_needed("runner", stage):
        yield runner_row(settings)


def _default_model_files() -> Sequence[KnownFile]:
    from frametally_models.files import DEFAULT_FILES

    # Our own packages are in every image; of the others, `onnx` comes with the consumer alone.
    if importlib.util.find_spec("onnx") is None:
        raise ImportError("no consumer is installed here")
    return DEFAULT_FILES


def _print(rows: Sequence[Finding]) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("", "area", "what", "found", "from, for, or what to do"):
        table.add_column(column, overflow="fold")
    for row in rows:
        mark = Text("good", style="green") if row.good else Text("bad", style="bold red")
        table.add_row(mark, row.area, Text(row.name), Text(row.value), Text(row.remedy or row.note))
    console.out.print(table)
    bad = [row for row in rows if not row.good]
    for row in bad:
        console.out.print(Text.assemble(("bad: ", "bold red"), f"{row.area}, {row.name}: {row.remedy}"))
    if not bad:
        console.out.print("all good")
