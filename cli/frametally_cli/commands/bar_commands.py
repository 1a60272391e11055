"""`frametally explain` lists every frame behind a bar; `frametally compare` shows where two models differ.

They need no component.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from typing import Any

import click
import msgspec

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.books.bars import ExplainedBar, NothingCounted, find_bar
from frametally.books.compare import Comparison, Side, compare_models
from frametally.books.evidence import FramesBehind, ProvedFrame, are_detections_gone
from frametally.books.gap import find_reasons
from frametally.books.verdict import BEHIND
from frametally.console import output as console
from frametally.console.option_values import parse_bounds_ms, parse_time_ms
from frametally.console.options import data_dir_option, option, read_settings
from frametally.media.stored_images import missing_images
from frametally.openers.port_openers import open_books
from frametally.ports.ledger import Ledger
from frametally.ports.opened import Ports
from frametally.process.reports import plural
from frametally.rules.times import DAY_MS, DAY_S, utc


@click.command()
@click.argument("model_a")
@click.argument("model_b")
@option("--source", "Only this source.")
@option("--label", "Only this label.")
@option("--from", "ISO 8601 start of the comparison.", metavar="TIME")
@option("--to", "ISO 8601 end of the comparison (exclusive).", metavar="TIME")
@option("--interval", "Bar length in seconds; default: the stored interval.", type=click.IntRange(1, DAY_S))
@option("--timezone", "IANA time zone of times without an offset.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@data_dir_option
def compare(
    model_a: str,
    model_b: str,
    source: str | None,
    label: str | None,
    interval: int | None,
    as_json: bool,
    **overrides: Any,
) -> int:
    """Show where two models differ on the same footage, with the frames of both."""
    bounds = overrides.pop("from"), overrides.pop("to")
    settings = read_settings(None, overrides)
    from_ms, to_ms = parse_bounds_ms(*bounds, settings.tzinfo())
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        comparison = compare_models(
            store,
            model_a,
            model_b,
            interval_s=interval,
            source=None if source is None else keys.slug(source),
            label=label,
            from_ms=from_ms,
            to_ms=to_ms,
        )
    if as_json:
        click.echo(_as_json(comparison))
    else:
        _print_comparison(comparison)
    return 0


def _print_comparison(comparison: Comparison) -> None:
    for name, model, settings in (
        ("A", comparison.model_a, comparison.settings_a),
        ("B", comparison.model_b, comparison.settings_b),
    ):
        click.echo(f"{name}: {model}")
        for counted in settings:
            click.echo(f"    counted with: {counted.words}")
    for bar in comparison.differences:
        click.echo(
            f"{utc(bar.interval_start_ms)}  {bar.source}  {bar.label}: "
            f"A {_figures(bar.a)} | B {_figures(bar.b)}"
        )
        for name, side in (("A", bar.a), ("B", bar.b)):
            for frame in side.evidence:
                click.echo(f"    {name} {frame.count} in {frame.image_path}")
    for label, total in [*comparison.by_label.items(), ("all labels", comparison.total)]:
        apart = f"net {total.net:+d}; bar by bar {total.apart} apart"
        click.echo(f"{label}: A {plural(total.a, 'detection')}, B {total.b} ({apart})")
    click.echo(
        f"{len(comparison.differences)} of {comparison.compared} bars of {comparison.interval_s} s differ; "
        f"not compared, because only one model has analysed them: {plural(comparison.gaps_b, 'interval')} of "
        f"A, {comparison.gaps_a} of B"
    )
    for line in _remarks(comparison):
        click.echo(line)


def _remarks(comparison: Comparison) -> Iterator[str]:
    """Yield a line for each reason, other than their detections, why two models may differ or agree."""
    if comparison.show_nothing:
        yield (
            f"not compared, because the footage shows nothing (black, of one colour or frozen): "
            f"{plural(comparison.show_nothing, 'interval')}"
        )
    if comparison.other_frames:
        yield (
            f"in {plural(comparison.other_frames, 'interval')}, the models counted different numbers of "
            "frames: differences there may come from the frames"
        )
    for name, sources in (("A", comparison.sources_a), ("B", comparison.sources_b)):
        if sources:
            yield f"only {name} has counted {', '.join(sources)}"
    if not comparison.compared:
        yield "nothing to compare: there are no detections in intervals that both models counted"


def _figures(side: Side) -> str:
    objects = plural(side.objects or 0, "object")
    if side.objects is None:
        why = {
            "too_slow": f"only {side.analysed_fps or 0:g} frames per second were analysed",
            "too_weak": "too few for tracking: "
            f"{plural(side.tracked_detections or 0, 'detection is', 'detections are')} in tracks",
            "too_fast": "more than a tenth were too fast for tracking",
        }
        least = "" if side.objects_at_least is None else f", at least {side.objects_at_least}"
        objects = f"objects not measured ({why.get(side.objects_missing or '', 'tracking was off')}{least})"
    detections, frames = plural(side.detections, "detection"), plural(side.frames, "frame")
    return f"{detections}, peak {side.peak}, {objects} in {frames}"


def _as_json(comparison: Comparison) -> str:
    def as_dict(side: Side) -> dict[str, object]:
        return side._asdict() | {"evidence": msgspec.to_builtins(side.evidence)}

    differences = [
        bar._asdict() | {"a": as_dict(bar.a), "b": as_dict(bar.b)} for bar in comparison.differences
    ]
    by_label = {label: total._asdict() for label, total in comparison.by_label.items()}
    body = comparison._asdict() | {
        "differences": differences,
        "total": comparison.total._asdict(),
        "by_label": by_label,
        "settings_a": [counted._asdict() for counted in comparison.settings_a],
        "settings_b": [counted._asdict() for counted in comparison.settings_b],
        "totals": {label: (total.a, total.b) for label, total in comparison.by_label.items()},
    }
    return json.dumps(body, indent=2)


@click.command()
@option("--source", "The bar's source.", required=True)
@option("--label", "The bar's label.", required=True)
@option("--interval-start", "ISO 8601 start of the bar.", required=True, metavar="TIME")
@option("--interval", "Bar length in seconds; default: the stored interval.", type=click.IntRange(1, DAY_S))
@option("--model", "Model ID; default: the newest published model.")
@option("--timezone", "IANA time zone of times without an offset.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@data_dir_option
def explain(
    source: str,
    label: str,
    interval_start: str,
    interval: int | None,
    model: str | None,
    as_json: bool,
    **overrides: Any,
) -> int:
    """List every frame behind a bar with its boxes. Exit code 4: their total differs from the bar."""
    with open_books(read_settings(None, overrides), reading=True) as (ports, ledger):
        with console.stage_bar("ledger") as progress:
            ledger.refresh(ports.store, progress)
        slug = keys.slug(source)
        start_ms = parse_time_ms("--interval-start", interval_start, ports.settings.tzinfo())
        try:
            bar = find_bar(
                ports.index, source=slug, label=label, start_ms=start_ms, interval_s=interval, model=model
            )
        except NothingCounted as error:
            end_ms = start_ms + (interval or ports.settings.interval_s) * 1000
            why = _why_nothing(ports, ledger, model, slug, start_ms, end_ms)
            raise NothingCounted(f"{error}. {why}") from error
        series = bar.model, bar.base_interval_s
        behind = FramesBehind(ports.store, ledger, ports.index, ports.settings, series)
        counted_with = behind.by_day.between(bar.start_ms, bar.end_ms)
        # A bar over several hours of another zone's day, or over a week, spans days with different settings.
        frames = chain.from_iterable(
            behind.read(
                bar.source,
                max(bar.start_ms, day_ms),
                min(bar.end_ms, day_ms + DAY_MS),
                labels=[bar.label],
                empty=False,
            )
            for day_ms in range(bar.start_ms // DAY_MS * DAY_MS, bar.end_ms, DAY_MS)
        )
        total, shown, paths = 0, [], []
        for counted in frames:
            total += len(counted.boxes)
            paths.append(counted.frame.image_path)
            if as_json:
                shown.append(_frame_json(counted, total))
            else:
                _print_frame(counted, total)
        missing = len(missing_images(ports.store, paths))
        has_damage = bool(ledger.damaged_segments(bar.model))
        are_gone = (
            not paths
            and not has_damage
            and are_detections_gone(ledger, bar.model, [bar.source], from_ms=bar.start_ms, to_ms=bar.end_ms)
        )
    if as_json:
        body = bar._asdict() | {
            "counted_with": [one._asdict() for one in counted_with],
            "frames": shown,
            "total": total,
            "equal": total == bar.detections,
            "pictures_missing": missing,
            "detections_gone": are_gone,
        }
        click.echo(json.dumps(body, indent=2))
    else:
        _print_total(bar, total, are_gone=are_gone, has_damage=has_damage)
        if missing:
            pictures_are = plural(missing, "picture is", "pictures are")
            click.echo(f"{pictures_are} no longer in the store; the count stays")
        for one in counted_with:
            click.echo(f"counted with: {one.words}")
    return 0 if total == bar.detections else BEHIND


def _why_nothing(
    ports: Ports, ledger: Ledger, model: str | None, source: str, start_ms: int, end_ms: int
) -> str:
    """Return why no frame of a source in `[start_ms, end_ms)` is counted, with helpful commands."""
    models = [*(series.model for series in ports.index.series()), *ledger.models()]
    reasons = find_reasons(
        store=ports.store,
        ledger=ledger,
        settings=ports.settings,
        model=model or next(iter(models), None),
        source=source,
        from_ms=start_ms,
        to_ms=end_ms,
    )
    kinds = {reason.kind for reason in reasons}
    commands = [
        *(["`frametally status`"] if kinds & {"behind", "not_counted"} else []),
        *(["`frametally dead-letters list`"] if "dead_letters" in kinds else []),
    ]
    see = [f"See {' and '.join(commands)}."] if commands else []
    return " ".join([*(reason.words for reason in reasons), *see])


def _print_frame(counted: ProvedFrame, total: int) -> None:
    frame = counted.frame
    time = f"{utc(frame.captured_at_ms)[:-1]}.{frame.captured_at_ms % 1000:03d}Z"
    click.echo(f"{time}  {frame.image_path}  {len(counted.boxes)}, {total} so far")
    for detection in counted.boxes:
        left, top, width, height = detection.box
        click.echo(
            f"    {detection.label} {detection.confidence:.4f} at {left:g},{top:g} size {width:g}x{height:g}"
        )


def _frame_json(counted: ProvedFrame, total: int) -> dict[str, object]:
    frame = counted.frame
    return {
        "image_path": frame.image_path,
        "captured_at_ms": frame.captured_at_ms,
        "time_source": frame.time_source,
        "boxes": [{"confidence": box.confidence, "box": box.box} for box in counted.boxes],
        "running_total": total,
    }


def _print_total(bar: ExplainedBar, total: int, *, are_gone: bool, has_damage: bool) -> None:
    click.echo(
        f"total: {total} {bar.label} in {plural(bar.frames_analysed, 'analysed frame')} of {bar.source}, in "
        f"the {bar.interval_s} s from {utc(bar.start_ms)}, model {bar.model}"
    )
    if total == bar.detections:
        click.echo("the bar shows the same number")
    elif has_damage:
        click.echo(
            f"the bar shows {bar.detections}: a segment of this model is damaged, so detections in it cannot "
            "be read; run `frametally doctor --deep`"
        )
    elif are_gone:
        click.echo(
            f"the bar shows {bar.detections}: its detections are no longer in the store; the count stays"
        )
    else:
        click.echo(
            f"the bar shows {bar.detections}: it was counted from earlier data, or with settings that its "
            "run did not record; run `frametally aggregate` and `frametally index`"
        )
