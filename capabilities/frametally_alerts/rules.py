"""Defines the records of alerts (rules, findings, alerts and messages) and of scheduled reports."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import msgspec

from frametally.rules.clocks.turns import Every
from frametally.rules.known import Metric
from frametally.rules.times import NEXT_MS
from frametally.work.sending import MessageState

What = Literal[
    "count",
    "crossings",
    "occupancy",
    "speed",
    "no_footage",
    "black_or_frozen",
    "not_up_to_date",
    "quality",
    "work_failed",
    "work_finished",
]
"""The condition of a rule: boxes, peaks or objects of the chart; crossings of a line; the most objects at
once, in the picture or in a zone; the speed that 85 % do not exceed; a source that is not filmed; a camera
with a black or frozen picture; a source that is not counted; failed checks of counted days; ended jobs of
videos."""

Direction = Literal["both", "to_right", "to_left"]

WHATS: tuple[What, ...] = get_args(What)
BY_BARS: tuple[What, ...] = ("count", "crossings", "occupancy", "speed")
"""The conditions that compare the values of intervals with a threshold."""


FOR_GOOD = NEXT_MS
"""Mutes a rule until someone unmutes it."""
MOST_WAITING = 10_000
"""Most waiting messages; beyond that, no alert is recorded until some are sent."""


class AlertRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule: when to notify, and by which channels.

    Attributes:
        name: Its name, which no other rule has.
        what: The condition that it checks.
        channels: Names of the channels that it notifies.
        threshold: For `BY_BARS`, the value from which on it sends an alert; None for others.
        below: It sends an alert where a value is less than `threshold`, for intervals that were filmed whole.
        measure: For `count`, the measure.
        interval_s: Length of the intervals, which divides a day; they are those of the chart in `timezone`.
        timezone: IANA name of the time zone; empty means UTC.
        duration_s: How long the condition must last; of `BY_BARS` a multiple of `interval_s`.
        sources: Slugs, each checked on its own; empty means all.
        labels: Classes, counted together; if empty, all. Of `quality` names of checks, of work kinds of jobs.
        line: For `crossings`, the name of the line.
        direction: For `crossings`, the direction.
        zone: For `count` and `occupancy`, the zone; empty means the whole picture.
        model: The model of the counts; empty means the model published last.
        note: A line that each alert contains, such as what the receiver should do; may be empty.
        since_ms: It sends nothing about event times before this.
        made_at_ms: When it was added, by the clock of the program that added it.
        muted_until_ms: It sends nothing until then; `FOR_GOOD` means forever; 0 if it is not muted.
    """

    name: str
    what: What
    channels: tuple[str, ...]
    threshold: float | None = None
    below: bool = False
    measure: Metric = "detections"
    interval_s: int = 900
    timezone: str = ""
    duration_s: int = 0
    sources: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    line: str = ""
    direction: Direction = "both"
    zone: str = ""
    model: str = ""
    note: str = ""
    since_ms: int = 0
    made_at_ms: int = 0
    muted_until_ms: int = 0


class AlertFinding(NamedTuple):
    """A finding of a rule, to be reported.

    Attributes:
        source: Slug, or empty for no source.
        label: As in `AlertRule.labels`, or empty for no label or all together.
        start_ms: Start of the interval, event time.
        end_ms: Its end, or None if it has not ended.
        value: The measured value, or None.
        detail: More information for people, in one line.
        ref: Distinguishes findings of the same source, label and start.
        source_name: The source's name; if empty, its slug is shown.
        timezone: IANA name of the time zone for times in texts; empty for UTC.
    """

    source: str
    label: str
    start_ms: int
    end_ms: int | None = None
    value: float | None = None
    detail: str = ""
    ref: str = ""
    source_name: str = ""
    timezone: str = ""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """The alert on an `AlertFinding`: JSON on the wire, as programs receive it.

    Attributes:
        key: Identifies rule, source, label and interval: the same in every correction.
        revision: 1, increased with each correction.
        state: `told`; `withdrawn` if it no longer applies because footage arrived late or was deleted.
        rule: Name of its rule.
        what: The rule's condition; `report` if a scheduled report is ready.
        earlier_value: In a correction, the value sent before.
        earlier_end_ms: In a correction, the end sent before.
        is_test: Whether a person sent it to test a channel.
        files: For a report, the keys of its files in the store.
        timezone: As in `AlertFinding`.
        note: As in `AlertRule`.
    """

    key: str
    revision: int
    state: Literal["told", "withdrawn"]
    rule: str
    what: What | Literal["report"]
    source: str
    label: str
    start_ms: int
    end_ms: int | None = None
    value: float | None = None
    detail: str = ""
    threshold: float | None = None
    below: bool = False
    earlier_value: float | None = None
    earlier_end_ms: int | None = None
    is_test: bool = False
    files: tuple[str, ...] = ()
    source_name: str = ""
    timezone: str = ""
    note: str = ""


