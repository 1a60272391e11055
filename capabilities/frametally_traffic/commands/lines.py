"""`frametally lines import|export|list|remove`: manages lines, zones and calibrations. Needs no component."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec
from rich.table import Table
from rich.text import Text

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.checkup.findings import RecordFolder
from frametally.console import output as console
from frametally.console.action_answers import print_json
from frametally.console.option_values import parse_bounds_ms, parse_size_px
from frametally.console.options import data_dir_option, option, output_option, read_settings
from frametally.console.tables import folded_table
from frametally.errors import Misconfigured
from frametally.files.names import as_text
from frametally.media import mending
from frametally.media.manifests import ManifestReader, by_source
from frametally.naming import no_such
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import plural
from frametally.records import MediaManifest
from frametally.rules.times import utc
from frametally.settings.loading import Settings
from frametally_traffic.drawings.drawing_checks import DrawingRefused, check_shape, kind_of, runs_along_border
from frametally_traffic.drawings.drawn_shapes import check_size, stored_sizes
from frametally_traffic.drawings.file_forms import MOST_FILE_BYTES, Missing, decode_file, encode_file
from frametally_traffic.drawings.file_forms import schema as file_schema
from frametally_traffic.drawings.revisions import (
    change_drawing,
    drawn_sources,
    list_drawings,
    read_drawing,
    with_shapes,
)
from frametally_traffic.records import Drawing, Drawn, DrawnCalibration, DrawnLine, DrawnZone

FOLDERS = (RecordFolder(keys.DRAWINGS, "drawings", lambda _: Drawing),)
"""For commands that read all small records of the store."""
REFUSED = 5
"""Exit code of an invalid drawing, so that a script can distinguish it from an unreachable store."""
_MOST_NAMED = 20

timezone_option = option("--timezone", "IANA time zone of times without an offset.")


class _Desk(NamedTuple):
    """The settings, the store, and the media by source that a command works with."""

    settings: Settings
    store: ObjectStore
    media: dict[str, list[MediaManifest]]

    def source_of(self, text: str) -> str:
        """Return the slug of a source that has media or drawings.

        Raises:
            DrawingRefused: The source does not exist; the message suggests similar names.
        """
        slugs = {*self.media, *drawn_sources(self.store)}
        source = keys.slug(text)
        if source in slugs:
            return source
        missing = no_such("source", source, sorted(slugs))
        raise DrawingRefused(f"{missing._replace(name=text, is_certain=True)}")


@contextmanager
def _desk(component: str | None, overrides: dict[str, Any]) -> Iterator[_Desk]:
    settings = read_settings(component, overrides, must_be_there=True)
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        manifests, skipped = ManifestReader(store, settings.data_dir).read()
        console.print_skipped(skipped)
        yield _Desk(settings, store, by_source(manifests))


def _refusing(command: Callable[..., int]) -> Callable[..., int]:
    """Report an invalid drawing in one line, with its own exit code."""

    @wraps(command)
    def run(*arguments: Any, **options: Any) -> int:
        try:
            return command(*arguments, **options)
        except DrawingRefused as error:
            console.say_error(str(error))
            return REFUSED

    return run


@click.group()
def lines() -> None:
    """Manage the lines, zones and calibrations of a source."""


@lines.command("import")
@click.argument("source")
@click.argument("file", metavar="FILE", required=False, type=click.Path(readable=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Replace all shapes that have the same names, at all times.")
@option("--from", "ISO 8601 start of validity, if the file has none.", metavar="TIME")
@option("--to", "ISO 8601 end of validity, if the file has none.", metavar="TIME")
@option("--name", "Name of a ROI or of single points, if the file has none.")
@option("--size", "Size of the picture under the drawing, if the file has none.", metavar="WxH")
@timezone_option
@data_dir_option
@_refusing
def import_command(
    source: str, file: Path | None, replace: bool, name: str | None, size: str | None, **overrides: Any
) -> int:
    """Import FILE into SOURCE: JSON, an .otflow file of OTAnalytics, a ROI or points."""
    if file is None:
        missing_argument = "SOURCE" if Path(source).is_file() else "FILE"
        raise click.UsageError(f"Missing argument '{missing_argument}'", click.get_current_context())
    bounds = overrides.pop("from"), overrides.pop("to")
    data = _beginning_of(file)
    with _desk("producer", overrides) as desk:
        from_ms, to_ms = parse_bounds_ms(*bounds, desk.settings.tzinfo())
        slug = desk.source_of(source)
        media = desk.media.get(slug, [])
        frame_sizes = stored_sizes(desk.store, media, from_ms, to_ms)
        size_px = parse_size_px(size) if size is not None else next(iter(frame_sizes), None)
        missing = Missing(size_px, name, from_ms, to_ms)
        content = decode_file(data, as_text(file), missing)
        if content.source not in (None, slug):
            raise DrawingRefused(
                f"{as_text(file)} belongs to source {content.source!r:.100}, not to {slug}: import it there, "
                "or remove `source` from the file"
            )
        for shape in content.shapes:
            check_shape(shape)
            check_size(shape, stored_sizes(desk.store, media, shape.from_ms, shape.to_ms))
        names = {shape.name for shape in content.shapes} if replace else set()

        def add(drawing: Drawing) -> Drawing:
            other_shapes = [shape for shape in drawing.shapes if shape.name not in names]
            return with_shapes(drawing, [*other_shapes, *content.shapes])

        drawing, is_new = change_drawing(desk.store, slug, add)
    for shape in content.shapes:
        if isinstance(shape, DrawnCalibration) and (lack := _lack(shape)):
            click.echo(console.plain(f"calibration {shape.name}: {lack}"))
        if isinstance(shape, DrawnLine) and runs_along_border(shape):
            click.echo(
                console.plain(
                    f"line {shape.name}: it runs along the picture's border, which cuts boxes; tracks that "
                    "begin or end there count as not measured: draw the line further inside"
                )
            )
    _say_revision(drawing, is_new, f"{len(content.shapes)} drawn")
    return 0


@lines.command("export")
@click.argument("source")
@output_option
@data_dir_option
@_refusing
def export_command(source: str, output: Path | None, **overrides: Any) -> int:
    """Write all lines, zones and calibrations of SOURCE as JSON that `import` reads."""
    with _desk(None, overrides) as desk:
        data = encode_file(read_drawing(desk.store, desk.source_of(source)))
    console.write_out(output, [data])
    return 0


@lines.command("list")
@click.argument("source", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@data_dir_option
@_refusing
def list_command(source: str | None, as_json: bool, **overrides: Any) -> int:
    """List the lines, zones and calibrations of SOURCE, or of all sources."""
    with _desk(None, overrides) as desk:
        drawings = (
            list_drawings(desk.store)
            if source is None
            else [read_drawing(desk.store, desk.source_of(source))]
        )
    if as_json:
        print_json(drawings)
        return 0
    rows = [(drawing, shape) for drawing in drawings for shape in drawing.shapes]
    if rows:
        console.out().print(_table(rows))
    click.echo(f"{len(rows)} lines, zones and calibrations" if rows else "nothing drawn yet")
    return 0


@lines.command("remove")
@click.argument("source")
@click.argument("names", nargs=-1, required=True)
@option("--from", "ISO 8601 time at which it ends; it stays valid before.", metavar="TIME")
@timezone_option
@data_dir_option
@_refusing
def remove_command(source: str, names: Sequence[str], **overrides: Any) -> int:
    """Delete NAMES from SOURCE, or end them at a time; earlier revisions stay."""
    from_text = overrides.pop("from")
    with _desk(None, overrides) as desk:
        from_ms, _ = parse_bounds_ms(from_text, None, desk.settings.tzinfo())
        slug = desk.source_of(source)

        def remove(drawing: Drawing) -> Drawing:
            shape_names = {shape.name for shape in drawing.shapes}
            for name in names:
                if name not in shape_names:
                    raise DrawingRefused(_no_such(slug, name, shape_names))
            shapes = (
                _end_shape(shape, from_ms) if shape.name in names else shape for shape in drawing.shapes
            )
            return with_shapes(drawing, filter(None, shapes))

        drawing, is_new = change_drawing(desk.store, slug, remove)
    ended = {shape.name for shape in drawing.shapes}.intersection(names)
    counts = {"deleted": len({*names} - ended), f"ended at {utc(from_ms or 0)}": len(ended)}
    _say_revision(drawing, is_new, ", ".join(f"{count} {verb}" for verb, count in counts.items() if count))
    return 0


@lines.command("schema")
def schema_command() -> int:
    """Print the JSON schema of the files that `import` reads and `export` writes."""
    print_json(file_schema())
    return 0


def _end_shape(shape: Drawn, from_ms: int | None) -> Drawn | None:
    """Return what is left of a shape after its removal from a time on; None if nothing is."""
    if from_ms is None or (shape.from_ms is not None and shape.from_ms >= from_ms):
        return None
    ends_ms = from_ms if shape.to_ms is None else min(shape.to_ms, from_ms)
    return msgspec.structs.replace(shape, to_ms=ends_ms)


def _no_such(source: str, name: str, names: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(names), n=3, cutoff=0.5)
    list_text = ", ".join(map(repr, near or sorted(names)[:_MOST_NAMED]))
    remedy = f"choose from: {list_text}" if names else "it has no drawings yet"
    return f"{source} has nothing named {as_text(name)[:100]!r}; {remedy}"


def _beginning_of(file: Path) -> bytes:
    """Return a file's bytes; if it is too large, just enough to detect that."""
    try:
        with file.open("rb") as stream:
            return stream.read(MOST_FILE_BYTES + 1)
    except OSError as error:
        raise Misconfigured(
            f"{as_text(file)} cannot be read ({error.strerror}); choose a file that you can read"
        ) from error


