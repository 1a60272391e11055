"""`frametally report traffic`: the movements over a junction, as a workbook, a wide table or UTDF."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from frametally import keys
from frametally.books.unanalysed import find_unanalysed
from frametally.console import output as console
from frametally.console.option_values import parse_bounds_ms
from frametally.console.options import data_dir_option, option, output_option, read_settings
from frametally.errors import Misconfigured
from frametally.media.sources import source_names
from frametally.openers.port_openers import open_books
from frametally.process.reports import plural
from frametally.rules.times import local_time
from frametally_traffic.counting.published_days import flows_for
from frametally_traffic.report.junction_report import ReportQuery, TrafficReport, read_report, why_words
from frametally_traffic.report.schemes import LABELS, SCHEME_NAMES

_FORMATS = ("xlsx", "csv", "utdf")


@click.group()
def report() -> None:
    """Write reports of the counts."""


@report.command()
@click.argument("source")
@option("--from", "ISO 8601 start; default: the start of the data.", metavar="TIME")
@option("--to", "End, not included; default: the end of the data.", metavar="TIME")
@option("--timezone", "IANA time zone for days, hours, and times without an offset.")
@option("--model", "Model ID; default: the newest published model.")
@click.option(
    "--classes",
    type=click.Choice(SCHEME_NAMES),
    default=LABELS,
    help="Scheme of classes; default: the detector's labels.",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(_FORMATS),
    help="File format; default: by the ending of --output; xlsx if it has none.",
)
@click.option("--hour", type=click.Choice(("am", "pm")), help="Peak hour of UTDF; default: the busier one.")
@output_option
@data_dir_option
def traffic(
    source: str,
    model: str | None,
    classes: str,
    file_format: str | None,
    hour: str | None,
    output: Path | None,
    **overrides: Any,
) -> int:
    """Write the movements over the junction that SOURCE shows, by quarter-hour and class.

    Its legs are lines with one direction into the junction; draw them on the page, or use `frametally lines`.
    """
    from frametally_traffic.report_files.checked_legs import checked_legs
    from frametally_traffic.report_files.formats import HOURS, make_file

    format_name = console.format_of(output, file_format, _FORMATS, "xlsx")
    if output is None and format_name == "xlsx" and sys.stdout.isatty():
        raise Misconfigured("a terminal cannot show a workbook: give a file with --output")
    bounds = overrides.pop("from"), overrides.pop("to")
    settings = read_settings(None, overrides)
    from_ms, to_ms = parse_bounds_ms(*bounds, settings.tzinfo())
    with open_books(settings, reading=True) as (ports, ledger):
        with console.stage_bar("ledger") as progress:
            ledger.refresh(ports.store, progress)
        unanalysed = find_unanalysed(store=ports.store, ledger=ledger, index=ports.index, settings=settings)
        manifests = ledger.manifests()
        slug = keys.slug(source)
        report = read_report(
            ReportQuery(slug, settings.timezone, settings.tzinfo(), model, from_ms, to_ms, classes),
            store=ports.store,
            index=ports.index,
            read_flows=partial(flows_for, ports.store, folder=settings.data_dir / "flows"),
            not_analysed={model: spans.get(slug, []) for model, spans in unanalysed.items()},
            source_name=source_names(manifests).get(slug),
        )
        checked = checked_legs(settings, ports.index, report)
    half_of_day = next((half for half in HOURS if half == hour), HOURS[0])
    with make_file(report, format_name, half_of_day, checked) as file:
        data = file.read()
    console.write_out(output, [data])
    for line in _summary(report):
        console.err().print(console.plain(line), markup=False)
    return 0


def _summary(report: TrafficReport) -> list[str]:
    """Return a few lines that summarize the report."""
    table = report.table
    data_count = sum(quarter.missing is None for quarter in table.quarters)
    without = sum(table.without.values())
    missing = table.missing_of(table.groups)
    words = "at least " if missing else ""
    lines = [
        f"{words}{plural(table.total(), 'movement')} of {plural(table.total() + without, 'visit')} over "
        f"{plural(len(table.legs), 'leg')}; {data_count} of {len(table.quarters)} quarter-hours have data"
    ]
    if missing:
        names = sorted({group for _, group in table.unknown})
        lines.append(f"not measured in some quarter-hours: {', '.join(names)} ({why_words(missing)})")
    for day in report.peaks:
        for half, peak in (("AM", day.am), ("PM", day.pm)):
            if peak is not None and peak.factor is not None:
                begins = local_time(peak.start_ms, report.query.zone)
                lines.append(
                    f"{day.day} {half} peak hour from {begins:%H:%M}: {peak.vehicles} motor vehicles, "
                    f"peak-hour factor {peak.factor:.2f}, {peak.heavy_share or 0:.0%} heavy"
                )
    return lines
