"""Parses times on the command line."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable

from frametally.errors import Misconfigured
from frametally.rules.times import FIRST_MS, NEXT_MS, event_bound_ms, iso_moment_ms


def parse_time_ms(option: str, text: str, zone: datetime.tzinfo) -> int:
    """Return the event time given for `option` by `text`: ISO 8601, or milliseconds since 1970 UTC.

    A time without an offset is read in `zone`, as in `iso_moment_ms`.

    Raises `Misconfigured` if it is neither.
    """
    return _parse(option, text, zone, _event_time_ms)


def parse_bounds_ms(
    from_text: str | None, to_text: str | None, zone: datetime.tzinfo
) -> tuple[int | None, int | None]:
    """Return the ends of a range of event times, written as for `parse_time_ms`; None for a missing one.

    An end beyond all event times is clipped to their range.

    Raises `Misconfigured` for an invalid time, or a range that ends before it begins.
    """
    from_ms = None if from_text is None else _parse("--from", from_text, zone, event_bound_ms)
    to_ms = None if to_text is None else _parse("--to", to_text, zone, event_bound_ms)
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        raise Misconfigured("--from must be before --to")
    return from_ms, to_ms


def _parse(option: str, text: str, zone: datetime.tzinfo, checked: Callable[[int], int]) -> int:
    try:
        if text.lstrip("-").isdecimal() and len(text) > len("20260501"):
            return checked(int(text))
        return checked(iso_moment_ms(text, zone))
    except ValueError as error:
        raise Misconfigured(
            f"{option} {text!r} is not an ISO 8601 time in the years 1000 to 9999; write it like "
            "2026-05-01T08:00:00+02:00"
        ) from error


def _event_time_ms(ms: int) -> int:
    if not FIRST_MS <= ms < NEXT_MS:
        raise ValueError("outside the years 1000 to 9999, which keys can store")
    return ms


_SIZE = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")  # a JPEG's sides have up to 65,535 pixels


def parse_size_px(text: str) -> tuple[int, int]:
    """Return the width and height that `--size` gives as `1920x1080`. Raises `Misconfigured`."""
    if (match := _SIZE.fullmatch(text.strip())) is None:
        raise Misconfigured(f"--size {text[:40]!r} is not a size; write it as 1920x1080")
    return int(match[1]), int(match[2])
