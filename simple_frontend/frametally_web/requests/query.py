"""The query of a chart: its parameters, and how they are read together."""

from __future__ import annotations

import datetime
import re
import zoneinfo
from typing import Any, NamedTuple, get_args

from frametally.actions.parameters import (
    MAX_VALUES,
    MOMENT,
    Args,
    Parameter,
    choice,
    page_limit,
    read_many,
    read_one,
    shortened,
    text,
    text_schema,
    texts,
    whole_number,
)
from frametally.actions.problems import bad_parameter
from frametally.keys import slug
from frametally.ports.picture_places import picture_places
from frametally.rules.known import AskedMetric
from frametally.rules.times import (
    DAY_MS,
    DAY_S,
    ENDS_TOO_EARLY,
    FIRST_MS,
    NEXT_MS,
    event_bound_ms,
    iso_moment_ms,
    known_timezone,
)
from frametally.rules.week_parts import WeekParts, parts_of_week, shift
from frametally.settings.loading import Settings

_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")
_DAY_MINUTES = 24 * 60


class ChosenTimes(NamedTuple):
    """Hours and weekdays of local time, as clocks show it: an hour that occurs twice counts twice.

    Attributes:
        hours: First minute of the day and the end minute, up to 1440; if the end is not after the first, the
            hours continue past midnight. None for all day.
        weekdays: In order, 1 is Monday: the days on which the hours begin. Empty for every day.
    """

    hours: tuple[int, int] | None = None
    weekdays: tuple[int, ...] = ()

    @property
    def hours_text(self) -> str | None:
        """Return the hours in the form of a request, such as `08:00-09:00`."""
        return self.hours and "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in self.hours)

    @property
    def parameter(self) -> str:
        """Return the name of the parameter for errors about these times."""
        return "hours" if self.hours else "weekdays"

    def week_parts(self, offset_ms: int) -> WeekParts:
        """Return the parts of UTC's week for these times, where local time is ahead by `offset_ms`.

        An empty result means the whole week.
        """
        if self.hours is None and not self.weekdays:
            return ()
        return shift(parts_of_week(self.hours, self.weekdays), -offset_ms)


ALL_TIMES = ChosenTimes()


def parse_hours(text: str | None) -> tuple[int, int] | None:
    """Read hours such as `08:00-09:00` or `22:00-06:00`.

    Raises:
        Problem: 400 if they are not hours, or begin when they end.
    """
    if text is None:
        return None
    remedy = "Write a start and an end, such as hours=08:00-09:00 or hours=22:00-06:00, or leave it out."
    match = _HOURS.fullmatch(text)
    if match is None:
        raise bad_parameter("hours", f"hours={text[:80]!r} is not a range of hours.", remedy=remedy)
    from_hour, from_minute, to_hour, to_minute = match.groups()
    first = int(from_hour) * 60 + int(from_minute)
    end = _DAY_MINUTES if to_hour is None else int(to_hour) * 60 + int(to_minute)
    if first == end:
        raise bad_parameter("hours", f"hours={text!r} ends when it begins.", remedy=remedy)
    return first, end


def parse_weekdays(text: str | None) -> tuple[int, ...]:
    """Read weekdays such as `1,2,3`; empty without a text.

    Raises:
        Problem: 400 if they are not numbers from 1 to 7.
    """
    if text is None:
        return ()
    if not re.fullmatch(r"[1-7](,[1-7])*", text):
        raise bad_parameter(
            "weekdays",
            f"weekdays={text[:80]!r} are not days of the week.",
            remedy="Use numbers from 1 (Monday) to 7 (Sunday), such as weekdays=1,2,3, or leave it out.",
        )
    return tuple(sorted({int(day) for day in text.split(",")}))


MAX_TOP = 1000
MAX_PAGE_FRAMES = 100
"""Most frames (or objects) on one page of the proof."""

MAX_INTERVAL_S = 100 * 366 * DAY_S

_COMPARE_PATTERN = "^(previous|day|week|source:.+|model:.+)$"
# An unescaped plus sign of an offset arrives as a space.
_LOST_PLUS = re.compile(r"(?<=T)([0-9:.,]+) (?=\d\d:?\d\d$)")


def _seconds(name: str, description: str, example: str) -> Parameter[int | None]:
    return whole_number(
        name,
        description,
        example,
        remedy=f"Give seconds, such as {name}=60, or leave it out to let frametally choose.",
        most=MAX_INTERVAL_S,
        most_digits=12,
        unit=" of seconds",
    )


