"""Makes a rule or a report from a person's input, or explains why it is not valid."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any

import msgspec

from frametally import keys
from frametally.errors import FrametallyError
from frametally.process.period import parse_period_s
from frametally.rules.clocks.turns import EVERY, Every
from frametally.rules.known import Metric
from frametally.rules.times import DAY_S, FIRST_MS, NEXT_MS, known_timezone
from frametally_alerts.rules import BY_BARS, FOR_GOOD, AlertRule, Direction, ScheduledReport, What

MOST_RULES = 500
_NAME = re.compile(r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,98}[^\s\x00-\x1f\x7f])?")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_MOST_NAMES, _LONGEST = 100, 200
_AS_GIVEN = ("name", "what", "threshold", "below", "measure", "line", "direction", "zone", "model", "note")
"""Fields of `RuleWanted` that an `AlertRule` takes unchanged."""


class RuleRefused(FrametallyError):
    """A rule or report is not valid; has the field and the remedy."""

    def __init__(self, field: str, detail: str) -> None:
        """Keep the field; the error's text is one line."""
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail


def mute_end(until_ms: int | None, now_ms: int) -> int:
    """Return the time until which a rule is muted; None means until someone unmutes it.

    Raises `RuleRefused` if that time is not in the future, or is too late.
    """
    until_ms = FOR_GOOD if until_ms is None else until_ms
    if not now_ms < until_ms <= FOR_GOOD:
        raise RuleRefused("until", "give a time in the future, before the year 10000")
    return until_ms


class RuleWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule to add.

    Attributes:
        what: The condition to check.
        channels: Names of the channels that it notifies.
        threshold: It sends an alert where a value is this or more.
        below: It sends an alert where a value is less than `threshold`.
        measure: For counts, the measure.
        interval: Length of the intervals, such as `15m`.
        lasting: How long the condition must last, such as `1h`; empty means one interval.
        sources: Names or slugs; empty means all.
        labels: Labels, counted together; empty means all.
        line: For crossings, the name of the line.
        direction: For crossings, the direction.
        zone: For counts and occupancy, the name of the zone.
        timezone: IANA name of the zone of the intervals; if null, that of the sources, if they share one, or
            the server's.
        model: The model of the counts; empty means the model published last.
        note: A line that each alert contains, such as what the receiver should do; may be empty.
        since_ms: It sends nothing about event times before this; null means now.
    """

    name: str
    what: What
    channels: list[str]
    threshold: float | None = None
    below: bool = False
    measure: Metric = "detections"
    interval: str = "15m"
    lasting: str = ""
    sources: list[str] = []
    labels: list[str] = []
    line: str = ""
    direction: Direction = "both"
    zone: str = ""
    timezone: str | None = None
    model: str = ""
    note: str = ""
    since_ms: int | None = None


class MuteWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a rule sends nothing.

    Attributes:
        until_ms: It sends nothing until then; null means until someone unmutes it; 0 unmutes it.
    """

    until_ms: int | None


class ChannelWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A channel to add.

    Attributes:
        name: Its name, as rules and reports use it.
        url: Its address with all secrets, such as `https://host/hook`; no answer repeats it.
    """

    name: str
    url: str


class ChannelAddress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another address of a channel.

    Attributes:
        url: The whole address; no answer repeats it.
    """

    url: str


class ReportWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scheduled report on the last day, week or month.

    Attributes:
        name: Its name, of a-z, 0-9, - and _.
        every: The days on which it is made.
        at: The time of these days in `zone`, such as `07:00`.
        zone: Name of a time zone; if null, that of the sources, where they share one, else the server's.
        sources: Names or slugs; empty means all.
        labels: If None, all.
        by_source: Whether each source has its own rows.
        interval_s: Length of a row; if null, frametally chooses.
        model: The model of the counts; empty means the model published last.
        channels: Names of the channels that it is sent by; if none, it is only stored.
    """

    name: str
    every: Every
    at: str
    zone: str | None = None
    sources: list[str] = []
    labels: list[str] = []
    by_source: bool = False
    interval_s: int | None = None
    model: str = ""
    channels: list[str] = []


def make_rule(*, known_channels: Container[str], now_ms: int, **fields: Any) -> AlertRule:
    """Return the rule that these fields of `RuleWanted` describe.

    Args:
        known_channels: Names of the configured channels.
        now_ms: The rule ignores earlier event times unless `since_ms` is earlier.
        fields: Fields of `RuleWanted`.

    Raises:
        RuleRefused: The rule is not valid.
    """
    form = RuleWanted(**fields)
    rule = AlertRule(
        **{name: getattr(form, name) for name in _AS_GIVEN},
        channels=tuple(dict.fromkeys(form.channels)),
        interval_s=_period("interval", form.interval),
        timezone=form.timezone or "",
        duration_s=_period("for", form.lasting) if form.lasting else 0,
        sources=tuple(dict.fromkeys(keys.slug(source) for source in form.sources)),
        labels=tuple(dict.fromkeys(form.labels)),
        since_ms=now_ms if form.since_ms is None else form.since_ms,
        made_at_ms=now_ms,
    )
    _check(rule, known_channels)
    return rule


def make_report(*, known_channels: Container[str], now_ms: int, **fields: Any) -> ScheduledReport:
    """Return the report that these fields of `ReportWanted` describe.

    Args:
        known_channels: Names of the configured channels.
        now_ms: Reports that were due earlier are not made.
        fields: Fields of `ReportWanted`, including all without a default.

    Raises:
        RuleRefused: The report is not valid.
    """
    form = ReportWanted(**fields)
    if keys.slug(form.name) != form.name:
        raise RuleRefused("name", "use only a-z, 0-9, - and _, such as weekly-gate")
    if form.every not in EVERY:
        raise RuleRefused("every", f"{form.every[:60]!r} is not one of {', '.join(EVERY)}")
    clock = _CLOCK.fullmatch(form.at)
    if clock is None:
        raise RuleRefused("at", f"{form.at[:60]!r} is not a time of day, such as 07:00")
    zone = form.zone or ""
    try:
        known_timezone(zone)
    except ValueError:
        raise RuleRefused("zone", f"{zone[:60]!r} is not a time zone, such as Europe/Berlin") from None
    report = ScheduledReport(
        name=form.name,
        every=form.every,
        at_minute=int(clock[1]) * 60 + int(clock[2]),
        zone=zone,
        channels=tuple(dict.fromkeys(form.channels)),
        sources=tuple(dict.fromkeys(keys.slug(source) for source in form.sources)),
        labels=tuple(dict.fromkeys(form.labels)),
        by_source=form.by_source,
        interval_s=form.interval_s,
        model=form.model,
        made_at_ms=now_ms,
    )
    _check_channels(report.channels, known_channels)
    for field in ("sources", "labels"):
        _check_names(field, getattr(report, field), lambda name: 0 < len(name) <= _LONGEST)
    if form.interval_s is not None and not 0 < form.interval_s <= 31 * DAY_S:
        raise RuleRefused("interval", "give the length of a row in seconds, up to one month")
    return report


def _check_channels(channels: Iterable[str], known_channels: Container[str]) -> None:
    for channel in channels:
        if channel not in known_channels:
            raise RuleRefused(
                "channels", f"there is no channel named {channel[:60]!r}; choose a configured channel"
            )


def _check_names(field: str, names: Sequence[str], is_name: Callable[[str], bool]) -> None:
    if len(names) > _MOST_NAMES or not all(map(is_name, names)):
        raise RuleRefused(field, f"give at most {_MOST_NAMES} names, each of up to {_LONGEST} characters")


def _check(rule: AlertRule, known_channels: Container[str]) -> None:
    is_in_a_path = "/" in rule.name or not any(map(str.isalnum, rule.name))
    if not _NAME.fullmatch(rule.name) or not rule.name.isprintable() or is_in_a_path:
        raise RuleRefused("name", "use one line of up to 100 characters, with a letter and without /")
    if not rule.channels:
        raise RuleRefused("channels", "choose at least one configured channel")
    _check_channels(rule.channels, known_channels)
    for field in ("sources", "labels"):
        _check_names(field, getattr(rule, field), _is_text)
    for field in ("line", "zone", "model", "note"):
        value = getattr(rule, field)
        if value and not _is_text(value):
            raise RuleRefused(field, f"use one line of up to {_LONGEST} characters")
    if not FIRST_MS <= rule.since_ms < NEXT_MS:
        raise RuleRefused("since", "give a time in the years 1000 to 9999")
    if rule.what in BY_BARS:
        _check_bars(rule)
    elif rule.threshold is not None:
        raise RuleRefused("threshold", f"a rule on {rule.what} does not have this; leave it out")
    if rule.what == "no_footage" and not rule.sources:
        raise RuleRefused("sources", "give the sources that must be filmed")
    if rule.what in ("no_footage", "not_up_to_date") and rule.duration_s < 1:
        raise RuleRefused("for", "give a duration, such as 10m")
    if bool(rule.line) != (rule.what == "crossings"):
        raise RuleRefused("line", "crossings need a line; other rules do not have one")
    if rule.zone and rule.what not in ("count", "occupancy"):
        raise RuleRefused("zone", "only a rule on counts or occupancy has a zone; leave it out")
    try:
        known_timezone(rule.timezone or "UTC")
    except ValueError:
        raise RuleRefused(
            "timezone", f"{rule.timezone[:60]!r} is not a time zone, such as Europe/Berlin"
        ) from None


def _check_bars(rule: AlertRule) -> None:
    if rule.threshold is None or not 0 <= rule.threshold <= 1e12:
        raise RuleRefused("threshold", "give a number of 0 or more")
    if rule.below and rule.threshold == 0:
        raise RuleRefused("threshold", "no value is below 0; give a larger number")
    if DAY_S % rule.interval_s:
        raise RuleRefused("interval", "give an interval that divides a day evenly, such as 1m, 15m, 1h")
    if rule.duration_s % rule.interval_s or rule.duration_s > DAY_S:
        raise RuleRefused("for", f"give a multiple of the interval of {rule.interval_s} s, up to a day")


def _is_text(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and text.isprintable()


def _period(field: str, text: str) -> int:
    try:
        return parse_period_s(field, text)
    except FrametallyError:
        raise RuleRefused(field, f"{text[:60]!r} is not a period of up to a day, such as 15m or 1h") from None
