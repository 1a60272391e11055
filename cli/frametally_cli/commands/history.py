"""`frametally history`: lists the runs that made a number, and why each changed it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import click
import msgspec

from frametally import keys
from frametally.books.bars import NothingCounted
from frametally.books.history import HistoryChange, HistoryQuery, RunChanges, find_history
from frametally.books.history_words import NO_PARTS, reason_words
from frametally.console import output as console
from frametally.console.option_values import parse_bounds_ms, parse_time_ms
from frametally.console.options import data_dir_option, option, read_settings
from frametally.errors import Misconfigured
from frametally.media.sources import source_names
from frametally.naming import KnownNames
from frametally.openers.port_openers import open_books
from frametally.ports.opened import Ports
from frametally.process.reports import plural
from frametally.records import FrameDetections
from frametally.rules.places import is_of_places
from frametally.rules.times import DAY_MS, DAY_S, utc


@click.command()
@option("--from", "ISO 8601 start of the number's range.", required=True, metavar="TIME")
@option("--to", "ISO 8601 end of the range (exclusive); default: a day later.", metavar="TIME")
@click.option("--source", "sources", multiple=True, help="Only this source; repeatable.")
@click.option("--label", "labels", multiple=True, help="Only this label; repeatable.")
@option("--interval", "Stored interval in seconds; default: the longest.", type=click.IntRange(1, DAY_S))
@option("--model", "Model ID; default: the newest published model.")
@option("--timezone", "IANA time zone of times without an offset.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@data_dir_option
def history(
    sources: tuple[str, ...],
    labels: tuple[str, ...],
    interval: int | None,
    model: str | None,
    as_json: bool,
    **overrides: Any,
) -> int:
    """Show why a number changed: each run, the total before and after, and the reason."""
    start, end = overrides.pop("from"), overrides.pop("to")
    with open_books(read_settings(None, overrides), reading=True) as (ports, ledger):
        zone = ports.settings.tzinfo()
        from_ms = parse_time_ms("--from", start, zone)
        _, to_ms = parse_bounds_ms(start, end, zone)
        with console.stage_bar("ledger") as progress:
            ledger.refresh(ports.store, progress)
        manifests = ledger.manifests()
        chosen, base_s = _series(ports, model, interval)
        names = source_names(manifests)
        slugs = [keys.slug(source) for source in sources]
        known_names = KnownNames(names, settings=ports.settings, store=ports.store, index=ports.index)
        for unknown_name in known_names.unknown(sources=slugs, labels=labels):
            raise Misconfigured(str(unknown_name))
        query = HistoryQuery(
            chosen,
            base_s,
            from_ms,
            from_ms + DAY_MS if to_ms is None else to_ms,
            slugs,
            labels,
        )
        found = find_history(ports.store, ports.index, ledger, query)
        if not (found.frames or found.changes or found.unknown_days or found.other_models):
            raise NothingCounted(_nothing_there(ports, query))

    def words(change: HistoryChange) -> list[str]:
        return reason_words(change, lambda source: names.get(source, source), zone)

    if as_json:
        click.echo(json.dumps(_as_json(query, found, words), indent=2))
        return 0
    for change in found.changes:
        _print_change(change, words(change))
    for day in found.unknown_days:
        click.echo(f"{day}: there is no history, because it is missing or damaged")
    for other, detections in found.other_models.items():
        click.echo(f"another model, {other}, counted {plural(detections, 'detection')}")
    if found.other_runs:
        click.echo(f"{plural(found.other_runs, 'other run')} did not change this number")
    blank = f"without {plural(found.blank_frames, 'frame')} of footage that shows nothing, "
    click.echo(
        f"now: {plural(found.detections, 'detection')} in "
        f"{plural(found.frames - found.blank_frames, 'frame')} analysed, {blank * bool(found.blank_frames)}"
        f"{utc(found.from_ms)} to {utc(found.to_ms)}, model {chosen}"
    )
    return 0


def _series(ports: Ports, model: str | None, interval: int | None) -> tuple[str, int]:
    series = [one for one in ports.index.series() if not is_of_places(one.model)]
    if not series:
        raise NothingCounted(
            "nothing has been counted and indexed yet: run `frametally aggregate` and `frametally index`"
        )
    chosen = model or series[0].model
    stored = sorted(one.base_interval_s for one in series if one.model == chosen)
    if not stored:
        known = ", ".join(dict.fromkeys(one.model for one in series))
        raise Misconfigured(f"no model {chosen!r} is indexed; choose from: {known}")
    if interval is not None and interval not in stored:
        raise Misconfigured(
            f"--interval {interval} is not stored: {chosen} is stored in intervals of "
            f"{', '.join(map(str, stored))} s"
        )
    return chosen, interval or stored[-1]


def _nothing_there(ports: Ports, query: HistoryQuery) -> str:
    remedy = "produce footage of it"
    if extents := ports.index.sources(query.model, query.base_interval_s):
        first_ms = min(source.first_interval_ms for source in extents)
        next_ms = max(source.next_interval_ms for source in extents)
        remedy = f"choose a range between {utc(first_ms)} and {utc(next_ms)}"
    return f"no footage is counted from {utc(query.from_ms)} to {utc(query.to_ms)}; {remedy}"


def _print_change(change: HistoryChange, reasons: list[str]) -> None:
    entry = change.entry
    at = utc(change.counted_at_ms) if change.counted_at_ms else "time unknown"
    what = f"run {entry.run_id[:6]}" if entry.runs == 1 else f"{entry.runs} runs up to {entry.run_id[:6]}"
    version = f", frametally {entry.version}" if entry.version else ""
    click.echo(
        f"{at}  {change.day}, {what}{version}, settings {entry.params}: "
        f"{change.before} -> {plural(change.after, 'detection')}, "
        f"{change.frames_before} -> {plural(change.frames_after, 'frame')}"
    )
    for line in [*reasons, *([] if change.has_parts else [NO_PARTS])]:
        click.echo(console.plain(f"    {line}"))
    for sign, frames in (("+", change.added), ("-", change.removed)):
        for frame in frames:
            click.echo(f"    {sign} {frame.image_path}")


def _as_json(
    query: HistoryQuery, found: RunChanges, words: Callable[[HistoryChange], list[str]]
) -> dict[str, Any]:
    def paths(frames: Sequence[FrameDetections]) -> list[dict[str, Any]]:
        return [_frame(frame) for frame in frames]

    return {
        "model": query.model,
        "base_interval_s": query.base_interval_s,
        **found._asdict(),
        "changes": [
            {
                **change._asdict(),
                "entry": msgspec.to_builtins(change.entry, str_keys=True),
                "reasons": [
                    {**msgspec.to_builtins(reason), "text": text}
                    for reason, text in zip(change.reasons, words(change), strict=True)
                ],
                "frames_after": change.frames_after,
                "came": paths(change.added),
                "gone": paths(change.removed),
            }
            for change in found.changes
        ],
    }


def _frame(frame: FrameDetections) -> dict[str, Any]:
    return {"image_path": frame.image_path, "captured_at_ms": frame.captured_at_ms, "source": frame.source}
