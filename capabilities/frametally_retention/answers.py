"""Defines the API's answer about retention."""

from __future__ import annotations

from typing import Literal

from frametally.actions.answers import Answer


class KeptRule(Answer, frozen=True, kw_only=True):
    """A rule: when data of a kind is removed.

    Attributes:
        kind: `frames`, `thinning`, `originals`, and others.
        source: Slug; empty means all sources that do not have their own rule.
        after_ms: Age at which data is removed; null if the rule has no age.
        most_bytes: Size up to which the newest data of each source stays; null if the rule has no size.
        interval_s: For thinning, the length of the intervals in seconds; otherwise 0.
        frames: For thinning, how many frames of each interval stay in addition to the proof; otherwise 0.
    """

    kind: str
    source: str
    after_ms: int | None
    most_bytes: int | None
    interval_s: int
    frames: int


class HeldRange(Answer, frozen=True, kw_only=True):
    """A legal hold.

    Attributes:
        source: Slug; empty means all sources.
        from_ms: Event time at which it begins; null means no limit.
        to_ms: Event time at which it ends, exclusive; null means no limit.
        note: The reason, in the words of the person who set it.
        set_at_ms: When it was set, by the clock of that machine.
    """

    name: str
    source: str
    from_ms: int | None
    to_ms: int | None
    note: str
    set_at_ms: int


class RemovedData(Answer, frozen=True, kw_only=True):
    """The data of a kind and source that the last round removed.

    Attributes:
        kind: As in `KeptRule`.
        source: Slug; empty if the data does not belong to a source.
        items: Number of removed frames, videos, reports, messages or dead letters.
        size_bytes: Their total size in the object store.
    """

    kind: str
    source: str
    items: int
    size_bytes: int


class Retention(Answer, frozen=True, kw_only=True):
    """`/api/retention`: the policy, and what its last round removed.

    Attributes:
        rules: The rules, by kind and source.
        holds: The legal holds, in the order in which they were set.
        applied_at_ms: When the last round ended, by the clock of its machine; null if there was none.
        removed: What the last round removed.
    """

    rules: list[KeptRule]
    holds: list[HeldRange]
    applied_at_ms: int | None
    removed: list[RemovedData]


class HoldAnswer(Answer, frozen=True, kw_only=True):
    """The answer to a new hold: ranges of it that were being removed when it was set, which may be gone.

    Attributes:
        being_removed: These ranges; everything else stays.
    """

    being_removed: list[RemovedRange]


class RemovedRange(Answer, frozen=True, kw_only=True):
    """A range of a source.

    Attributes:
        source: Slug; empty if the data does not belong to a source.
        from_ms: Event time of its first frame.
        to_ms: Event time of its last frame.
    """

    source: str
    from_ms: int
    to_ms: int


class PlannedKind(Answer, frozen=True, kw_only=True):
    """The stored data of a kind and source, and how much of it would go.

    Attributes:
        kind: As in `KeptRule`.
        source: Slug; empty if the data does not belong to a source.
        items: How many are stored.
        size_bytes: Their total size in the object store.
        going: How many would go.
        going_bytes: How much that frees in the object store.
    """

    kind: str
    source: str
    items: int
    size_bytes: int
    going: int
    going_bytes: int


class SparedFrames(Answer, frozen=True, kw_only=True):
    """Frames that are old enough to go and would stay.

    Attributes:
        reason: Why they stay.
        frames: How many.
    """

    reason: Literal["held", "of_accuracy_checks", "not_analysed_yet", "not_counted_yet", "unreadable"]
    frames: int


class RetentionPlan(Answer, frozen=True, kw_only=True):
    """`/api/retention/plan`: what all rules together would remove after a change of one; nothing is removed.

    Attributes:
        state: `running`, `done` or `failed`.
        done: How many frames it has looked at.
        kinds: What would go, of each kind with a rule; empty while it runs.
        spared: Frames that would stay, by reason; empty while it runs.
        going_bytes: How much that frees in the object store; null while it runs, and if it failed.
        lines: Sentences for people: why it failed, and what to know of the clocks.
    """

    state: Literal["running", "done", "failed"]
    done: int
    kinds: list[PlannedKind]
    spared: list[SparedFrames]
    going_bytes: int | None
    lines: list[str]