MODEL = text("model", "One model; default: the newest published model.")
TIMEZONE = text(
    "timezone",
    "IANA time zone for bars of more than an hour and times without an offset; default: that of the "
    "sources, if they share one, else the server's.",
    "Europe/Berlin",
)
LABEL = texts("label", "Class names; default: all.", "car")
SOURCE = texts("source", "Sources, by their slugs or their names; default: all.").but(
    parse=lambda args, name: list(dict.fromkeys(map(slug, read_many(args, name, limit=MAX_VALUES))))
)
FROM = text(
    "from",
    "First event time, ISO 8601 or milliseconds; default: the start of the data.",
    "2024-05-01T08:00:00Z",
    MOMENT,
)
TO = text(
    "to",
    "End of the range (exclusive); default: the end of the data, without footage dated more than a day in "
    "the future if there is other footage.",
    "",
    MOMENT,
)
HOURS = Parameter(
    name="hours",
    description="Only these hours of each day, local time; they may continue past midnight. Default: "
    "all day.",
    schema={"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$"},
    parse=lambda args, name: parse_hours(read_one(args, name)),
    example="08:00-09:00",
)
WEEKDAYS = Parameter(
    name="weekdays",
    description="Only these days of the week, 1 is Monday; hours past midnight belong to the day on "
    "which they begin. Default: every day.",
    schema={"type": "string", "pattern": "^[1-7](,[1-7])*$"},
    parse=lambda args, name: parse_weekdays(read_one(args, name)),
    example="1,2,3",
)
BASE = _seconds(
    "base",
    "Seconds of the stored interval to read, up to date or not; default: chosen by the range. `1` also "
    "reads the seconds of a short range from its frames. To prove a bar, use `base_interval_s` of its "
    "chart.",
    "60",
)
_NARROW = "Name of a zone of the sources, to count only objects in it. Default: the whole picture."
PARTS = (text("zone", _NARROW),) if picture_places() else ()
SELECTION: tuple[Parameter[Any], ...] = (
    LABEL,
    SOURCE,
    FROM,
    TO,
    MODEL,
    TIMEZONE,
    HOURS,
    WEEKDAYS,
    BASE,
    *PARTS,
)
INTERVAL = _seconds(
    "interval",
    "Seconds of a bar, a multiple of a stored interval; default: chosen for at most 120 bars, and not "
    "shorter than the time between two pictures of the sources.",
    "3600",
)
METRIC = choice(
    "metric",
    "Order of labels; every answer has all four measures. `auto`: objects if they are known for all "
    "footage, else `mean_per_frame`.",
    get_args(AskedMetric),
    "detections",
)
BY = choice("by", "`source`: each source has its own bars.", ("", "source"), "source")
CHART: tuple[Parameter[Any], ...] = (*SELECTION, INTERVAL, METRIC, BY)
TOP = whole_number(
    "top",
    "Number of labels that have their own bars, those with most of the metric; the others share theirs, "
    "with `label` null. Default: all.",
    "6",
    remedy="Give the number of labels with their own bars, such as top=6, or leave it out.",
    least=0,
    most=MAX_TOP,
)
COMPARE = text(
    "compare",
    "Comparison: `previous`, `day`, `week`, `source:<slug>` or `model:<id>`.",
    "week",
    {**text_schema(), "pattern": _COMPARE_PATTERN},
)
PAGE_LIMIT = page_limit(24, MAX_PAGE_FRAMES)
SOURCE_OF_GAP = text("source", "The source, by its slug or its name.", "gate", required=True)
AT = text("at", "A moment without footage, ISO 8601 or milliseconds.", "2024-05-01T08:00:00Z", required=True)


class Zone(NamedTuple):
    """A time zone and its IANA name."""

    name: str
    tzinfo: datetime.tzinfo


