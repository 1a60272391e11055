"""The query string of a request, read with checks: every mistake is a 400 that names its parameter."""

from __future__ import annotations

import base64
import datetime
import re
import zoneinfo
from collections.abc import Collection, Iterable, Sequence
from typing import Literal, NamedTuple, TypeVar, get_args

import msgspec
from werkzeug.datastructures import MultiDict

from frametally.rules.times import DAY_S, event_bound_ms, iso_moment_ms
from frametally.settings.loading import Settings
from frametally_web.requests.chosen_times import ALL_TIMES, ChosenTimes, parse_hours, parse_weekdays
from frametally_web.requests.problems import bad_parameter

Metric = Literal["detections", "mean_per_frame", "peak", "objects"]
"""Boxes; boxes per frame analysed; most boxes in one frame; unique objects, each where it was first seen."""

AskedMetric = Literal["detections", "mean_per_frame", "peak", "objects", "auto"]
"""`auto`: unique objects where they are known, else boxes per frame."""

COMPARE_PATTERN = "^(previous|day|week|source:.+|model:.+)$"
MAX_NAME_CHARS = 200
MAX_CURSOR_CHARS = 1000
MAX_TOP = 1000
MAX_VALUES = 200
"""Most labels, and most sources, that one query may name."""

MAX_PAGE_FRAMES = 100
"""Most frames (or objects) in one page of the proof."""

MAX_INTERVAL_S = 100 * 366 * DAY_S

ChoiceT = TypeVar("ChoiceT", bound=str)
CursorT = TypeVar("CursorT")

# An offset's plus sign that nobody escaped arrives as a space.
_LOST_PLUS = re.compile(r"(?<=T)([0-9:.,]+) (?=\d\d:?\d\d$)")


class Zone(NamedTuple):
    """A time zone and its IANA name."""

    name: str
    tzinfo: datetime.tzinfo


class Selection(NamedTuple):
    """What a query selects.

    Attributes:
        model: Model asked for; None for the newest.
        labels: Labels asked for; empty means all.
        sources: Sources asked for; empty means all.
        from_ms: First event time, inclusive; None leaves that end open.
        to_ms: Last event time, exclusive; None leaves that end open.
        zone: Time zone of bars, and of times without an offset.
        base_s: Seconds of the stored interval to read; None where it is to be chosen.
        times: Hours and weekdays of `zone` that are counted.
        within: Name of the zone of the picture that it is narrowed to; None: the whole picture.
    """

    model: str | None
    labels: list[str]
    sources: list[str]
    from_ms: int | None
    to_ms: int | None
    zone: Zone
    base_s: int | None = None
    times: ChosenTimes = ALL_TIMES
    within: str | None = None


class ChartQuery(NamedTuple):
    """What a chart shows: bars of `interval_s` seconds (None: to be chosen), labels ordered by `metric`.

    `top` is how many labels have bars of their own, the others together; None: all have.
    """

    selection: Selection
    interval_s: int | None
    metric: AskedMetric
    by_source: bool
    top: int | None = None


class GapQuery(NamedTuple):
    """Of which hole is asked: that of the one source of `selection` at `at_ms`."""

    selection: Selection
    at_ms: int


def check_known(args: Iterable[str], known: Collection[str]) -> None:
    """Refuse parameters that the route does not have: a misspelt filter must not widen the answer.

    Raises:
        Problem: 400, with the names that there are.
    """
    for name in args:
        if name not in known:
            raise bad_parameter(
                shown(name),
                f"There is no parameter {shown(name)!r} here.",
                remedy=f"Use only: {', '.join(known) or 'no parameters'}.",
            )


def read_one(args: MultiDict[str, str], name: str) -> str | None:
    """Return the value of a parameter that stands once; None where it is absent or empty.

    Raises:
        Problem: 400, if it stands more than once, is too long or holds a NUL.
    """
    values = read_many(args, name, limit=1)
    return values[0] if values else None


def read_before(args: MultiDict[str, str]) -> int:
    """Return the number at which a page begins, newest first; 0: with the newest. Raises `Problem`."""
    text = read_one(args, "before")
    if text is None:
        return 0
    if not (text.isascii() and text.isdecimal() and 0 < len(text) <= 18):
        raise bad_parameter("before", f"{shown(text)} is no place.", remedy="Use `next` of the page before.")
    return int(text)


