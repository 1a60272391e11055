"""The files that drawings come in: our own form, OTAnalytics' flow files, a ROI, points alone."""

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
"""Two hundred zones of 32 corners each are a third of it."""
_BZ2 = b"BZh"
_MOST_COORDINATES = 1000
_SAYS = "give what `frametally lines schema` describes, an .otflow file, a ROI or points"

AsWritten = TypeVar("AsWritten")


class DrawingFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Our own form: what `frametally lines export` writes.

    Attributes:
        v: Version of the form.
        source: Slug of the source that it was drawn over; without it, it is of any.
        lines: Lines and legs.
        zones: Zones.
        calibrations: What is known of the ground.
    """

    v: Literal[1] = 1
    source: str | None = None
    lines: tuple[DrawnLine, ...] = ()
    zones: tuple[DrawnZone, ...] = ()
    calibrations: tuple[DrawnCalibration, ...] = ()


class Missing(NamedTuple):
    """What the forms of others do not say, as the person says who imports them.

    Attributes:
        size_px: Width and height of the picture that it was drawn over; None where nobody knows.
        name: Of a ROI or a calibration; None: "ROI", "calibration".
        from_ms: From which event time on it holds; None: from the first.
        to_ms: Before which; None: to the last.
    """

    size_px: tuple[int, int] | None = None
    name: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None


class FileContent(NamedTuple):
    """What a file has: its shapes, and the source that they are of, if it says so."""

    source: str | None
    shapes: list[Drawn]


class _Coordinate(msgspec.Struct):
    x: float
    y: float


class _Section(msgspec.Struct):
    """A section as OTAnalytics has it (`OTAnalytics/domain/section.py`); the first versions had no name."""

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
    """Write all that is drawn over a source in our own form: JSON, to be read by people, too."""
    file = DrawingFile(
        source=drawing.source,
        lines=drawing.lines,
        zones=drawing.zones,
        calibrations=drawing.calibrations,
    )
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


def decode_file(data: bytes, name: str, missing: Missing) -> FileContent:
    """Read a file in any of the forms, told by what is in it; what it draws is not checked yet.

    Args:
        data: Its bytes; those of a file that is larger than `MOST_FILE_BYTES` need not be all of them.
        name: How messages call it.
        missing: What the forms of others do not say.

    Raises:
        DrawingRefused: It has none of the forms.
    """
    found = _parsed(data, name)
    if not isinstance(found, dict):
        raise DrawingRefused(f"{name} is no JSON object: {_SAYS}")
    content = _content_of(found, name, missing)
    if not content.shapes:
        raise DrawingRefused(f"{name} draws nothing: {_SAYS}")
    return content


def _content_of(found: dict[str, Any], name: str, missing: Missing) -> FileContent:
    if "sections" in found:
        flow = _converted(found, _FlowFile, name)
        return FileContent(None, [_of_section(section, name, missing) for section in flow.sections])
    if found.keys() & {"x", "width"}:
        return FileContent(None, [_of_roi(_converted(found, _Roi, name), name, missing)])
    if "points" in found:
        alone = _converted(found, _PointsAlone, name)
        common = _common(missing, missing.name or "calibration", name)
        return FileContent(None, [DrawnCalibration(points=alone.points, **common)])
    if missing.name is not None or missing.from_ms is not None or missing.to_ms is not None:
        raise DrawingRefused(f"{name} says itself what each is called and when it holds: say it there only")
    return _of_own_form(found, name)


def decode_own_form(data: bytes, name: str) -> FileContent:
    """Read our own form alone, which may draw nothing; what it draws is not checked yet.

    Raises:
        DrawingRefused: It is of no or another form.
    """
    return _of_own_form(_parsed(data, name), name)


def decode_calibration(data: bytes, name: str) -> DrawnCalibration:
    """Read one calibration as our own form has it, which is not checked yet.

    Raises:
        DrawingRefused: It is none.
    """
    found = _parsed(data, name)
    calibration = _converted(found, DrawnCalibration, name)
    _check_fields({"calibrations": [found]}, name)
    return calibration


def schema() -> dict[str, Any]:
    """Return the JSON schema of our own form (draft 2020-12)."""
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Lines, zones and calibrations of a source, for `frametally lines import`",
        **msgspec.json.schema(DrawingFile),
    }
    for part in made["$defs"].values():
        part["additionalProperties"] = False
    return made


def _parsed(data: bytes, name: str) -> object:
    def refuse(constant: str) -> NoReturn:
        raise DrawingRefused(
            f"{name} has {constant}, which is no number in JSON: give the number that is meant"
        )

    if data.startswith(_BZ2):
        try:
            data = bz2.BZ2Decompressor().decompress(data, MOST_FILE_BYTES + 1)
        except (OSError, ValueError) as error:
            raise DrawingRefused(f"{name} is damaged: its bz2 cannot be read; write it again") from error
    if len(data) > MOST_FILE_BYTES:
        raise DrawingRefused(
            f"{name} is larger than {MOST_FILE_BYTES // 1_000_000} MB, which no lines and zones are: {_SAYS}"
        )
    try:
        return json.loads(data, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise DrawingRefused(f"{name} is no JSON ({error}): {_SAYS}") from error


def _converted(found: object, form: type[AsWritten], name: str) -> AsWritten:
    try:
        return msgspec.convert(found, form)
    except (msgspec.ValidationError, UnicodeError) as error:
        raise DrawingRefused(f"{name} cannot be taken: {error}; {_SAYS}") from error


def _common(missing: Missing, shape_name: str, name: str) -> dict[str, Any]:
    if missing.size_px is None:
        raise DrawingRefused(
            f"{name} does not say over how large a picture it was drawn, and the source has none to ask: "
            "give --size WIDTHxHEIGHT"
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
        raise DrawingRefused(f"{name} says itself what each is called: say it there only")
    points = tuple((at.x, at.y) for at in section.coordinates)
    common = _common(missing, section.name or section.id, name)
    if section.type == "line":
        return DrawnLine(points=points, **common)
    if points[1:] and points[0] == points[-1]:  # OTAnalytics closes its areas so
        points = points[:-1]
    return DrawnZone(points=points, **common)


def _of_roi(roi: _Roi, name: str, missing: Missing) -> DrawnZone:
    right, bottom = roi.x + roi.width, roi.y + roi.height
    corners = ((roi.x, roi.y), (right, roi.y), (right, bottom), (roi.x, bottom))
    return DrawnZone(points=corners, **_common(missing, missing.name or "ROI", name))


def _of_own_form(found: object, name: str) -> FileContent:
    file = _converted(found, DrawingFile, name)
    _check_fields(found, name)
    return FileContent(file.source, [*file.lines, *file.zones, *file.calibrations])


def _check_fields(found: Any, name: str) -> None:
    for unknown in _unknown_fields(found):
        raise DrawingRefused(f"{name} has a field {unknown!r:.60} that is not known: {_SAYS}")


def _unknown_fields(found: dict[str, Any]) -> Iterator[str]:
    """Yield the fields of shapes that no reader knows: a misspelt one would be left out without a word."""
    for kind, form in (("lines", DrawnLine), ("zones", DrawnZone), ("calibrations", DrawnCalibration)):
        for shape in found.get(kind, ()):
            yield from sorted(shape.keys() - set(form.__struct_fields__))
            for rectangle in shape.get("rectangles", ()):
                yield from sorted(rectangle.keys() - set(KnownRectangle.__struct_fields__))
