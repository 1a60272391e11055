"""The answers about alerts, and what is sent to add a rule."""

from __future__ import annotations

from typing import Literal

import msgspec

from frametally.rules.clocks.turns import Every
from frametally_alerts.channels.channel_urls import AlertChannel
from frametally_alerts.channels.wording import subject_of
from frametally_alerts.rules import AlertMessage, AlertRule, Direction, Measure, What
from frametally_alerts.scheduled_report import ScheduledReport
from frametally_web.requests.answers import Answer


class ToldRule(Answer, frozen=True, kw_only=True):
    """A rule.

    Attributes:
        name: Its name, which is its own.
        what: What it looks at.
        channels: Names of the channels that tell it.
        threshold: Told where a value is this or more; null where the rule has none.
        below: Told where a value is less than that.
        measure: Of counts.
        interval_s: Length of the intervals.
        duration_s: How long it has to last; 0: one interval.
        sources: Slugs; none: all, each by itself.
        labels: None: all together.
        line: Of crossings.
        direction: Of crossings.
        zone: Of occupancy.
        model: Whose counts; empty: those published last.
        since_ms: Event time before which nothing is told.
        silent: Why it may stay silent as things stand, a line each; none: nothing is known that keeps it
            from it.
    """

    name: str
    what: What
    channels: list[str]
    threshold: float | None
    below: bool
    measure: Measure
    interval_s: int
    duration_s: int
    sources: list[str]
    labels: list[str]
    line: str
    direction: Direction
    zone: str
    model: str
    since_ms: int
    silent: list[str]


class ToldChannel(Answer, frozen=True, kw_only=True):
    """A way by which alerts are told.

    Attributes:
        name: As rules name it.
        kind: Of what kind.
        place: Where it leads, without what is secret.
        waiting: How many messages wait.
    """

    name: str
    kind: str
    place: str
    waiting: int


class ToldReport(Answer, frozen=True, kw_only=True):
    """A report that is made every so often.

    Attributes:
        name: Its name, which is its own.
        every: `day`, a day of the week, or `month`: on which days.
        at: When on these, by local clocks.
        zone: Whose clocks.
        sources: Slugs; none: all.
        labels: None: all.
        by_source: Whether its rows are of each source for itself.
        interval_s: Length of a row; null: chosen.
        model: Whose counts; empty: those published last.
        channels: Names of the channels that tell it; none: it is in the store alone.
        last_day: The local day of its last turn, where that was made; else null.
    """

    name: str
    every: Every
    at: str
    zone: str
    sources: list[str]
    labels: list[str]
    by_source: bool
    interval_s: int | None
    model: str
    channels: list[str]
    last_day: str | None


class ToldMessage(Answer, frozen=True, kw_only=True):
    """An alert on its way through one channel.

    Attributes:
        id: Names it.
        key: Of the alert: the same in every correction.
        revision: 1, and one more with each correction.
        rule: Name of its rule.
        channel: Name of its channel.
        text: What it says.
        source: Slug; empty: of none.
        label: Empty: of none, or of all together.
        start_ms: Start of the interval, event time.
        end_ms: Its end; null: it has none.
        value: What was measured; null where nothing is.
        withdrawn: Whether it takes back what was told.
        state: `queued`, `sent` or `failed`.
        attempts: How often its sending was begun.
        reason: Why it was not sent; null where nothing went wrong.
        created_at_ms: When it was put into the outbox.
    """

    id: str
    key: str
    revision: int
    rule: str
    channel: str
    text: str
    source: str
    label: str
    start_ms: int
    end_ms: int | None
    value: float | None
    withdrawn: bool
    state: Literal["queued", "sent", "failed"]
    attempts: int
    reason: str | None
    created_at_ms: int


class Alerts(Answer, frozen=True, kw_only=True):
    """`/api/alerts`: rules, channels, and what was told, the newest first.

    Attributes:
        rules: All, by name.
        channels: All that are set, by name.
        reports: All that are scheduled, by name.
        source_names: How each source that these name is written, by slug, where that is known.
        messages: A page of them.
        next: `before` of the next page; 0 at the end.
        changes_allowed: Whether rules and reports may be added and removed here.
        remedy: What to do where they may not; null where they may.
    """

    rules: list[ToldRule]
    channels: list[ToldChannel]
    reports: list[ToldReport]
    source_names: dict[str, str]
    messages: list[ToldMessage]
    next: int
    changes_allowed: bool
    remedy: str | None


class RuleWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule that is to be added.

    Attributes:
        name: Its name.
        what: What it looks at.
        channels: Names of the channels that tell it.
        threshold: Told where a value is this or more.
        below: Told where a value is less than that.
        measure: Of counts.
        interval: Length of the intervals, such as `15m`.
        lasting: How long it has to last, such as `1h`; empty: one interval.
        sources: Names or slugs; none: all.
        labels: None: all together.
        line: Of crossings.
        direction: Of crossings.
        zone: Of occupancy.
        model: Whose counts; empty: those published last.
        since_ms: Event time before which nothing is told; null: now.
    """

    name: str
    what: What
    channels: list[str]
    threshold: float | None = None
    below: bool = False
    measure: Measure = "detections"
    interval: str = "15m"
    lasting: str = ""
    sources: list[str] = []
    labels: list[str] = []
    line: str = ""
    direction: Direction = "both"
    zone: str = ""
    model: str = ""
    since_ms: int | None = None


class ReportWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A report that is to be made every so often, of the day, week or month that is over.

    Attributes:
        name: Its name, of a-z, 0-9, - and _.
        every: On which days.
        at: When on these, by the clocks of `zone`, such as `07:00`.
        zone: Name of a time zone; null: that of the server's days.
        sources: Names or slugs; none: all.
        labels: None: all.
        by_source: Whether its rows are of each source for itself.
        interval_s: Length of a row; null: chosen.
        model: Whose counts; empty: those published last.
        channels: Names of the channels that tell it; none: it is put into the store alone.
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


def rule_of(rule: AlertRule, silent: list[str]) -> ToldRule:
    """Return a rule as it is answered."""
    return msgspec.convert({**msgspec.to_builtins(rule), "silent": silent}, ToldRule)


def channel_of(channel: AlertChannel, waiting: int) -> ToldChannel:
    """Return a channel as it is answered: nothing of it that is secret."""
    return ToldChannel(name=channel.name, kind=channel.kind, place=channel.place, waiting=waiting)


def report_of(report: ScheduledReport, last_day: str | None) -> ToldReport:
    """Return a report as it is answered."""
    return ToldReport(
        name=report.name,
        every=report.every,
        at=report.clock,
        zone=report.zone,
        sources=[*report.sources],
        labels=[*report.labels],
        by_source=report.by_source,
        interval_s=report.interval_s,
        model=report.model,
        channels=[*report.channels],
        last_day=last_day,
    )


def message_of(message: AlertMessage) -> ToldMessage:
    """Return a message as it is answered."""
    alert = message.alert
    return ToldMessage(
        id=message.id,
        key=alert.key,
        revision=alert.revision,
        rule=alert.rule,
        channel=message.channel,
        text=subject_of(alert),
        source=alert.source,
        label=alert.label,
        start_ms=alert.start_ms,
        end_ms=alert.end_ms,
        value=alert.value,
        withdrawn=alert.state == "withdrawn",
        state=message.state,
        attempts=message.attempts,
        reason=message.reason,
        created_at_ms=message.created_at_ms,
    )