def read_many(args: MultiDict[str, str], name: str, *, limit: int) -> list[str]:
    """Return the distinct values of a parameter that may stand several times, empty ones left out.

    Raises:
        Problem: 400, if there are more than `limit`, or one is too long or holds a NUL.
    """
    values = list(dict.fromkeys(value for value in args.getlist(name) if value))
    if len(values) > limit:
        remedy = f"Give {name} once." if limit == 1 else f"Give {name} at most {limit} times, or not at all."
        raise bad_parameter(name, f"{name} stands {len(values)} times.", remedy=remedy)
    for value in values:
        most = MAX_CURSOR_CHARS if name == "cursor" else MAX_NAME_CHARS
        if len(value) > most:
            raise bad_parameter(
                name,
                f"{name} has a value of {len(value)} characters.",
                remedy=f"Values have at most {most} characters.",
            )
        if "\0" in value:
            raise bad_parameter(name, f"{name} holds a NUL character.", remedy="Leave the NUL (%00) out.")
    return values


def read_selection(args: MultiDict[str, str], settings: Settings) -> Selection:
    """Read model, labels, sources, range and time zone of a query.

    Raises:
        Problem: 400, by the rules of the other readers, or if the range is empty.
    """
    zone = read_zone(args, settings)
    from_ms = read_moment(args, "from", zone.tzinfo)
    to_ms = read_moment(args, "to", zone.tzinfo)
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        raise bad_parameter(
            "to",
            "to is not after from.",
            remedy="Give a to later than from, in the years 1000 to 9999; to itself is not included.",
        )
    return Selection(
        read_one(args, "model"),
        read_many(args, "label", limit=MAX_VALUES),
        read_many(args, "source", limit=MAX_VALUES),
        from_ms,
        to_ms,
        zone,
        read_interval(args, "base"),
        ChosenTimes(parse_hours(read_one(args, "hours")), parse_weekdays(read_one(args, "weekdays"))),
        read_one(args, "zone"),
    )


def read_chart(args: MultiDict[str, str], settings: Settings) -> ChartQuery:
    """Read what a chart shows. Raises as the other readers do."""
    return ChartQuery(
        read_selection(args, settings),
        read_interval(args),
        read_choice(args, "metric", get_args(AskedMetric)),
        read_choice(args, "by", ("", "source")) == "source",
        _read_whole_number(
            args,
            "top",
            least=0,
            most=MAX_TOP,
            most_digits=9,
            unit="",
            remedy="Give the number of labels that are to stand apart, such as top=6, or leave it out.",
        ),
    )


def read_compare(args: MultiDict[str, str]) -> str | None:
    """Read what a chart is compared with; None where it is not.

    Raises:
        Problem: 400, if nothing is called so.
    """
    text = read_one(args, "compare")
    if text is not None and not re.fullmatch(COMPARE_PATTERN, text, re.DOTALL):
        raise bad_parameter(
            "compare",
            f"compare={shown(text)!r} is nothing to compare with.",
            remedy="Give previous, day, week, source:<slug> or model:<id>.",
        )
    return text


def read_gap(args: MultiDict[str, str], settings: Settings) -> GapQuery:
    """Read of which source, and at which moment, a hole is asked for.

    Raises:
        Problem: 400, by the rules of the other readers, or if one of the two is absent.
    """
    zone = read_zone(args, settings)
    source, at_ms = read_one(args, "source"), read_moment(args, "at", zone.tzinfo)
    for name, value, example in (("source", source, "gate"), ("at", at_ms, "2024-05-01T08:00:00Z")):
        if value is None:
            raise bad_parameter(name, f"There is no {name}.", remedy=f"Give one, such as {name}={example}.")
    return GapQuery(Selection(read_one(args, "model"), [], [source or ""], None, None, zone), at_ms or 0)


def read_zone(args: MultiDict[str, str], settings: Settings) -> Zone:
    """Read the time zone asked for, or the deployment's.

    Raises:
        Problem: 400, if there is no such zone.
    """
    name = read_one(args, "timezone")
    if name is None:
        name = settings.timezone
    if name == "UTC":
        return Zone(name, datetime.UTC)
    try:
        return Zone(name, zoneinfo.ZoneInfo(name))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise bad_parameter(
            "timezone",
            f"timezone={shown(name)!r} is no IANA time zone.",
            remedy="Name one such as UTC, Europe/Berlin or Asia/Kolkata, or leave it out.",
        ) from error