def _say_revision(drawing: Drawing, is_new: bool, message: str) -> None:
    total = f"revision {drawing.revision} of {drawing.source} has {len(drawing.shapes)} in total"
    click.echo("; ".join([message, total, *([mending.NEXT] if is_new else [])]))


def _table(rows: Sequence[tuple[Drawing, Drawn]]) -> Table:
    table = folded_table("source", "revision", "kind", "name", "from", "to", "picture", "what")
    for drawing, shape in rows:
        table.add_row(
            drawing.source,
            f"{drawing.revision}",
            kind_of(shape),
            Text(console.plain(shape.name)),
            "" if shape.from_ms is None else utc(shape.from_ms),
            "" if shape.to_ms is None else utc(shape.to_ms),
            f"{shape.width_px}x{shape.height_px}",
            Text(console.plain(_summary(shape))),
        )
    return table


def _summary(shape: Drawn) -> str:
    """Return a short description of a shape's geometry."""
    if isinstance(shape, DrawnCalibration):
        if shape.rectangles:
            return f"{plural(len(shape.rectangles), 'rectangle')} with their sides"
        return _lack(shape) or f"{len(shape.points)} points with coordinates in metres"
    if isinstance(shape, DrawnLine):
        return f"{len(shape.points)} points; to the right: {shape.to_right}, to the left: {shape.to_left}"
    return f"{len(shape.points)} corners" if isinstance(shape, DrawnZone) else ""


def _lack(calibration: DrawnCalibration) -> str:
    """Return a warning about what a calibration cannot measure; empty if there is nothing to warn about."""
    if calibration.distance_m is not None:
        return f"two points {calibration.distance_m:g} m apart: a rough scale"
    if not calibration.metres and not calibration.rectangles:
        number = len(calibration.points)
        return f"{number} points (at least 4 are needed), none with coordinates in metres: no speeds"
    return ""