class Selection(NamedTuple):
    """The selection of a query.

    Attributes:
        model: The requested model; None for the newest.
        labels: The requested labels; empty for all.
        sources: The requested sources; empty for all.
        from_ms: First event time, inclusive; None leaves that end open.
        to_ms: Last event time, exclusive; None leaves that end open.
        zone: Time zone of bars, and of times without an offset.
        base_s: Seconds of the stored interval to read; None to choose one automatically.
        times: Hours and weekdays of `zone` that are counted.
        within: Name of the zone of the picture to which it is limited; None for the whole picture.
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
    """The form of a chart: bars of `interval_s` seconds (automatic if None), labels ordered by `metric`.

    `top` is the number of labels with separate bars, the others being merged; None for all.
    """

    selection: Selection
    interval_s: int | None = None
    metric: AskedMetric = "detections"
    by_source: bool = False
    top: int | None = None


class GapQuery(NamedTuple):
    """The gap in question: of the one source of `selection`, whose range is a day around `at_ms`."""

    selection: Selection
    at_ms: int


def read_selection(args: Args, settings: Settings) -> Selection:
    """Read model, labels, sources, range and time zone of a query.

    Raises:
        Problem: 400 if a parameter is not valid, or the range is empty.
    """
    zone = read_zone(args, settings)
    from_ms, to_ms = read_moment(args, FROM, zone.tzinfo), read_moment(args, TO, zone.tzinfo)
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        raise bad_parameter("to", ENDS_TOO_EARLY[0], remedy=ENDS_TOO_EARLY[1])
    return Selection(
        MODEL.read(args),
        LABEL.read(args),
        SOURCE.read(args),
        from_ms,
        to_ms,
        zone,
        BASE.read(args),
        ChosenTimes(HOURS.read(args), WEEKDAYS.read(args)),
        read_one(args, "zone"),
    )


def read_chart(args: Args, settings: Settings) -> ChartQuery:
    """Read the form of a chart. Raises as `read_selection` does."""
    return ChartQuery(
        read_selection(args, settings),
        INTERVAL.read(args),
        METRIC.read(args),
        BY.read(args) == "source",
        TOP.read(args),
    )


def read_compare(args: Args) -> str | None:
    """Read the comparison of a chart; None if it has none.

    Raises:
        Problem: 400 if there is no such comparison.
    """
    text = COMPARE.read(args)
    if text is not None and not re.fullmatch(_COMPARE_PATTERN, text, re.DOTALL):
        raise bad_parameter(
            "compare",
            f"compare={shortened(text)!r} is not a valid comparison.",
            remedy="Use previous, day, week, source:<slug> or model:<id>.",
        )
    return text


def read_gap(args: Args, settings: Settings) -> GapQuery:
    """Read the source and the time of a question about a gap.

    Raises:
        Problem: 400 by the rules of the other readers, or if one of the two is absent.
    """
    zone = read_zone(args, settings)
    source, at_ms = SOURCE_OF_GAP.read(args), read_moment(args, AT, zone.tzinfo)
    for name, value, example in (("source", source, "gate"), ("at", at_ms, "2024-05-01T08:00:00Z")):
        if value is None:
            raise bad_parameter(name, f"{name} is missing.", remedy=f"Give one, such as {name}={example}.")
    around = (max((at_ms or 0) - DAY_MS, FIRST_MS), min((at_ms or 0) + DAY_MS, NEXT_MS))
    selection = Selection(MODEL.read(args), [], [slug(source or "")], *around, zone)
    return GapQuery(selection._replace(within=read_one(args, "zone")), at_ms or 0)


def read_zone(args: Args, settings: Settings) -> Zone:
    """Read the requested time zone, or the deployment's.

    Raises:
        Problem: 400 if there is no such zone.
    """
    name = TIMEZONE.read(args)
    if name is None:
        name = settings.timezone
    if name == "UTC":
        return Zone(name, datetime.UTC)
    try:
        return Zone(name, zoneinfo.ZoneInfo(known_timezone(name)))
    except ValueError as error:
        raise bad_parameter(
            "timezone",
            f"timezone={shortened(name)!r} is not an IANA time zone.",
            remedy="Use a zone such as UTC, Europe/Berlin or Asia/Kolkata, or leave it out.",
        ) from error


def read_moment(args: Args, moment: Parameter[str | None], zone: datetime.tzinfo) -> int | None:
    """Read an end of a range, in milliseconds: digits alone are milliseconds, anything else is ISO 8601.

    A time without an offset is in `zone`; a time before or after all event times is set to their limit.

    Raises:
        Problem: 400 if it is neither, or outside the years 1 to 9999.
    """
    name, text = moment.name, moment.read(args)
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
                f"{name}={shortened(text)!r} is not a time.",
                remedy="Write ISO 8601, such as 2024-05-01T08:00:00Z, or milliseconds since 1970.",
            ) from error
    try:
        return event_bound_ms(moment_ms)
    except ValueError as error:
        raise bad_parameter(
            name, f"{name}={shortened(text)!r} is out of range.", remedy="Use a time in the years 1 to 9999."
        ) from error
