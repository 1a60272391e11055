"""Defines the retention policy, one record in the store, and changes it in one step each."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar

import msgspec

from frametally import keys
from frametally.errors import Misconfigured
from frametally.media.manifests import change_record, find_record
from frametally.ports.object_store import ObjectStore
from frametally.records import SealedRecord
from frametally.rules.times import HOUR_MS, HOUR_S, utc, utc_range

FRAMES, THINNING = "frames", "thinning"
LEAST_MS = HOUR_MS
"""The shortest age: before that, consumers and counting may still need a frame."""
_STALE_MS = HOUR_MS
MOST_NAME_CHARACTERS, MOST_NOTE_CHARACTERS = 100, 200
ONE_LINE = r"^[^\u0000-\u001f]*$"
"""Pattern of names and notes of holds: a page and a message show each in one line."""


class RetentionRule(msgspec.Struct, frozen=True, kw_only=True):
    """When data of one kind is removed; at least one of `after_ms` and `most_bytes` is set.

    Attributes:
        kind: `frames`, `thinning`, or a kind of a plug-in.
        source: Slug of its source; empty means all sources that do not have their own rule.
        after_ms: Age at which data is removed; None if the rule has no age.
        most_bytes: Size up to which the newest data of each source stays; None if the rule has no size.
        interval_s: For thinning, the length of the intervals in seconds; otherwise 0.
        frames: For thinning, how many frames of each interval stay in addition to the proof; otherwise 0.
    """

    kind: str
    source: str = ""
    after_ms: int | None = None
    most_bytes: int | None = None
    interval_s: int = 0
    frames: int = 0


class LegalHold(msgspec.Struct, frozen=True, kw_only=True):
    """Data that stays whatever the rules say.

    Attributes:
        source: Slug; empty means all sources.
        from_ms: Event time at which it begins; None means no limit.
        to_ms: Event time at which it ends, exclusive; None means no limit.
        note: The reason, in the words of the person who set it.
    """

    name: str
    source: str = ""
    from_ms: int | None = None
    to_ms: int | None = None
    note: str = ""
    set_at_ms: int

    def touches(self, source: str, from_ms: int | None, to_ms: int | None) -> bool:
        """Return whether it may hold data of a source in `[from_ms, to_ms]`; None is an unknown end."""
        return (
            self.source in ("", source)
            and (self.to_ms is None or from_ms is None or from_ms < self.to_ms)
            and (self.from_ms is None or to_ms is None or to_ms >= self.from_ms)
        )


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """A range of frames that a process is removing now; it stays if the process is killed."""

    id: str
    source: str
    from_ms: int
    to_ms: int
    since_ms: int


class RemovedKind(msgspec.Struct, frozen=True, kw_only=True):
    """How much data of one kind and source is removed, or was removed."""

    kind: str
    source: str
    items: int
    size_bytes: int


class RetentionPolicy(SealedRecord, frozen=True, kw_only=True):
    """The policy (`retention/policy.json`), and what its last round removed.

    Attributes:
        removals: Removals in progress.
        applied_at_ms: When the last round ended, by the clock of its machine; None if there was none.
        removed: What the last round removed.
    """

    rules: tuple[RetentionRule, ...] = ()
    holds: tuple[LegalHold, ...] = ()
    removals: tuple[Removal, ...] = ()
    applied_at_ms: int | None = None
    removed: tuple[RemovedKind, ...] = ()

    remedy: ClassVar[str] = "restore it from a backup, or delete it and set the rules and holds again"

    @property
    def key(self) -> str:  # noqa: D102
        return keys.RETENTION_POLICY

    def rule_for(self, kind: str, source: str) -> RetentionRule | None:
        """Return the rule for a kind and source: the source's own, or else the one of all sources."""
        by_source = {rule.source: rule for rule in self.rules if rule.kind == kind}
        return by_source.get(source, by_source.get(""))

    def holds_of(self, source: str, from_ms: int | None, to_ms: int | None) -> list[LegalHold]:
        """Return the holds that touch a range of a source; see `LegalHold.touches`."""
        return [hold for hold in self.holds if hold.touches(source, from_ms, to_ms)]


def read_policy(store: ObjectStore) -> RetentionPolicy:
    """Return the policy; an empty policy if none was set. Raises `Poison` if it is damaged."""
    return find_record(store, keys.RETENTION_POLICY, RetentionPolicy) or RetentionPolicy()


def change_policy(
    store: ObjectStore, change: Callable[[RetentionPolicy], RetentionPolicy]
) -> RetentionPolicy:
    """Replace the policy by the result of `change`, which may be called several times; return it."""
    return change_record(store, RetentionPolicy(), change)


def check_rule(rule: RetentionRule) -> RetentionRule:
    """Return the rule. Raises `Misconfigured` if it would keep nothing, or does not say when."""
    if rule.after_ms is None and rule.most_bytes is None:
        raise Misconfigured(
            "the rule does not say when to remove data",
            "give an age, such as --after 30d, or a size, such as --most 500GB",
        )
    if rule.after_ms is not None and rule.after_ms < LEAST_MS:
        raise Misconfigured(
            "the age is less than an hour, so this rule would keep nothing: the consumer and counting need "
            "that time",
            "give at least an hour",
        )
    if rule.most_bytes is not None and rule.most_bytes <= 0:
        raise Misconfigured("the size is 0, so this rule would keep nothing", "give a size such as 500GB")
    if rule.kind == THINNING:
        if rule.after_ms is None or rule.most_bytes is not None:
            raise Misconfigured("thinning goes by age alone", "give an age, and no size")
        if rule.frames < 0 or not 60 <= rule.interval_s <= HOUR_S or HOUR_S % rule.interval_s:
            raise Misconfigured(
                "thinning keeps frames of intervals that divide an hour",
                "give an interval from 1m to 1h, such as 15m, and 0 frames or more",
            )
    elif rule.interval_s or rule.frames:
        raise Misconfigured("only thinning has an interval and frames", "give neither for this kind of data")
    return rule


