"""Defines the API's answer about retention."""

from __future__ import annotations

from frametally_web.requests.answers import Answer


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
