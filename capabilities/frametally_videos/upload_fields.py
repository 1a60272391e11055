"""Reads and checks the fields of a video, and refuses invalid ones by name."""

from __future__ import annotations

import datetime
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from frametally.errors import Misconfigured
from frametally.files.names import as_text
from frametally.ports.picture_places import picture_places
from frametally.rules.times import FIRST_MS, NEXT_MS, known_timezone
from frametally_videos.records import VideoFields
from frametally_videos.upload_refusals import FieldRefused

MOST_CHARACTERS = 255
MOST_JSON_BYTES = 64 * 1024
MOST_REGIONS = 32
MOST_POINTS = 64
FEWEST_CALIBRATION_POINTS = 4

OTHER_NAMES = {"calibrate_coordinates": "calibration"}
"""Alternative names of fields."""

CLIENT_ID = re.compile(r"(?!stream$)[A-Za-z0-9_-]{1,64}")
"""A client's ID, but not `stream`, since viewers of streams connect to `/ws/stream`."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MS = re.compile(r"-?[0-9]{1,15}")
_RECTANGLE = ("x", "y", "width", "height")
_MOST_PX = 100_000.0

_NOT_OF_VIDEOS = re.compile(r"(text|image|font|message|multipart|application|model|chemical)/.*")
# Types that programs give to videos of unknown kind, and Qt's type for the file extension of MPEG streams.
_OF_ANYTHING = {
    *("application/octet-stream", "application/mp4", "application/mxf", "application/ogg"),
    *("application/x-matroska", "application/vnd.rn-realmedia", "application/offset+octet-stream"),
    "text/vnd.trolltech.linguist",
}


def read_fields(texts: Mapping[str, str]) -> VideoFields:
    """Return the fields from texts by name; an empty text counts as no value.

    Raises:
        FieldRefused: A value is not valid, or a field does not exist.
    """
    values: dict[str, Any] = {}
    for name, text in texts.items():
        field = OTHER_NAMES.get(name, name)
        if field not in VideoFields.__struct_fields__:
            there_are = ", ".join(VideoFields.__struct_fields__)
            raise FieldRefused(name, f"There is no field {name!r}.", f"Use one of {there_are}.")
        if text.strip():
            values[field] = _READERS[field](name, text) if field in _READERS else text.strip()
    return check_fields(VideoFields(**values))


def check_fields(fields: VideoFields) -> VideoFields:
    """Return the fields as they are stored: names trimmed, in Unicode's composed form.

    Raises:
        FieldRefused: A value is not valid.
    """
    if fields.start_time is not None:
        _check_start_time(fields.start_time)
    if fields.timezone is not None:
        _check_timezone(fields.timezone)
    if fields.last_modified_ms is not None and not FIRST_MS <= fields.last_modified_ms < NEXT_MS:
        raise FieldRefused(
            "last_modified_ms",
            f"{fields.last_modified_ms} is outside the years 1000 to 9999.",
            "Enter the time in milliseconds since 1970, UTC.",
        )
    if fields.client_id is not None and not CLIENT_ID.fullmatch(fields.client_id):
        raise FieldRefused(
            "client_id",
            "It is not a client ID.",
            "Give 1 to 64 letters, digits, hyphens or underscores, and not `stream`.",
        )
    if fields.roi is not None:
        _check_json_size("roi", fields.roi)
        _check_roi(fields.roi)
    if fields.calibration is not None:
        _check_json_size("calibration", fields.calibration)
        _check_calibration(fields.calibration)
    return msgspec.structs.replace(
        fields,
        name=None if fields.name is None else _checked_name("name", fields.name),
        source=None if fields.source is None else _checked_name("source", fields.source),
    )


def read_file_name(text: str) -> str:
    r"""Return a file's name as it is stored: without folders, and with control characters escaped as `\x0a`.

    Raises:
        FieldRefused: The name is empty or too long.
    """
    name = as_text(re.split(r"[/\\]", text)[-1])
    name = "".join(c if unicodedata.category(c) != "Cc" else f"\\x{ord(c):02x}" for c in name).strip()
    if not name or name in (".", ".."):
        raise FieldRefused("file", f"{text[:40]!r} is not a file name.", "Send the file with its name.")
    if len(name) > MOST_CHARACTERS:
        raise FieldRefused(
            "file",
            f"Its name has {len(name)} characters, but at most {MOST_CHARACTERS} are allowed.",
            "Choose a shorter name.",
        )
    return name


def read_sha256(text: str) -> str:
    """Return a SHA-256 in lower-case hex digits. Raises `FieldRefused`."""
    digest = text.strip().lower()
    if not _SHA256.fullmatch(digest):
        raise FieldRefused("sha256", f"{text[:80]!r} is not a SHA-256.", "Give its 64 hex digits.")
    return digest


def is_of_another_kind(content_type: str) -> bool:
    """Return whether a content type excludes videos; a missing or general one does not."""
    kind = content_type.partition(";")[0].strip().lower()
    return bool(_NOT_OF_VIDEOS.fullmatch(kind)) and kind not in _OF_ANYTHING


def calibration_remark(calibration: Mapping[str, Any]) -> str | None:
    """Return why a calibration cannot give speeds, as one sentence, or None if it can."""
    points = len(calibration.get("points", []))
    with_metres = len(calibration.get("metres", []))
    if points >= FEWEST_CALIBRATION_POINTS and with_metres:
        return None
    metres = f"{'all' if with_metres else 'none'} with coordinates in metres"
    return f"Its calibration has {points} of at least {FEWEST_CALIBRATION_POINTS} points, {metres}: no speed."


def without_what_lies_outside(
    fields: VideoFields, width_px: int, height_px: int
) -> tuple[VideoFields, list[str]]:
    """Remove a region or calibration outside the picture; return the fields, and a sentence about each."""
    left_out: list[str] = []
    for name in ("roi", "calibration"):
        drawing = getattr(fields, name)
        for place, x, y in _places(drawing) if drawing is not None else ():
            if not (0 <= x <= width_px and 0 <= y <= height_px):
                left_out.append(
                    f"Its {name} was left out: {place} ({x:g}, {y:g}) is outside the picture of "
                    f"{width_px}x{height_px} pixels; send it again"
                )
                fields = msgspec.structs.replace(fields, **{name: None})
                break
    return fields, left_out


def _checked_name(field: str, text: str) -> str:
    name = unicodedata.normalize("NFC", text.strip())
    if not 1 <= len(name) <= MOST_CHARACTERS:
        raise FieldRefused(
            field,
            f"It has {len(name)} characters, but 1 to {MOST_CHARACTERS} are allowed.",
            "Choose another name.",
        )
    bad = next((c for c in name if unicodedata.category(c) in ("Cc", "Cs")), None)
    if bad is not None:
        raise FieldRefused(
            field, f"It has a control character, U+{ord(bad):04X}.", "Write it as text on one line."
        )
    return name


def _check_start_time(text: str) -> None:
    remedy = "Give an ISO 8601 time, such as 2026-05-01T08:00:00+02:00."
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise FieldRefused("start_time", f"{text[:80]!r} is not an ISO 8601 time.", remedy) from error
    if moment.year < 1000:
        raise FieldRefused("start_time", f"{text[:80]!r} is outside the years 1000 to 9999.", remedy)


def _check_timezone(name: str) -> None:
    try:
        known_timezone(name)
    except ValueError as error:
        raise FieldRefused(
            "timezone", f"{name[:80]!r} is not a time zone.", "Give an IANA name, such as Europe/Berlin."
        ) from error


def _check_json_size(field: str, value: dict[str, Any]) -> None:
    if len(msgspec.json.encode(value)) > MOST_JSON_BYTES:
        raise FieldRefused(
            field, f"It is larger than {MOST_JSON_BYTES // 1024} kB.", "Draw fewer shapes or points."
        )


def _check_roi(roi: dict[str, Any]) -> None:
    regions = roi.get("regions")
    if regions is None:
        _check_region(roi, "")
        return
    if not isinstance(regions, list) or not 1 <= len(regions) <= MOST_REGIONS or set(roi) != {"regions"}:
        raise FieldRefused(
            "roi",
            f"`regions` must be a list of 1 to {MOST_REGIONS} regions, and nothing else.",
            _SHAPES,
            place="regions",
        )
    for number, region in enumerate(regions):
        _check_region(region, f"regions[{number}]")


_SHAPES = 'Give {"x": 100, "y": 100, "width": 500, "height": 300} or {"points": [[0, 0], [100, 100], ...]}.'


def _check_region(region: Any, place: str) -> None:
    if isinstance(region, dict) and set(region) == set(_RECTANGLE):
        for name in _RECTANGLE:
            _check_number("roi", region[name], f"{place}.{name}".strip("."), 0.0)
        if not (region["width"] > 0 and region["height"] > 0):
            raise FieldRefused("roi", "A region needs a width and a height above 0.", _SHAPES, place=place)
    elif isinstance(region, dict) and "points" in region and set(region) <= {"points", "name"}:
        _check_points("roi", region["points"], f"{place}.points".strip("."))
    else:
        raise FieldRefused("roi", "It is neither a rectangle nor a list of points.", _SHAPES, place=place)


def _check_calibration(calibration: dict[str, Any]) -> None:
    if "points" not in calibration or not set(calibration) <= {"points", "metres", "name"}:
        raise FieldRefused(
            "calibration",
            "It has no points, or fields other than points and metres.",
            _CALIBRATION,
            place="points",
        )
    points = calibration["points"]
    _check_points("calibration", points, "points")
    metres = calibration.get("metres", [])
    if metres:
        _check_points("calibration", metres, "metres", least=-_MOST_PX)
        if len(metres) != len(points):
            raise FieldRefused(
                "calibration",
                f"It has {len(points)} points, but coordinates in metres for {len(metres)}.",
                _CALIBRATION,
                place="metres",
            )
        try:
            if places := picture_places():
                places.check_calibration(points, metres)
        except Misconfigured as error:
            raise FieldRefused("calibration", f"{error}.", _CALIBRATION, place="points") from error


_CALIBRATION = 'Give {"points": [[0, 0], [100, 100], ...], "metres": [[0, 0], [3.5, 7], ...]}.'


def _check_points(field: str, points: Any, place: str, *, least: float = 0.0) -> None:
    if not isinstance(points, list) or not 1 <= len(points) <= MOST_POINTS:
        raise FieldRefused(
            field, f"There must be 1 to {MOST_POINTS} points.", "Write them as [x, y].", place=place
        )
    for number, point in enumerate(points):
        if not isinstance(point, list) or len(point) != 2:
            raise FieldRefused(
                field, "A point must be two numbers.", "Write it as [x, y].", place=f"{place}[{number}]"
            )
        for axis, value in enumerate(point):
            _check_number(field, value, f"{place}[{number}][{axis}]", least)


def _check_number(field: str, value: Any, place: str, least: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value) and least <= value <= _MOST_PX):
        raise FieldRefused(
            field,
            f"{value!r:.40} is not a number from {least:g} to {_MOST_PX:g}.",
            "Write it in pixels of the upright picture.",
            place=place,
        )


def _places(drawing: dict[str, Any]) -> list[tuple[str, float, float]]:
    """Return the corners of a drawing: their place in the JSON, x and y."""
    regions = drawing.get("regions")
    if regions is not None:
        return [
            (f"regions[{number}].{place}", x, y)
            for number, region in enumerate(regions)
            for place, x, y in _places(region)
        ]
    if "points" in drawing:
        return [(f"points[{number}]", *point) for number, point in enumerate(drawing["points"])]
    left, top = drawing["x"], drawing["y"]
    return [("x, y", left, top), ("width, height", left + drawing["width"], top + drawing["height"])]


def _read_ms(name: str, text: str) -> int:
    if not _MS.fullmatch(text.strip()):
        raise FieldRefused(
            name, f"{text[:40]!r} is not a whole number.", "Enter the time in milliseconds since 1970, UTC."
        )
    return int(text)


def _read_json(name: str, text: str) -> dict[str, Any]:
    if len(text.encode(errors="replace")) > MOST_JSON_BYTES:
        raise FieldRefused(name, f"It is larger than {MOST_JSON_BYTES // 1024} kB.", "Send less data.")
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise FieldRefused(name, f"It is not a JSON object: {str(error)[:200]}.", _SHAPES) from error


def _read_yes(name: str, text: str) -> bool:
    if text.strip().lower() not in ("true", "false"):
        raise FieldRefused(name, f"{text[:40]!r} is neither true nor false.", "Use true or false.")
    return text.strip().lower() == "true"


_READERS: dict[str, Callable[[str, str], Any]] = {
    "last_modified_ms": _read_ms,
    "roi": _read_json,
    "calibration": _read_json,
    "move_counts": _read_yes,
}
"""Readers of values other than text, by field; the first argument is the name that the client used."""
