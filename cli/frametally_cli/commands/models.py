"""`frametally models`: lists the known models, downloads one, tries it, counts with it, and uses it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from frametally.adapters_by_url import open_object_store
from frametally.console import output as console
from frametally.console.action_answers import print_json
from frametally.console.option_values import parse_bounds_ms
from frametally.console.options import data_dir_option, option, read_settings
from frametally.console.tables import folded_table
from frametally.errors import FrametallyError, Misconfigured
from frametally.files.downloads import KnownFile, ensure_files, file_sha256
from frametally.media.lookup import media_of_source
from frametally.media.manifests import list_manifests
from frametally.openers.port_openers import open_store_port
from frametally.process.reports import exit_code, plural
from frametally.settings.data_folder import is_empty
from frametally.settings.loading import ENV_PREFIX, Settings, load_settings

if TYPE_CHECKING:
    from frametally_consumer.detectors.protocol import Detector
    from frametally_models.choice import CatalogueChoice

_FRAMES_SHOWN = 10
_size_option = click.option(
    "--size", metavar="WxH|auto", help="Input in pixels; auto: the shape of your pictures."
)
_tiles_option = click.option(
    "--tiles", metavar="CxR", help="Also look at large pictures in tiles, such as 2x2."
)


@click.group("models")
def models() -> None:
    """List, download, try and choose detection models."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@data_dir_option
def list_models(as_json: bool, **overrides: Any) -> int:
    """List the known models, with the speed on this machine of those that are downloaded."""
    settings = _able(read_settings("consumer", overrides))
    rows = list(_rows(settings))
    if as_json:
        print_json(rows)
        return 0
    table = folded_table("model", "input", "licence", "COCO AP", "MB", "CPU ms", "ratio")
    table.columns[0].no_wrap = True
    for row in rows:
        name = f"{row['name']} ({row['model']})" if row["is_preset"] else row["name"]
        cells = [row[key] for key in ("input", "licence", "ap", "megabytes")]
        cells += [row["cpu_ms"] or row["why_no_speed"], row["of_present"]]
        texts = ["-" if cell in (None, "") else str(cell) for cell in cells]
        table.add_row(f"{name} *" if row["in_use"] else name, *texts)
    console.out().print(table)
    click.echo("* in use; ratio: CPU time of a picture, compared with the model in use")
    click.echo(
        "to choose one: frametally models use NAME; fast, balanced and thorough fit your pictures' shape"
    )
    return 0


