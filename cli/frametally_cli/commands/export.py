"""`frametally export`: writes the dashboard's numbers to a file, with the same bytes as the API."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from frametally.books.unanalysed import find_dead_letters, find_unanalysed
from frametally.console import output as console
from frametally.console.action_answers import ask_action
from frametally.console.options import data_dir_option, option, output_option, read_settings
from frametally.errors import Misconfigured
from frametally.files.export_formats import FORMATS
from frametally.keys import slug
from frametally.media.source_timezones import readable_timezones
from frametally.openers.port_openers import open_books
from frametally.plugins import plugins

_PARAMETER = re.compile(
    r"\b(?<!-)(from|to|hours|weekdays|interval|model|timezone|metric|compare|source|label|by)(=|`)"
)
_OF_COUNTS = ("hours", "weekdays", "metric", "compare")
"""Options that only counts have."""
_HAS_PLACES = any(plugin.places for plugin in plugins())


@click.command()
@click.option("--source", "sources", multiple=True, help="Slug of a source; repeatable.")
@click.option("--label", "labels", multiple=True, help="Label; repeatable.")
@option("--from", "ISO 8601 start; default: the start of the data.", metavar="TIME")
@option("--to", "End (exclusive); default: the end of the data.", metavar="TIME")
@option("--hours", "Only these hours of each day, such as 07:00-09:00; they may continue past midnight.")
@option("--weekdays", "Only these days of the week, such as 1,2,3; 1 is Monday.")
@option("--interval", "Row length in seconds; default: at most 120 rows per label.")
@option("--model", "Model ID; default: the newest published model.")
@option("--timezone", "IANA time zone for days, weeks and times without an offset.")
@option("--metric", "Order of labels: detections, mean_per_frame, peak or objects.")
@option(
    "--compare",
    "Compare with previous, day, week, source:SLUG or model:ID; adds the other values and the differences.",
)
@option(
    "--of",
    "Instead of counts: crossings, zones, movements, or dwell (the stays in each zone), of one source.",
    metavar="WHAT",
    hidden=not _HAS_PLACES,
)
@click.option("--by-source", is_flag=True, help="Separate rows for each source.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice([*FORMATS]),
    help="File format; default: by the ending of --output; csv if it has none.",
)
@output_option
@data_dir_option
def export(
    sources: tuple[str, ...],
    labels: tuple[str, ...],
    by_source: bool,
    file_format: str | None,
    of: str | None,
    output: Path | None,
    **options: Any,
) -> int:
    """Write counts per interval and label as CSV, a workbook (xlsx), JSON or Parquet."""
    names = ("from", "to", "hours", "weekdays", "interval", "model", "timezone", "metric", "compare")
    parameters = {name: value for name in names if (value := options.pop(name)) is not None}
    chosen = console.format_of(output, file_format, FORMATS, "csv")
    settings = read_settings(None, options)
    if of is not None:
        if not _HAS_PLACES or len(sources) != 1:
            raise Misconfigured("--of needs lines or zones, and the one source that has them: add --source")
        if by_source or parameters.keys() & _OF_COUNTS:
            raise Misconfigured(f"use --of without --by-source, --{', --'.join(_OF_COUNTS)}")
        places: dict[str, Any] = {**parameters, "source": sources[0], "label": labels, "format": chosen}
        with closing(ask_action(settings, "places_export", of=of, **places)) as reply:
            console.write_out(output, reply.chunks())
        return 0
    from frametally.actions.calls import Reply
    from frametally.actions.parameters import Args
    from frametally.actions.problems import Problem
    from frametally_web.charts.media_times import MediaTimes
    from frametally_web.charts.question import resolve
    from frametally_web.exports.table_file import export as make_export
    from frametally_web.requests.query import read_chart, read_compare

    args = Args(
        [*parameters.items(), *(("source", one) for one in sources), *(("label", one) for one in labels)]
    )
    if by_source:
        args.add("by", "source")

    def warn(line: str) -> None:
        console.err().print(console.plain(line), markup=False)

    with open_books(settings, reading=True) as (ports, ledger):
        with console.stage_bar("ledger") as progress:
            ledger.refresh(ports.store, progress)
        try:
            unanalysed = find_unanalysed(
                store=ports.store, ledger=ledger, index=ports.index, settings=settings
            )
            media = MediaTimes(
                ledger.manifests(),
                unanalysed,
                dead_letters=find_dead_letters(ledger),
                timezones=readable_timezones(ports.store),
            )
            zone = media.shared_timezone([*map(slug, sources)])
            if zone and "timezone" not in args:
                args.put("timezone", zone)
            question = resolve(ports.index, settings, media, read_chart(args, settings))
            file = make_export(question, chosen, read_compare(args), warn=warn)
            models = [str(parameters["model"])] if "model" in parameters else sorted(ledger.models())
            for key in (key for model in models for key in ledger.damaged_segments(model)):
                warn(
                    f"segment {key} is damaged: what was counted from it earlier stays in the counts, but it "
                    "cannot be counted again; run `frametally doctor --deep`"
                )
        except Problem as problem:
            raise Misconfigured(_of_options(f"{problem.detail} {problem.remedy}")) from problem
    with file:  # also if its first piece cannot be written
        console.write_out(output, Reply(file).chunks())
    return 0


def _of_options(line: str) -> str:
    """Rewrite a message about parameters of the API as one about the options."""
    line = _PARAMETER.sub(r"--\1\2", line).replace("--by`", "--by-source`")
    return line.replace("between from and to", "between --from and --to")
