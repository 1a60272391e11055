"""Reads what a file states about when it was recorded, in EXIF, GPS, XMP, PNG texts or its container."""

from __future__ import annotations

import datetime
import email.utils
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from frametally.rules.times import HOUR_S

StatementKind = Literal[
    "EXIF",
    "EXIF DateTimeDigitized",
    "EXIF DateTime",
    "GPS",
    "XMP",
    "PNG text",
    "QuickTime date",
    "container",
    "container's date",
]
"""The parts of a file that state a time, in words for messages; `EXIF` is its DateTimeOriginal."""

# A camera whose clock was never set states 1904 (the epoch of MP4) or 1970.
_UNSET_CLOCK_YEAR = 1970
_MOST_HOURS_OFF = 24

# EXIF tags of time, offset and fraction (CIPA DC-008, 4.6.5), the most trusted first.
_EXIF_TIMES: tuple[tuple[StatementKind, int, int, int], ...] = (
    ("EXIF", 0x9003, 0x9011, 0x9291),
    ("EXIF DateTimeDigitized", 0x9004, 0x9012, 0x9292),
    ("EXIF DateTime", 0x0132, 0x9010, 0x9290),
)
_GPS_DATE, _GPS_TIME = 29, 7
_MOST_LETTERS = 40
_XMP_BYTES = 1 << 20
_XMP_TIMES = [
    re.compile(name + rb"(?:\s*=\s*[\"']|>)\s*([^\"'<]{10,40})")
    for name in (b"exif:DateTimeOriginal", b"photoshop:DateCreated", b"xmp:CreateDate")
]
_CONTAINER_KEYS: tuple[tuple[StatementKind, str], ...] = (
    ("QuickTime date", "com.apple.quicktime.creationdate"),
    ("container", "creation_time"),
    ("container's date", "date"),  # of MP4 and FLV, and FFmpeg's name for AVI's ICRD
    ("container's date", "date_recorded"),  # Matroska
)

_MOMENT = re.compile(
    r"(\d{4})[-:/.]\s?(\d{1,2})[-:/.]\s?(\d{1,2})[T ,_]\s*(\d{1,2})[:.]\s?(\d{1,2})"
    r"(?:[:.]\s?(\d{1,2})(?:[.,](\d+))?)?\s*(\S+)?",
    re.ASCII,
)
_OFFSET = re.compile(r"([+-])(\d{1,2})(?::?(\d\d))?", re.ASCII)
_WEEKDAY = re.compile(r"[A-Za-z]{3},")


class TimeStatement(NamedTuple):
    """A statement of a file about when it was recorded.

    Attributes:
        text: The time as the file writes it.
        moment: The time, naive if it has no zone, or None if it cannot be read.
    """

    kind: StatementKind
    text: str
    moment: datetime.datetime | None


def read_moment(text: str, offset: str = "", fraction: str = "") -> datetime.datetime | None:
    """Return the moment in a text, or None if it has no date, no time of day, or an impossible one.

    It reads `2026:05:01 08:00:00` with other separators, with one digit, without seconds, with a fraction or
    a zone (`Z`, `+02:00`, `+0200`, `+2`); 24:00:00 is the next day, second 60 the next minute. `offset` and
    `fraction` (digits after the decimal point) count if the text itself has none.
    """
    match = _MOMENT.fullmatch(text)
    if match is None:
        return _internet_date(text)
    year, month, day, hour, minute, second, digits, zone = match.groups()
    hours, minutes, seconds = int(hour), int(minute), int(second or 0)
    is_midnight = (hours, minutes, seconds) == (24, 0, 0)
    if (hours > 23 and not is_midnight) or minutes > 59 or seconds > 60:
        return None
    tzinfo = _zone(zone or offset)
    if zone and tzinfo is None:
        return None
    microseconds = int((digits or _digits(fraction))[:6].ljust(6, "0"))
    length = datetime.timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=microseconds)
    try:
        return datetime.datetime(int(year), int(month), int(day), tzinfo=tzinfo) + length
    except (ValueError, OverflowError):  # such as 0000:00:00, which means unknown
        return None


def _internet_date(text: str) -> datetime.datetime | None:
    """Read `Fri, 01 May 2026 08:00:00 GMT` (RFC 5322), which the PNG specification recommends."""
    if not _WEEKDAY.match(text):
        return None
    try:
        return email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None


def _zone(text: str) -> datetime.tzinfo | None:
    if text in ("Z", "UTC", "GMT"):
        return datetime.UTC
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    sign, hours, minutes = match.groups()
    if int(hours) >= _MOST_HOURS_OFF or int(minutes or 0) > 59:
        return None
    offset = datetime.timedelta(hours=int(hours), minutes=int(minutes or 0))
    return datetime.timezone(-offset if sign == "-" else offset)


