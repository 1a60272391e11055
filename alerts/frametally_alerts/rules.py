"""Records of alerts: rules, what they find, what was told of it; and the book that keeps them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import msgspec

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
"""What a rule looks at: boxes, peaks or objects of the chart; who crossed a line; the most at once, in the
picture or in a zone; the speed that 85 % do not exceed; a source that is not filmed; a camera whose picture
is black or frozen; a source that is not counted; checks of counted days that did not pass; jobs of videos
that ended."""

Measure = Literal["detections", "peak", "objects"]
Direction = Literal["both", "to_right", "to_left"]

WHATS: tuple[What, ...] = get_args(What)
BY_BARS: tuple[What, ...] = ("count", "crossings", "occupancy", "speed")
"""Those that compare the values of intervals with a threshold."""


class AlertRule(msgspec.Struct, frozen=True, kw_only=True):
    """What people want to be told of.

    Attributes:
        name: Its name, which is its own.
        what: What it looks at.
        channels: Names of the channels that tell it.
        threshold: Of `BY_BARS`: told where a value is this or more; None for the others.
        below: Told where a value is less than `threshold`, of intervals that were filmed as a whole.
        measure: Of `count`.
        interval_s: Length of the intervals, which divides a day; they begin where those of UTC do.
        duration_s: How long it has to last; of `BY_BARS` a multiple of `interval_s`.
        sources: Slugs, each told by itself; empty: all.
        labels: Classes, each told by itself; empty: all together. Of `quality` names of checks, of work kinds
            of jobs.
        line: Of `crossings`.
        direction: Likewise.
        zone: Of `occupancy`; empty: the whole picture.
        model: Whose counts; empty: those that were published last.
        since_ms: Event time before which nothing is told.
        made_at_ms: When it was added, by the clock of whoever added it.
    """

    name: str
    what: What
    channels: tuple[str, ...]
    threshold: float | None = None
    below: bool = False
    measure: Measure = "detections"
    interval_s: int = 900
    duration_s: int = 0
    sources: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    line: str = ""
    direction: Direction = "both"
    zone: str = ""
    model: str = ""
    since_ms: int = 0
    made_at_ms: int = 0


class AlertFinding(NamedTuple):
    """Something that a rule is to tell.

    Attributes:
        source: Slug; empty: of none.
        label: As in `AlertRule.labels`; empty: of none, or of all together.
        start_ms: Start of the interval, event time.
        end_ms: Its end; None: it has none yet.
        value: What was measured; None where nothing is.
        detail: More, for people; one line.
        ref: Tells two of the same source, label and start apart.
        source_name: The source as it is written; empty: by its slug.
    """

    source: str
    label: str
    start_ms: int
    end_ms: int | None = None
    value: float | None = None
    detail: str = ""
    ref: str = ""
    source_name: str = ""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a finding: JSON on the wire, as programs receive it.

    Attributes:
        key: Names rule, source, label and interval: the same in every correction.
        revision: 1, and one more with each correction.
        state: `told`; `withdrawn`: it is not so (any more), by footage that came late or was forgotten.
        rule: Its name.
        what: What the rule looks at; `report`: that a scheduled report is made.
        threshold: Of the rule.
        below: Of the rule.
        source: As in `AlertFinding`.
        label: As in `AlertFinding`.
        start_ms: As in `AlertFinding`.
        end_ms: As in `AlertFinding`.
        value: As in `AlertFinding`.
        detail: As in `AlertFinding`.
        earlier_value: Of a correction, what was told before.
        earlier_end_ms: Likewise.
        is_test: Whether a person asked for it, to see whether a channel works.
        files: Of a report, the keys in the store of what it consists of.
        source_name: As in `AlertFinding`.
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


class AlertMessage(NamedTuple):
    """An alert on its way through one channel.

    Attributes:
        id: By hash of alert, revision and channel: whoever gets it twice can tell.
        channel: Name.
        alert: What it tells.
        state: `queued` until it is sent, or given up.
        attempts: How often its sending was begun.
        reason: Why it was not sent yet; None where nothing went wrong.
        created_at_ms: By the database's clock.
        ended_at_ms: When it was sent or given up; None before.
    """

    id: str
    channel: str
    alert: Alert
    state: Literal["queued", "sent", "failed"] = "queued"
    attempts: int = 0
    reason: str | None = None
    created_at_ms: int = 0
    ended_at_ms: int | None = None


class AlertBookFull(NamedTuple):
    """That so many messages wait that no more are put: nothing is told, nor lost, until some are sent."""

    waiting: int


class Scope(NamedTuple):
    """What a rule has looked at: alerts within it that are not found again are withdrawn.

    Attributes:
        from_ms: First start.
        to_ms: End of the starts, not among them.
        sources: Only of these; None: of all.
    """

    from_ms: int
    to_ms: int
    sources: Sequence[str] | None = None


def key_of(rule: AlertRule, finding: AlertFinding) -> str:
    """Return the key of an alert."""
    parts = (
        rule.name,
        str(rule.made_at_ms),
        finding.source,
        finding.label,
        str(finding.start_ms),
        finding.ref,
    )
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def message_id(alert: Alert, channel: str) -> str:
    """Return the id of the message that tells a revision of an alert by a channel."""
    text = f"{alert.key}\0{alert.revision}\0{channel}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def alert_of(rule: AlertRule, finding: AlertFinding, earlier: Alert | None) -> Alert | None:
    """Return what is to be told of a finding; None where `earlier` has told just that."""
    if (
        earlier is not None
        and earlier.state == "told"
        and said(earlier)
        == (
            finding.end_ms,
            finding.value,
            finding.detail,
        )
    ):
        return None
    return Alert(
        key=key_of(rule, finding),
        revision=1 if earlier is None else earlier.revision + 1,
        state="told",
        rule=rule.name,
        what=rule.what,
        source=finding.source,
        source_name=finding.source_name,
        label=finding.label,
        start_ms=finding.start_ms,
        end_ms=finding.end_ms,
        value=finding.value,
        detail=finding.detail,
        threshold=rule.threshold,
        below=rule.below,
        earlier_value=None if earlier is None else earlier.value,
        earlier_end_ms=None if earlier is None else earlier.end_ms,
    )


def withdrawn(alert: Alert) -> Alert:
    """Return the correction that takes an alert back."""
    return msgspec.structs.replace(
        alert,
        revision=alert.revision + 1,
        state="withdrawn",
        earlier_value=alert.value,
        earlier_end_ms=alert.end_ms,
    )


def said(alert: Alert) -> tuple[int | None, float | None, str]:
    """Return what of an alert is compared with what is found anew."""
    return alert.end_ms, alert.value, alert.detail