class AlertMessage(NamedTuple):
    """An alert on its way through one channel.

    Attributes:
        id: Hash of alert, revision and channel, so that receivers recognise repetitions.
        state: `queued` until it is sent or given up.
        attempts: Number of attempts so far.
        reason: Why it was not sent yet; None if nothing went wrong.
        created_at_ms: When it was created, by the database's clock.
        ended_at_ms: When it was sent or given up; None before.
    """

    id: str
    channel: str
    alert: Alert
    state: MessageState = "queued"
    attempts: int = 0
    reason: str | None = None
    created_at_ms: int = 0
    ended_at_ms: int | None = None


class AlertBookFull(NamedTuple):
    """Too many messages wait, so no alert is recorded, nor lost, until some are sent."""

    waiting: int


class Scope(NamedTuple):
    """The scope of a rule's check; alerts within it that are not found again are withdrawn.

    Attributes:
        from_ms: First possible start of an alert.
        to_ms: End of the possible starts, exclusive.
        sources: Slugs of its sources; None for all.
    """

    from_ms: int
    to_ms: int
    sources: Sequence[str] | None = None

    def has(self, alert: Alert) -> bool:
        """Return whether an alert is within it."""
        is_theirs = self.sources is None or alert.source in self.sources
        return is_theirs and self.from_ms <= alert.start_ms < self.to_ms


def key_of(rule: AlertRule, finding: AlertFinding) -> str:
    """Return the key of an alert."""
    identity = finding.source, finding.label, str(finding.start_ms), finding.ref
    parts = (rule.name, str(rule.made_at_ms), *identity)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def message_id(alert: Alert, channel: str) -> str:
    """Return the id of the message that sends a revision of an alert by a channel."""
    text = f"{alert.key}\0{alert.revision}\0{channel}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def alert_of(rule: AlertRule, finding: AlertFinding, earlier: Alert | None) -> Alert | None:
    """Return the alert for a finding, or None if `earlier` already reports the same."""
    content = finding.end_ms, finding.value, finding.detail
    if earlier is not None and earlier.state == "told" and content_of(earlier) == content:
        return None
    fields = finding._asdict()
    del fields["ref"]
    return Alert(
        key=key_of(rule, finding),
        revision=1 if earlier is None else earlier.revision + 1,
        state="told",
        rule=rule.name,
        what=rule.what,
        threshold=rule.threshold,
        below=rule.below,
        note=rule.note,
        earlier_value=None if earlier is None else earlier.value,
        earlier_end_ms=None if earlier is None else earlier.end_ms,
        **fields,
    )


def withdrawn(alert: Alert) -> Alert:
    """Return the correction that withdraws an alert."""
    return msgspec.structs.replace(
        alert,
        revision=alert.revision + 1,
        state="withdrawn",
        earlier_value=alert.value,
        earlier_end_ms=alert.end_ms,
    )


def content_of(alert: Alert) -> tuple[int | None, float | None, str]:
    """Return the part of an alert that is compared with a new finding."""
    return alert.end_ms, alert.value, alert.detail


PREFIX = "report/"
"""Prefix of the report's name in an alert's `rule`; no rule's name has a `/`."""


class ScheduledReport(msgspec.Struct, frozen=True, kw_only=True):
    """A scheduled report on the last day, week or month.

    Attributes:
        name: Its name, a slug, which no other report has.
        at_minute: Minute of the day in `zone`.
        zone: Name of a time zone (IANA).
        channels: Names of the channels that it is sent by; if none, it is only stored.
        by_source: Whether each source has its own rows.
        interval_s: Length of a row; if None, frametally chooses.
        model: The model of the counts; empty means the model published last.
        made_at_ms: When it was added: reports that were due earlier are not made.
    """

    name: str
    every: Every
    at_minute: int
    zone: str
    channels: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    by_source: bool = False
    interval_s: int | None = None
    model: str = ""
    made_at_ms: int = 0

    @property
    def rule(self) -> str:
        """The value of `rule` in its alerts."""
        return f"{PREFIX}{self.name}"

    @property
    def clock(self) -> str:
        """Its time of the day, such as `07:00`."""
        return f"{self.at_minute // 60:02}:{self.at_minute % 60:02}"


def turn_key(report: ScheduledReport, day: datetime.date) -> str:
    """Return the key of the alert for a report's turn, one for each local day."""
    parts = (report.rule, str(report.made_at_ms), day.isoformat())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