def read_choice(args: MultiDict[str, str], name: str, choices: Sequence[ChoiceT]) -> ChoiceT:
    """Read one of `choices`; the first where the parameter is absent.

    Raises:
        Problem: 400, with the choices.
    """
    text = read_one(args, name)
    for choice in choices:
        if choice == (text or choices[0]):
            return choice
    raise bad_parameter(
        name,
        f"{name}={shown(text or '')!r} is none of its choices.",
        remedy=f"Choose one of these: {', '.join(choice for choice in choices if choice)}.",
    )


def read_choices(args: MultiDict[str, str], name: str, choices: Sequence[ChoiceT]) -> tuple[ChoiceT, ...]:
    """Read some of `choices`; none where the parameter is absent.

    Raises:
        Problem: 400, with the choices.
    """
    named = read_many(args, name, limit=len(choices))
    return tuple(read_choice(MultiDict([(name, one)]), name, choices) for one in named)


def read_limit(args: MultiDict[str, str], *, default: int, most: int) -> int:
    """Read how many things a page holds.

    Raises:
        Problem: 400, if that is no whole number from 1 to `most`.
    """
    remedy = f"Give at most {most}, or leave it out."
    limit = _read_whole_number(args, "limit", most=most, most_digits=9, unit="", remedy=remedy)
    return min(default, most) if limit is None else limit


def read_cursor(args: MultiDict[str, str], cursor_type: type[CursorT]) -> CursorT | None:
    """Read where the page before ended, as `write_cursor` wrote it; None for the first page.

    Raises:
        Problem: 400, if it is none.
    """
    text = read_one(args, "cursor")
    if text is None:
        return None
    try:
        data = base64.b64decode(text.encode(), altchars=b"-_", validate=True)
        return msgspec.json.decode(data, type=cursor_type)
    except (ValueError, msgspec.DecodeError) as error:
        raise bad_parameter(
            "cursor",
            "cursor is none that this API gave.",
            remedy="Give `next` of the page before, unchanged.",
        ) from error


def write_cursor(cursor: tuple[object, ...]) -> str:
    """Return a cursor as it stands in `next`."""
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode()


def read_moment(args: MultiDict[str, str], name: str, zone: datetime.tzinfo) -> int | None:
    """Read an end of a range, in milliseconds: digits alone are milliseconds, anything else is ISO 8601.

    A time without an offset is one of `zone`; one before or after all event times is where they begin or end.

    Raises:
        Problem: 400, if it is neither, or outside the years 1 to 9999.
    """
    text = read_one(args, name)
    if text is None:
        return None
    if re.fullmatch(r"-?[0-9]+", text):
        moment_ms = int(text)
    else:
        try:
            moment_ms = iso_moment_ms(_LOST_PLUS.sub(r"\1+", text), zone)
        except ValueError as error:
            raise bad_parameter(
                name,
                f"{name}={shown(text)!r} is no time.",
                remedy="Write ISO 8601, such as 2024-05-01T08:00:00Z, or milliseconds since 1970.",
            ) from error
    try:
        return event_bound_ms(moment_ms)
    except ValueError as error:
        raise bad_parameter(
            name, f"{name}={shown(text)!r} is out of range.", remedy="Stay between the years 1 and 9999."
        ) from error


def read_interval(args: MultiDict[str, str], name: str = "interval") -> int | None:
    """Read the seconds of a bar (`interval`) or a stored interval (`base`); None where they are to be chosen.

    Raises:
        Problem: 400, if it is no whole number of seconds from 1 on.
    """
    remedy = f"Give seconds, such as {name}=60, or leave it out to have it chosen."
    return _read_whole_number(
        args, name, most=MAX_INTERVAL_S, most_digits=12, unit=" of seconds", remedy=remedy
    )


def _read_whole_number(
    args: MultiDict[str, str],
    name: str,
    *,
    least: int = 1,
    most: int,
    most_digits: int,
    unit: str,
    remedy: str,
) -> int | None:
    text = read_one(args, name)
    if text is None:
        return None
    if not re.fullmatch(rf"[0-9]{{1,{most_digits}}}", text) or not least <= int(text) <= most:
        detail = f"{name}={shown(text)!r} is no whole number{unit} from {least} to {most}."
        raise bad_parameter(name, detail, remedy=remedy)
    return int(text)


def shown(text: str) -> str:
    """Return what was asked, or as much of it as a line bears."""
    return text if len(text) <= 80 else text[:80] + "…"