def exif_statements(exif: Mapping[int, Any], details: Mapping[int, Any]) -> list[TimeStatement]:
    """Return what EXIF states: its first time with a clock that was set, or else its first one.

    The offset and the fraction of one of its times also count for another one that states the same time, or
    if the file does not state the one that they belong to.
    """
    texts = {tag: _text(value) for part in (exif, details) for tag, value in part.items()}
    stated = [(kind, texts.get(tag, "")) for kind, tag, _, _ in _EXIF_TIMES]
    best: TimeStatement | None = None
    for kind, text in stated:
        if not _says_something(text):
            continue
        akin = sorted(
            (other != kind, offset, fraction)
            for (other, _, offset, fraction), (_, other_text) in zip(_EXIF_TIMES, stated, strict=True)
            if other_text in ("", text)
        )
        offset_text = next((texts[tag] for _, tag, _ in akin if _zone(texts.get(tag, ""))), "")
        digits = next((texts[tag] for _, _, tag in akin if _digits(texts.get(tag, ""))), "")
        statement = TimeStatement(kind, text[:_MOST_LETTERS], read_moment(text, offset_text, digits))
        best = statement if best is None or (is_set(statement) and not is_set(best)) else best
    return [] if best is None else [best]


def gps_statements(gps: Mapping[int, Any]) -> Iterator[TimeStatement]:
    """Yield the time of EXIF's GPS data, which is UTC. Raises `ValueError` or `TypeError`."""
    date, time_of_day = _text(gps.get(_GPS_DATE)), gps.get(_GPS_TIME)
    if _says_something(date) and isinstance(time_of_day, tuple) and len(time_of_day) == 3:
        hour, minute, second = (float(number) for number in time_of_day)
        length_s = hour * HOUR_S + minute * 60 + second
        if math.isfinite(length_s) and length_s >= 0:
            minutes, seconds = divmod(int(length_s), 60)
            text = f"{date} {minutes // 60}:{minutes % 60}:{seconds}Z"[:_MOST_LETTERS]
            yield TimeStatement("GPS", text, read_moment(text))


def picture_statements(statements: Iterable[TimeStatement], info: Mapping[Any, Any]) -> list[TimeStatement]:
    """Return the statements of a picture, the most trusted first: those of EXIF, else of XMP, of PNG texts.

    `info` is Pillow's. A PNG's text counts only if it is before the pixels, as programs write it.
    """
    result = list(statements)
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
    data = xmp.encode() if isinstance(xmp, str) else xmp
    if isinstance(data, bytes):
        matches = filter(None, (pattern.search(data[:_XMP_BYTES]) for pattern in _XMP_TIMES))
        result.extend(_statement("XMP", match[1].decode(errors="replace")) for match in matches)
    if text := _text(info.get("Creation Time")):
        result.append(_statement("PNG text", text))
    first = next((number for number, statement in enumerate(result) if is_set(statement)), 0)
    # Only GPS confirms or contradicts a camera's clock; the others repeat it, or are of an edit.
    return [item for number, item in enumerate(result) if number <= first or item.kind == "GPS"]


def container_statements(*metadata: Mapping[str, str]) -> list[TimeStatement]:
    """Return the statements of a container, then of its track, the most trusted kind first."""
    parts = [{key.lower(): value for key, value in part.items()} for part in metadata]
    statements = {
        kind: _statement(kind, part[key])
        for kind, key in _CONTAINER_KEYS[::-1]
        for part in parts[::-1]
        if _says_something(part.get(key, ""))
    }
    kinds = dict.fromkeys(kind for kind, _ in _CONTAINER_KEYS)
    result = [statements[kind] for kind in kinds if kind in statements]
    is_dated = any(is_set(statement) for statement in result if statement.kind != "container's date")
    return [item for item in result if not (is_dated and item.kind == "container's date")]


def is_set(statement: TimeStatement) -> bool:
    """Return whether a statement has a time, and not that of a clock that was never set."""
    return statement.moment is not None and statement.moment.year > _UNSET_CLOCK_YEAR


def _statement(kind: StatementKind, text: str) -> TimeStatement:
    return TimeStatement(kind, text[:_MOST_LETTERS], read_moment(text.strip()))


def _says_something(text: str) -> bool:
    """Return whether a text has a digit but 0; cameras write zeros and blanks for an unknown time."""
    return re.search("[1-9]", text) is not None


def _digits(text: str) -> str:
    match = re.match(r"\d+", text, re.ASCII)
    return match.group() if match else ""


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    return value.strip("\0 \r\n") if isinstance(value, str) else ""