def _rows(settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield each model, then each preset; an unknown speed is None, with the reason."""
    from frametally_models.catalogue import CATALOGUE, PRESETS
    from frametally_models.choice import CatalogueChoice, record_named
    from frametally_models.trial import speeds_ms

    present, reasons = _present(settings), dict[str, str]()
    detectors: dict[str, Detector] = {}
    candidates = {name: CatalogueChoice(name, "").settings(settings) for name in CATALOGUE} | {
        present: settings
    }
    for preset in PRESETS:
        try:
            candidates[preset] = _chosen(settings, preset, None, None).settings(settings)
        except Misconfigured:
            reasons[preset] = "no footage yet, whose shape it takes"
    for name, candidate in candidates.items():
        if name in (*CATALOGUE, *PRESETS) and not _is_downloaded(settings, record_named(name)[1].files):
            reasons[name] = "not downloaded"
            continue
        try:
            detectors[name] = _prepared(candidate)
        except FrametallyError as error:
            reasons[name] = str(error)
    speeds = speeds_ms(detectors)
    for name in dict.fromkeys((*candidates, *PRESETS)):
        model, record = record_named(name) if name in (*CATALOGUE, *PRESETS) else (name, None)
        used, speed = candidates.get(name), speeds.get(name)
        size_bytes = sum(file.size_bytes for file in record.own_files) if record else 0
        is_input = used is not None and used.input_size_px == settings.input_size_px
        yield {
            "name": name,
            "model": model,
            "model_id": detectors[name].model_id if name in detectors else None,
            "is_preset": name in PRESETS,
            "input": used and used.input_size_px,
            "licence": record.licence if record else None,
            "ap": record.ap if record else None,
            "megabytes": round(size_bytes / 1e6, 1) or None,
            "in_use": model == present and (name not in PRESETS or is_input),
            "cpu_ms": None if speed is None else round(speed, 1),
            "of_present": round(speed / speeds[present], 2) if speed and present in speeds else None,
            "why_no_speed": reasons.get(name, ""),
        }


@models.command()
@click.argument("name")
@data_dir_option
def get(name: str, **overrides: Any) -> int:
    """Download a model, check its sha256, and show its licence."""
    from frametally_models.choice import record_named

    settings, record = read_settings("consumer", overrides), record_named(name)[1]
    folder = settings.models_dir.expanduser()
    with console.stage_bar("model") as bar:
        paths = ensure_files(record.files, folder, folder_name=f"{ENV_PREFIX}MODELS_DIR", progress=bar)
    for path, file in zip(paths, record.files, strict=True):
        click.echo(f"{path}  sha256 {file.sha256}")
    click.echo(f"licence of the weights: {record.licence}")
    return 0


@models.command()
@click.argument("name")
@_size_option
@_tiles_option
@data_dir_option
def use(name: str, size: str | None, tiles: str | None, **overrides: Any) -> int:
    """Detect with this model from now on: test it here, then write it into .env in this folder."""
    from frametally_models.choice import write_choice

    settings = read_settings("consumer", overrides)
    choice = _chosen(settings, name, size, tiles)
    detector = _prepared(_able(choice.settings(settings)))
    path = write_choice(choice)
    for variable, value in choice.variables().items():
        if value:
            click.echo(f"{variable}={value}")
    click.echo(f"written to {path}; model ID: {detector.model_id}; licence: {choice.record.licence}")
    click.echo(
        "existing counts stay. The next `frametally consume` detects with this model; to count earlier "
        f"footage with it too, run `frametally models count {name}`"
    )
    return 0


@models.command("try")
@click.argument("name")
@click.option("--source", help="Only this source; default: all sources.")
@click.option("--frames", type=click.IntRange(1, 100_000), default=200, show_default=True)
@_size_option
@_tiles_option
@click.option(
    "--sheet",
    "sheet_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="HTML file to write, with the frames that differ most.",
)
@data_dir_option
def try_model(
    name: str,
    source: str | None,
    frames: int,
    size: str | None,
    tiles: str | None,
    sheet_path: Path | None,
    **overrides: Any,
) -> int:
    """Compare a model with the current one on stored frames; nothing is counted or stored."""
    from frametally_models.trial import compare_detectors, sampled_keys, sheet

    settings = read_settings("consumer", overrides, must_be_there=True)
    choice = _chosen(settings, name, size, tiles)
    present, other = _prepared(_able(settings)), _prepared(_able(choice.settings(settings)))
    with open_store_port(settings) as ports, console.stage_bar("frames") as bar:
        media = list_manifests(ports.store) if source is None else media_of_source(ports.store, source)
        frame_keys = sampled_keys(ports.store, sorted({medium.source for medium in media}), frames)
        trial = compare_detectors(
            present,
            other,
            ports.store,
            frame_keys,
            settings.counted_boxes(),
            max_pixels=settings.max_image_megapixels * 1_000_000,
            progress=bar,
        )
        most_apart = trial.most_apart(_FRAMES_SHOWN)
        if sheet_path is not None:
            title = f"{name} and the present model in {plural(len(trial.frames), 'frame')}"
            console.write_out(
                sheet_path,
                sheet(ports.store, most_apart, title=title, present=present.model_id, other=other.model_id),
            )
    console.print_skipped(trial.skipped)
    if not trial.frames:
        raise Misconfigured("no stored frame could be read: run `frametally produce` first")
    click.echo(f"present: {present.model_id}")
    click.echo(f"{name}: {other.model_id}")
    for label, (now, then) in trial.counts().items():
        times = f"{then / now:.2f} times as many" if now else "new"
        click.echo(
            f"{label}: {now} now, {then} with {name} ({times}) in {plural(len(trial.frames), 'frame')}"
        )
    if not trial.counts():
        click.echo(f"neither finds anything in {plural(len(trial.frames), 'frame')}")
    cpu_s = trial.cpu_s
    click.echo(
        f"time: {cpu_s[1] / cpu_s[0]:.2f} of the present one's "
        f"({1000 * cpu_s[1] / len(trial.frames):.1f} ms of CPU a frame, now "
        f"{1000 * cpu_s[0] / len(trial.frames):.1f})"
        if cpu_s[0]
        else "time: too short to be measured"
    )
    for frame in most_apart:
        click.echo(f"look at: {frame.key} (now {len(frame.present)}, then {len(frame.other)})")
    return exit_code(done_count=len(trial.frames), skipped=trial.skipped)


@models.command()
@click.argument("name")
@_size_option
@_tiles_option
@option("--source", "Only this source.")
@option("--from", "Only frames from this ISO 8601 time; default: the last 7 days of footage.", metavar="TIME")
@option("--to", "Only frames before this ISO 8601 time.", metavar="TIME")
@click.option("--json", "as_json", is_flag=True, help="Print progress and result as JSON, an object a line.")
@data_dir_option
def count(
    name: str, size: str | None, tiles: str | None, source: str | None, as_json: bool, **overrides: Any
) -> int:
    """Count stored footage again with a model, keep both counts, and compare them."""
    from frametally_cli.stages.second_count import JsonLines, count_again
    from frametally_search.index_round import publish_counts

    bounds = overrides.pop("from"), overrides.pop("to")
    settings = read_settings("consumer", overrides, must_be_there=True)
    asked_ms = parse_bounds_ms(*bounds, settings.tzinfo())
    choice = _chosen(settings, name, size, tiles)
    present = _prepared(_able(settings)).model_id
    other = _able(choice.settings(settings))
    detector = _prepared(other)
    if detector.model_id == present:
        raise Misconfigured(f"{name} is in use; choose another model to count with (frametally models list)")
    progress = JsonLines(sys.stdout) if as_json else None
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        code, comparison = count_again(other, detector, present, source, asked_ms, progress, publish_counts)
    if comparison is None:
        return code
    if progress is not None:
        progress.result(comparison)
        return code
    click.echo(f"now: {comparison.model_a}; {name}: {comparison.model_b}")
    for label, total in comparison.by_label.items():
        click.echo(f"{label}: {plural(total.a, 'detection')} now, {total.b} with {name}")
    click.echo(f"both counts are kept; frames: frametally compare {comparison.model_a} {comparison.model_b}")
    return code


@models.command()
@click.argument("name")
@data_dir_option
def remove(name: str, **overrides: Any) -> int:
    """Delete a model's downloaded files and their conversions."""
    from frametally_models.choice import record_named

    settings = read_settings("consumer", overrides)
    name, record = record_named(name)
    if name == _present(settings):
        raise Misconfigured(f"{name} is in use; choose another model with `frametally models use`")
    folder = settings.models_dir.expanduser()
    paths = [folder / file.name for file in record.own_files]
    paths += [
        path for file in record.own_files for path in folder.glob(f"{Path(file.name).stem}-{file.sha256}-*")
    ]
    removed = [path for path in paths if path.is_file()]
    if not removed:
        raise Misconfigured(f"{name} is not in {folder}; nothing was removed")
    for path in removed:
        path.unlink()
        click.echo(path)
    click.echo(f"{plural(len(removed), 'file')} removed; frametally models get {name} downloads it again")
    return 0


def _chosen(settings: Settings, name: str, size: str | None, tiles: str | None) -> CatalogueChoice:
    """Return the choice that the options make; the settings check its size. Raises `Misconfigured`."""
    from frametally_models.choice import chosen

    if is_empty(settings):
        choice = chosen(name, size, tiles, None)
    else:
        with closing(open_object_store(settings.store_url, settings.store_access)) as store:
            choice = chosen(name, size, tiles, store)
    if choice.size_px:
        load_settings("consumer", {"input_size_px": "--size"}, input_size_px=choice.size_px)
    return choice


def _is_downloaded(settings: Settings, files: tuple[KnownFile, ...]) -> bool:
    folder = settings.models_dir.expanduser()
    return all((path := folder / file.name).is_file() and file_sha256(path) == file.sha256 for file in files)


def _present(settings: Settings) -> str:
    """Return the settings' model: its name in the catalogue, or the path of a user's own."""
    from frametally_models.catalogue import DEFAULT

    return str(settings.model_weights or DEFAULT) if settings.detector != "pixels" else "pixels"


def _able(settings: Settings) -> Settings:
    """Return settings with an explicit detector if the store does not record one yet."""
    from frametally_consumer.load import fastest_installed

    if settings.detector == "auto" and is_empty(settings):
        return settings.model_copy(update={"detector": fastest_installed()})
    return settings


def _prepared(settings: Settings) -> Detector:
    from frametally_models.prepare import prepare_detector

    with console.stage_bar("model") as bar:
        return prepare_detector(settings, bar)
