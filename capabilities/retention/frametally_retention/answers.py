"""Defines the API's answer about retention."""

from __future__ import annotations

from frametally_web.requests.answers import Answer


class KeptRule(Answer, frozen=True, kw_only=True):
    """When data of a kind is removed.

    Attributes:
        kind: `frames`, `thinning`, `originals`, and others.
        source: Slug; empty: all sources without a rule of their own.
        after_ms: Age from which on it is removed; null: not by age.
        most_bytes: The newest so many bytes of each source stay; null: not by size.
        interval_s: Of thinning: length of the intervals; else 0.
        frames: Of thinning: frames that stay of each interval, besides the proof of visits and labels.
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
        source: Slug; empty: all sources.
        from_ms: Event time of its first frame; null: from the beginning.
        to_ms: Its end, exclusive; null: without an end.
        note: Why, in the words of the person who set it.
        set_at_ms: When it was set, by the clock of that machine.
    """

    name: str
    source: str
    from_ms: int | None
    to_ms: int | None
    note: str
    set_at_ms: int


class RemovedData(Answer, frozen=True, kw_only=True):
    """How much of a kind and source the last round removed.

    Attributes:
        kind: As in `KeptRule`.
        source: Slug; empty: it does not belong to a source.
        items: How many.
        size_bytes: Their size in the object store.
    """

    kind: str
    source: str
    items: int
    size_bytes: int


class Retention(Answer, frozen=True, kw_only=True):
    """`/api/retention`: the policy, and what it did last.

    Attributes:
        rules: By kind and source.
        holds: In the order in which they were set.
        applied_at_ms: When the last round ended, by the clock of its machine; null: never.
        removed: What it removed.
    """

    rules: list[KeptRule]
    holds: list[HeldRange]
    applied_at_ms: int | None
    removed: list[RemovedData]
