"""Reads and writes the file formats of drawings: our own, OTAnalytics' flow files, a ROI, single points."""

from __future__ import annotations

import bz2
import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple, NoReturn, TypeVar

import msgspec

from frametally_traffic.drawings.drawing_checks import DrawingRefused
from frametally_traffic.records import (
    Drawing,
    Drawn,
    DrawnCalibration,
    DrawnLine,
    DrawnZone,
    KnownRectangle,
    Points,
)

MOST_FILE_BYTES = 1_000_000
"""Three times the size of two hundred zones with 32 corners each."""
_BZ2 = b"BZh"
_MOST_COORDINATES = 1000
_SAYS = "use a file as in `frametally lines schema`, an .otflow file, a ROI or points"

AsWritten = TypeVar("AsWritten")


class DrawingFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Our own form: what `frametally lines export` writes.

    Attributes:
        v: Version of the form.
        source: Slug of its source; without it, the drawing fits any source.
        lines: Lines and legs.
        zones: Zones.
        calibrations: Calibrations of the ground.
    """

    v: Literal[1] = 1
    source: str | None = None
    lines: tuple[DrawnLine, ...] = ()
    zones: tuple[DrawnZone, ...] = ()
    calibrations: tuple[DrawnCalibration, ...] = ()


class Missing(NamedTuple):
    """Values that other formats lack, given by the person who imports the file.

    Attributes:
        size_px: Width and height of the picture under the drawing; None if unknown.
        name: Name of a ROI or a calibration; None means "ROI" or "calibration".
        from_ms: Event time from which it is valid, and `to_ms` until which (exclusive); None for no limit.
    """

    size_px: tuple[int, int] | None = None
    name: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None


class FileContent(NamedTuple):
    """The contents of a file: its shapes, and its source if it names one."""

    source: str | None
    shapes: list[Drawn]


class _Coordinate(msgspec.Struct):
    x: float
    y: float


class _Section(msgspec.Struct):
    """A section of OTAnalytics (`OTAnalytics/domain/section.py`), whose first versions had no name."""

    id: str
    type: Literal["line", "area"]
    coordinates: Annotated[list[_Coordinate], msgspec.Meta(max_length=_MOST_COORDINATES)]
    name: str | None = None


class _FlowFile(msgspec.Struct):
    sections: list[_Section]


class _Roi(msgspec.Struct, forbid_unknown_fields=True):
    x: float
    y: float
    width: float
    height: float


class _PointsAlone(msgspec.Struct, forbid_unknown_fields=True):
    points: Annotated[Points, msgspec.Meta(max_length=_MOST_COORDINATES)]


def encode_file(drawing: Drawing) -> bytes:
    """Encode the drawing of a source in our own format: JSON that people can read."""
    file = DrawingFile(
        source=drawing.source,
        lines=drawing.lines,
        zones=drawing.zones,
        calibrations=drawing.calibrations,
    )
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


def decode_file(data: bytes, name: str, missing: Missing) -> FileContent:
    """Read a file in any format, recognized by its content; the drawing is not checked yet.

    `data`: its bytes, which need not be complete if there are more than `MOST_FILE_BYTES`.

    Raises:
        DrawingRefused: It is not in a known format.
    """
    document = _parsed(data, name)
    if not isinstance(document, dict):
        raise DrawingRefused(f"{name} is not a JSON object: {_SAYS}")
    content = _content_of(document, name, missing)
    if not content.shapes:
        raise DrawingRefused(f"{name} contains no shapes: {_SAYS}")
    return content


def _content_of(document: dict[str, Any], name: str, missing: Missing) -> FileContent:
    if "sections" in document:
        flow = _converted(document, _FlowFile, name)
        return FileContent(None, [_of_section(section, name, missing) for section in flow.sections])
    if document.keys() & {"x", "width"}:
        return FileContent(None, [_of_roi(_converted(document, _Roi, name), name, missing)])
    if "points" in document:
        alone = _converted(document, _PointsAlone, name)
        common = _common(missing, missing.name or "calibration", name)
        return FileContent(None, [DrawnCalibration(points=alone.points, **common)])
    if missing.name is not None or missing.from_ms is not None or missing.to_ms is not None:
        raise DrawingRefused(
            f"{name} already has names and times: leave out the options --name, --from and --to"
        )
    return _of_own_form(document, name)


def decode_own_form(data: bytes, name: str) -> FileContent:
    """Read our own format only; it may be empty. The drawing is not checked yet.

    Raises:
        DrawingRefused: It has another format.
    """
    return _of_own_form(_parsed(data, name), name)


def decode_calibration(data: bytes, name: str) -> DrawnCalibration:
    """Read one calibration in our own format; it is not checked yet.

    Raises:
        DrawingRefused: It is not a calibration.
    """
    document = _parsed(data, name)
    calibration = _converted(document, DrawnCalibration, name)
    _check_fields({"calibrations": [document]}, name)
    return calibration


def schema() -> dict[str, Any]:
    """Return the JSON schema of our own format (draft 2020-12)."""
    json_schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Lines, zones and calibrations of a source, for `frametally lines import`",
        **msgspec.json.schema(DrawingFile),
    }
    for part in json_schema["$defs"].values():
        part["additionalProperties"] = False
    return json_schema


def _parsed(data: bytes, name: str) -> object:
    def refuse(constant: str) -> NoReturn:
        raise DrawingRefused(f"{name} contains {constant}, which JSON does not allow: use a number")

    if data.startswith(_BZ2):
        try:
            data = bz2.BZ2Decompressor().decompress(data, MOST_FILE_BYTES + 1)
        except (OSError, ValueError) as error:
            raise DrawingRefused(f"{name} is damaged: its bz2 cannot be read; create it again") from error
    if len(data) > MOST_FILE_BYTES:
        raise DrawingRefused(f"{name} is larger than {MOST_FILE_BYTES // 1_000_000} MB, the maximum: {_SAYS}")
    try:
        return json.loads(data, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise DrawingRefused(f"{name} is not JSON ({error}): {_SAYS}") from error


def _converted(document: object, form: type[AsWritten], name: str) -> AsWritten:
    try:
        return msgspec.convert(document, form)
    except (msgspec.ValidationError, UnicodeError) as error:
        raise DrawingRefused(f"{name} is not valid: {error}; {_SAYS}") from error


def _common(missing: Missing, shape_name: str, name: str) -> dict[str, Any]:
    if missing.size_px is None:
        raise DrawingRefused(
            f"{name} has no picture size, and the source has no pictures to get it from: "
            "add --size WIDTHxHEIGHT"
        )
    width_px, height_px = missing.size_px
    return {
        "name": shape_name,
        "from_ms": missing.from_ms,
        "to_ms": missing.to_ms,
        "width_px": width_px,
        "height_px": height_px,
    }


def _of_section(section: _Section, name: str, missing: Missing) -> Drawn:
    if missing.name is not None:
        raise DrawingRefused(f"{name} already has names: leave out --name, or delete the names in the file")
    points = tuple((point.x, point.y) for point in section.coordinates)
    common = _common(missing, section.name or section.id, name)
    if section.type == "line":
        return DrawnLine(points=points, **common)
    if points[1:] and points[0] == points[-1]:  # how OTAnalytics closes its areas
        points = points[:-1]
    return DrawnZone(points=points, **common)


def _of_roi(roi: _Roi, name: str, missing: Missing) -> DrawnZone:
    right, bottom = roi.x + roi.width, roi.y + roi.height
    corners = ((roi.x, roi.y), (right, roi.y), (right, bottom), (roi.x, bottom))
    return DrawnZone(points=corners, **_common(missing, missing.name or "ROI", name))


def _of_own_form(document: object, name: str) -> FileContent:
    file = _converted(document, DrawingFile, name)
    _check_fields(document, name)
    return FileContent(file.source, [*file.lines, *file.zones, *file.calibrations])


def _check_fields(document: Any, name: str) -> None:
    for unknown in _unknown_fields(document):
        raise DrawingRefused(f"{name} has an unknown field {unknown!r:.60}: {_SAYS}")


def _unknown_fields(document: dict[str, Any]) -> Iterator[str]:
    """Yield the unknown fields of shapes, so that a misspelt one is not silently ignored."""
    for kind, form in (("lines", DrawnLine), ("zones", DrawnZone), ("calibrations", DrawnCalibration)):
        for shape in document.get(kind, ()):
            yield from sorted(shape.keys() - set(form.__struct_fields__))
            for rectangle in shape.get("rectangles", ()):
                yield from sorted(rectangle.keys() - set(KnownRectangle.__struct_fields__))
