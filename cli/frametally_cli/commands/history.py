"""`frametally history`: lists the runs that made a number, and why each changed it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from frametally.books.bars import NothingCounted
from frametally.console import output as console
from frametally.console.action_answers import ask_action, json_option, print_json
from frametally.console.option_values import parse_bounds_ms, parse_time_ms
from frametally.console.options import data_dir_option, option, read_settings
from frametally.process.reports import plural
from frametally.rules.times import DAY_MS, DAY_S, utc, utc_range

if TYPE_CHECKING:
    from frametally_web.history.answers import NumberChange, NumberHistory


@click.command()
@option("--from", "ISO 8601 start of the number's range.", required=True, metavar="TIME")
@option("--to", "ISO 8601 end of the range (exclusive); default: a day later.", metavar="TIME")
@click.option("--source", "sources", multiple=True, help="Only this source; repeatable.")
@click.option("--label", "labels", multiple=True, help="Only this label; repeatable.")
@option("--interval", "Stored interval in seconds; default: the longest.", type=click.IntRange(1, DAY_S))
@option("--model", "Model ID; default: the newest published model.")
@option("--timezone", "IANA time zone of times without an offset.")
@json_option
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
    settings = read_settings(None, overrides)
    zone = settings.tzinfo()
    from_ms = parse_time_ms("--from", start, zone)
    _, to_ms = parse_bounds_ms(start, end, zone)
    to_ms = from_ms + DAY_MS if to_ms is None else to_ms
    values = {"label": labels, "source": sources, "from": from_ms, "to": to_ms}
    values |= {"model": model, "base": interval, "timezone": overrides["timezone"]}
    answer: NumberHistory = ask_action(settings, "history", **values)
    if not (answer.frames or answer.changes or answer.unknown_days or answer.other_models):
        if answer.model is None:
            raise NothingCounted(
                "nothing has been counted and indexed yet: run `frametally aggregate` and `frametally index`"
            )
        remedy = "produce footage of it"
        if counted := ask_action(settings, "sources", model=model).sources:
            first_ms = min(source.first_interval_ms for source in counted)
            next_ms = max(source.next_interval_ms for source in counted)
            remedy = f"choose a range between {utc(first_ms)} and {utc(next_ms)}"
        raise NothingCounted(f"no footage is counted from {utc(from_ms)} to {utc(to_ms)}; {remedy}")
    if as_json:
        print_json(answer)
        return 0
    for line in _lines(answer):
        click.echo(console.plain(line))
    return 0


def _lines(answer: NumberHistory) -> Iterator[str]:
    for change in answer.changes:
        yield from _lines_of_change(change)
    for day in answer.unknown_days:
        yield f"{day}: there is no history, because it is missing or damaged"
    for other in answer.other_models:
        yield f"another model, {other.model}, counted {plural(other.detections, 'detection')}"
    if answer.other_runs:
        yield f"{plural(answer.other_runs, 'other run')} did not change this number"
    blank = f"without {plural(answer.blank_frames, 'frame')} of footage that shows nothing, "
    if answer.from_ms is None or answer.to_ms is None:
        return
    yield (
        f"now: {plural(answer.detections, 'detection')} in "
        f"{plural(answer.frames - answer.blank_frames, 'frame')} analysed, "
        f"{blank * bool(answer.blank_frames)}"
        f"{utc_range(answer.from_ms, answer.to_ms)}, model {answer.model}"
    )


def _lines_of_change(change: NumberChange) -> Iterator[str]:
    at = utc(change.counted_at_ms) if change.counted_at_ms else "time unknown"
    what = f"run {change.run_id[:6]}" if change.runs == 1 else f"{change.runs} runs up to {change.run_id[:6]}"
    version = f", frametally {change.version}" if change.version else ""
    yield (
        f"{at}  {change.day}, {what}{version}, settings {change.params}: "
        f"{change.detections_before} -> {plural(change.detections_after, 'detection')}, "
        f"{change.frames_before} -> {plural(change.frames_after, 'frame')}"
    )
    for text in (*(reason.text for reason in change.reasons), change.note):
        if text:
            yield f"    {text}"
    for sign, frames in (("+", change.came), ("-", change.gone)):
        for frame in frames:
            yield f"    {sign} {frame.image_path}"
