"""Defines the API's answers about alerts, and converts records to them."""

from __future__ import annotations

from typing import Literal

import msgspec

from frametally.actions.answers import Answer, answer_of
from frametally.rules.clocks.turns import Every
from frametally.rules.known import Metric
from frametally_alerts.channels.channel_kinds import AlertChannel
from frametally_alerts.channels.wording import subject_of
from frametally_alerts.rules import Alert, AlertMessage, AlertRule, Direction, ScheduledReport, What


class ToldRule(Answer, frozen=True, kw_only=True):
    """A rule; its other fields are those of `RuleWanted`.

    Attributes:
        name: Its name, which no other rule has.
        what: The condition that it checks.
        threshold: It sends an alert where a value is this or more; null if the rule does not have one.
        interval_s: Length of the intervals.
        timezone: IANA name of the time zone of the intervals; empty means UTC.
        duration_s: How long the condition must last; 0 means one interval.
        sources: Slugs; empty means all, each on its own.
        since_ms: It sends nothing about event times before this.
        muted_until_ms: It sends nothing until then; if the year 10000, until someone unmutes it; 0 if it is
            not muted.
        silent: Why it may stay silent now, a line for each reason; empty if no reason is known.
    """

    name: str
    what: What
    channels: list[str]
    threshold: float | None
    below: bool
    measure: Metric
    interval_s: int
    timezone: str
    duration_s: int
    sources: list[str]
    labels: list[str]
    line: str
    direction: Direction
    zone: str
    model: str
    note: str
    since_ms: int
    muted_until_ms: int
    silent: list[str]


class WouldBeAlert(Answer, frozen=True, kw_only=True):
    """An alert that a rule would have sent.

    Attributes:
        source_name: The source's name.
        label: Empty for all labels together.
        start_ms: Start of the interval, event time.
        end_ms: Its end; null if it has none.
        value: The measured value; null if there is none.
    """

    source: str
    source_name: str
    label: str
    start_ms: int
    end_ms: int | None
    value: float | None


class TriedInterval(Answer, frozen=True, kw_only=True):
    """An interval of a trial, as the chart has it.

    Attributes:
        source_name: The source's name.
        start_ms: Its start.
        end_ms: Its end, exclusive.
        value: The value that the rule compares.
        fulfils: Whether it fulfils the rule.
    """

    source: str
    source_name: str
    start_ms: int
    end_ms: int
    value: float
    fulfils: bool


class RuleTrial(Answer, frozen=True, kw_only=True):
    """The alerts that a rule would have sent in a range, or the last seven counted days; it stores nothing.

    Attributes:
        from_ms: Start of the whole intervals that it was tried over; null if there are no counts yet, or
            if the rule does not read counts.
        to_ms: Their end.
        interval_s: Length of the intervals, at least the shortest counted one; null if the rule has none.
        total: How many alerts it would have sent.
        alerts: The newest of them.
        tried: Intervals of one source each with a value; 0 where the rule has no intervals.
        fulfilled: How many of them fulfil the rule; it sends an alert where that begins.
        intervals: The newest of them, by source and start.
    """

    from_ms: int | None
    to_ms: int | None
    interval_s: int | None
    total: int
    alerts: list[WouldBeAlert]
    tried: int
    fulfilled: int
    intervals: list[TriedInterval]


class ToldChannel(Answer, frozen=True, kw_only=True):
    """A channel that alerts are sent by.

    Attributes:
        name: Its name, as rules use it.
        kind: Its kind.
        place: Where it leads, without secrets.
        waiting: Number of messages that wait.
        from_settings: Whether the server's settings have it; else an administrator can replace and delete it.
    """

    name: str
    kind: str
    place: str
    waiting: int
    from_settings: bool


class ToldReport(Answer, frozen=True, kw_only=True):
    """A scheduled report; its other fields are those of `ReportWanted`.

    Attributes:
        name: Its name, which no other report has.
        every: `day`, a day of the week, or `month`: the days on which it is made.
        at: The local time of these days.
        zone: The time zone of `at`.
        sources: Slugs; empty means all.
        last_day: The local day of its latest report; null if none was made yet.
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
    """An alert on its way through one channel; its other fields are those of `Alert`.

    Attributes:
        id: Its identifier.
        key: Key of the alert: the same in every correction.
        channel: Name of its channel.
        text: Its text.
        source: Slug; empty if it does not belong to a source.
        label: If empty, no label, or all together.
        start_ms: Start of the interval, event time.
        end_ms: Its end; null if it has none.
        value: The measured value; null if there is none.
        withdrawn: Whether it withdraws an alert that was sent.
        state: `queued`, `sent` or `failed`.
        attempts: Number of attempts to send it.
        reason: Why it was not sent; null if nothing went wrong.
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


class UnsentAlert(Answer, frozen=True, kw_only=True):
    """An alert of a rule without a channel: it was sent to nobody. Its fields are those of `ToldMessage`."""

    key: str
    rule: str
    text: str
    source: str
    label: str
    start_ms: int
    end_ms: int | None
    value: float | None


class AlertMessages(Answer, frozen=True, kw_only=True):
    """`/api/alerts/messages`: sent, waiting and failed alerts, the newest first.

    Attributes:
        messages: A page of messages.
        next: `before` of the next page; 0 at the end.
    """

    messages: list[ToldMessage]
    next: int


class Alerts(AlertMessages, frozen=True, kw_only=True):
    """`/api/alerts`: rules and channels; other fields are those of `AlertMessages`.

    Attributes:
        rules: All, by name.
        channels: All configured ones, by name.
        reports: All scheduled ones, by name.
        source_names: Names of the sources in this answer, by slug, as far as known.
        unsent: The newest alerts of rules that have no channel.
        changes_allowed: Whether you may add and remove rules and reports here.
        remedy: What to do if you may not; null if you may.
    """

    rules: list[ToldRule]
    channels: list[ToldChannel]
    reports: list[ToldReport]
    source_names: dict[str, str]
    unsent: list[UnsentAlert]
    changes_allowed: bool
    remedy: str | None


def rule_of(rule: AlertRule, silent: list[str]) -> ToldRule:
    """Return a rule as in the API's answers."""
    return msgspec.convert({**msgspec.to_builtins(rule), "silent": silent}, ToldRule)


def channel_of(channel: AlertChannel, waiting: int) -> ToldChannel:
    """Return a channel as in the API's answers, without secrets."""
    return answer_of(ToldChannel, (channel,), waiting=waiting)


def unreadable_channel(name: str, waiting: int) -> ToldChannel:
    """Return a channel that frametally cannot decrypt, as in the API's answers."""
    place = "encrypted with another key; replace it"
    return ToldChannel(name=name, kind="unreadable", place=place, waiting=waiting, from_settings=False)


def report_of(report: ScheduledReport, last_day: str | None) -> ToldReport:
    """Return a report as in the API's answers."""
    fields = {**msgspec.to_builtins(report), "at": report.clock, "last_day": last_day}
    return msgspec.convert(fields, ToldReport)


def unsent_alert(alert: Alert) -> UnsentAlert:
    """Return an alert that was sent to nobody, as in the API's answers."""
    return answer_of(UnsentAlert, (alert,), text=subject_of(alert))


def message_of(message: AlertMessage) -> ToldMessage:
    """Return a message as in the API's answers."""
    alert = message.alert
    added_fields = {"text": subject_of(alert), "withdrawn": alert.state == "withdrawn"}
    return msgspec.convert({**msgspec.to_builtins(alert), **message._asdict(), **added_fields}, ToldMessage)