def with_rule(policy: RetentionPolicy, rule: RetentionRule) -> RetentionPolicy:
    """Return the policy with a rule instead of its rule of that kind and source. Raises as `check_rule`."""
    check_rule(rule)
    rules = sorted(
        [*_without(policy.rules, rule.kind, rule.source), rule], key=lambda rule: (rule.kind, rule.source)
    )
    return msgspec.structs.replace(policy, rules=tuple(rules))


def without_rule(policy: RetentionPolicy, kind: str, source: str) -> RetentionPolicy:
    """Return the policy without the rule of a kind and source. Raises `Misconfigured` if it has none."""
    left = _without(policy.rules, kind, source)
    if len(left) == len(policy.rules):
        raise Misconfigured(
            f"there is no rule for {kind} of {source or 'all sources'}",
            "`frametally retention show` lists the rules",
        )
    return msgspec.structs.replace(policy, rules=left)


def set_rule(store: ObjectStore, rule: RetentionRule) -> RetentionPolicy:
    """Set a rule in the store's policy; see `with_rule`."""
    return change_policy(store, lambda policy: with_rule(policy, rule))


def drop_rule(store: ObjectStore, kind: str, source: str) -> RetentionPolicy:
    """Remove a rule from the store's policy; see `without_rule`."""
    return change_policy(store, lambda policy: without_rule(policy, kind, source))


def _without(rules: tuple[RetentionRule, ...], kind: str, source: str) -> tuple[RetentionRule, ...]:
    return tuple(rule for rule in rules if (rule.kind, rule.source) != (kind, source))


def put_hold(store: ObjectStore, hold: LegalHold) -> list[Removal]:
    """Record a hold; return removals in progress in its range, whose frames may be gone already.

    From then on, every removal that begins respects it.

    Raises:
        Misconfigured: There is a hold of that name, its range is empty, or its name or note is too long, has
            line breaks, or is missing.
    """
    _check_texts(hold)
    if hold.from_ms is not None and hold.to_ms is not None and hold.from_ms >= hold.to_ms:
        raise Misconfigured(
            f"the hold {hold.name!r} ends before it begins", "give an end later than the start"
        )

    def change(policy: RetentionPolicy) -> RetentionPolicy:
        if any(earlier.name == hold.name for earlier in policy.holds):
            raise Misconfigured(
                f"there is already a hold named {hold.name!r}", "release it first, or choose another name"
            )
        return msgspec.structs.replace(policy, holds=(*policy.holds, hold))

    after = change_policy(store, change)
    return [
        removal
        for removal in after.removals
        if removal.since_ms > hold.set_at_ms - _STALE_MS
        and hold.touches(removal.source, removal.from_ms, removal.to_ms)
    ]


def _check_texts(hold: LegalHold) -> None:
    limits = {"name": (hold.name, MOST_NAME_CHARACTERS), "note": (hold.note, MOST_NOTE_CHARACTERS)}
    for field, (text, most) in limits.items():
        if len(text) > most or re.fullmatch(ONE_LINE, text) is None:
            raise Misconfigured(
                f"the {field} of the hold is not one line of at most {most} characters", "shorten it"
            )
    if not hold.name.strip():
        raise Misconfigured("the hold has no name", "give it one, such as a case number")


def release_hold(store: ObjectStore, name: str) -> RetentionPolicy:
    """Remove a hold. Raises `Misconfigured` if no hold has that name."""

    def change(policy: RetentionPolicy) -> RetentionPolicy:
        left = tuple(hold for hold in policy.holds if hold.name != name)
        if len(left) == len(policy.holds):
            raise Misconfigured(
                f"there is no hold named {name!r}", "`frametally retention show` lists the holds"
            )
        return msgspec.structs.replace(policy, holds=left)

    return change_policy(store, change)


def begin_removal(store: ObjectStore, removal: Removal) -> RetentionPolicy:
    """Record the range that a process is about to remove, instead of its previous one; return the policy.

    The caller removes only what this policy allows. Removals of killed processes go after an hour.
    """
    return change_policy(
        store,
        lambda policy: msgspec.structs.replace(
            policy,
            removals=(
                *(
                    other
                    for other in policy.removals
                    if other.id != removal.id and other.since_ms > removal.since_ms - _STALE_MS
                ),
                removal,
            ),
        ),
    )


def end_round(store: ObjectStore, id: str, now_ms: int, removed: tuple[RemovedKind, ...]) -> RetentionPolicy:
    """Record that a process has nothing left to remove."""
    return change_policy(
        store,
        lambda policy: msgspec.structs.replace(
            policy,
            removals=tuple(other for other in policy.removals if other.id != id),
            applied_at_ms=now_ms,
            removed=removed,
        ),
    )


def applied(policy: RetentionPolicy) -> str:
    """Return when the last round ended, as text."""
    return "never applied" if policy.applied_at_ms is None else f"applied {utc(policy.applied_at_ms)}"


def in_words(hold: LegalHold) -> str:
    """Return what a hold keeps, as text."""
    source = hold.source or "all sources"
    if hold.from_ms is not None and hold.to_ms is not None:
        return f"{source}, {utc_range(hold.from_ms, hold.to_ms)}"
    ends = [("from", hold.from_ms), ("until", hold.to_ms)]
    return ", ".join([source, *(f"{word} {utc(ms)}" for word, ms in ends if ms is not None)])
