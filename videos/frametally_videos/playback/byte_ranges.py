"""Which bytes of an object a request is for, by RFC 9110: its conditions, then its range."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from starlette.datastructures import Headers

_TAGS = re.compile(r'\*|(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_TAG_LIST = re.compile(rf"[ \t,]*(?:{_TAGS.pattern})(?:[ \t]*,[ \t]*(?:{_TAGS.pattern})?)*[ \t]*")
_RANGE = re.compile(r"([0-9]*)-([0-9]*)")
_MOST_DIGITS = 18
"""Of the number of a byte: beyond it there is none."""


class WholeObject(NamedTuple):
    """The object, and none of its parts alone."""

    status: Literal[200] = 200


class BytePart(NamedTuple):
    """Bytes `first_byte` to before `next_byte`."""

    first_byte: int
    next_byte: int
    status: Literal[206] = 206


class NoBytes(NamedTuple):
    """None of it: 304, the client has it; 412, it is not what the client means; 416, it ends before."""

    status: Literal[304, 412, 416]


WantedBytes = WholeObject | BytePart | NoBytes


def wanted(method: str, headers: Headers, *, etag: str, size_bytes: int) -> WantedBytes:
    """Return what a request is for; `etag` is the object's own, strong and in its quotes.

    What cannot be understood is as if it were not there, and so are dates: the object has none.
    """
    if_match = _tags(headers, "if-match")
    if if_match is not None and "*" not in if_match and etag not in if_match:
        return NoBytes(412)
    if_none_match = _tags(headers, "if-none-match")
    if if_none_match is not None and {"*", etag, f"W/{etag}"} & if_none_match:
        return NoBytes(304)
    asked = headers.getlist("range")
    if method != "GET" or len(asked) != 1:
        return WholeObject()
    if_range = headers.getlist("if-range")
    if if_range and [one.strip() for one in if_range] != [etag]:
        return WholeObject()
    return _part(asked[0], size_bytes)


def _part(asked: str, size_bytes: int) -> WantedBytes:
    unit, _, ranges = asked.partition("=")
    listed = [one.strip(" \t") for one in ranges.split(",")]
    listed = [one for one in listed if one]
    match = _RANGE.fullmatch(listed[0]) if len(listed) == 1 else None
    if unit.strip(" \t").lower() != "bytes" or match is None or not any(match.groups()):
        return WholeObject()  # several ranges, too: nobody who plays a video asks for them
    first, last = (_number(digits) for digits in match.groups())
    if first is None:
        length = min(last or 0, size_bytes)
        return BytePart(size_bytes - length, size_bytes) if length else NoBytes(416)
    if last is not None and last < first:
        return WholeObject()
    if first >= size_bytes:
        return NoBytes(416)
    return BytePart(first, size_bytes if last is None else min(last + 1, size_bytes))


def _number(digits: str) -> int | None:
    if not digits:
        return None
    shortened = digits.lstrip("0") or "0"
    return int(shortened) if len(shortened) <= _MOST_DIGITS else 10**_MOST_DIGITS


def _tags(headers: Headers, name: str) -> set[str] | None:
    """Return the tags in a header; None where it is not there, or is no list of tags."""
    text = ", ".join(headers.getlist(name))
    return set(_TAGS.findall(text)) if _TAG_LIST.fullmatch(text) else None
