"""`frametally compare`: where two models differ, with the frames. Needs no component."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import click
import msgspec

from frametally.books.compare import Comparison, Side, compare_models
from frametally.media.manifests import list_manifests
from frametally.media.sources import source_of
from frametally.opening import open_object_store
from frametally.rules.times import DAY_S, utc
from frametally_cli.options.ports import data_dir_option, option, read_settings
from frametally_cli.options.times import parse_bounds_ms


@click.command()
@click.argument("model_a")
@click.argument("model_b")
@option("--source", "Only this source.")
@option("--label", "Only this label.")
@option("--from", "ISO 8601 time from which on to compare.", metavar="TIME")
@option("--to", "ISO 8601 time before which to compare.", metavar="TIME")
@option("--interval", "Seconds of the bars; default: the stored interval.", type=click.IntRange(1, DAY_S))
@option("--timezone", "IANA time zone of times that come without one.")
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
    """Print where two models differ over the footage that both have seen, with the frames of both."""
    bounds = overrides.pop("from"), overrides.pop("to")
    settings = read_settings(None, overrides)
    from_ms, to_ms = parse_bounds_ms(*bounds, settings.tzinfo())
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        comparison = compare_models(
            store,
            model_a,
            model_b,
            interval_s=interval,
            source=None if source is None else source_of(list_manifests(store), source),
            label=label,
            from_ms=from_ms,
            to_ms=to_ms,
        )
    if as_json:
        click.echo(_as_json(comparison))
    else:
        _print(comparison)
    return 0


def _print(comparison: Comparison) -> None:
    for name, model, settings in (
        ("A", comparison.model_a, comparison.settings_a),
        ("B", comparison.model_b, comparison.settings_b),
    ):
        click.echo(f"{name}: {model}")
        for one in settings:
            click.echo(f"    counted with: {one.words}")
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
        click.echo(f"{label}: A {total.a} detections, B {total.b} ({apart})")
    click.echo(
        f"{len(comparison.differences)} of {comparison.compared} bars of {comparison.interval_s} s differ; "
        "not compared, as only one model has seen them: "
        f"{comparison.gaps_b} intervals of A, {comparison.gaps_a} of B"
    )


def _figures(side: Side) -> str:
    objects = f"{side.objects} objects"
    if side.objects is None:
        why = {
            "too_slow": f"only {side.analysed_fps or 0:g} frames a second were analysed",
            "too_weak": f"seen, but too weakly to follow: {side.tracked_detections} detections lie in tracks",
        }
        objects = f"objects not measured ({why.get(side.objects_missing or '', 'tracking was off')})"
    return f"{side.detections} detections, peak {side.peak}, {objects} in {side.frames} frames"


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
        "settings_a": [one._asdict() for one in comparison.settings_a],
        "settings_b": [one._asdict() for one in comparison.settings_b],
        "totals": {label: (total.a, total.b) for label, total in comparison.by_label.items()},
    }
    return json.dumps(body, indent=2)
