"""Lets holds and rules follow footage that is renamed or retimed, as second ones; the first stay."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from frametally.media.corrections import begins_at
from frametally.ports.object_store import ObjectStore
from frametally.records import MediaManifest
from frametally_retention.policy import (
    LegalHold,
    RetentionPolicy,
    change_policy,
    read_policy,
    with_rule,
)


def follow_source(store: ObjectStore, old: str, new: str, *, is_new: bool) -> None:
    """Hold the same ranges of source `new` (a slug) as of `old`, and give a new source the rules of `old`.

    Raises as `change_policy`.
    """
    if is_new:
        _add_rules(store, old, new)
    _add(
        store,
        lambda policy: [
            msgspec.structs.replace(hold, name=f"{hold.name} ({new})", source=new)
            for hold in policy.holds
            if hold.source == old
        ],
    )


def follow_medium(store: ObjectStore, manifest: MediaManifest, start_ms: int) -> None:
    """Hold a medium, given as it was, where it begins now if it was held. Raises as `change_policy`."""
    first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
    if first_ms is None or last_ms is None:
        return
    shift_ms = start_ms - begins_at(manifest)
    _add(
        store,
        lambda policy: [
            msgspec.structs.replace(
                hold,
                name=f"{hold.name} ({manifest.sha256[:12]})",
                source=manifest.source,
                from_ms=first_ms + shift_ms,
                to_ms=last_ms + shift_ms + 1,
            )
            for hold in policy.holds_of(manifest.source, first_ms, last_ms)
            if not (hold.from_ms is None and hold.to_ms is None)
        ],
    )


def _add_rules(store: ObjectStore, old: str, new: str) -> None:
    def with_rules(policy: RetentionPolicy) -> RetentionPolicy:
        own_kinds = {rule.kind for rule in policy.rules if rule.source == new}
        for rule in policy.rules:
            if rule.source == old and rule.kind not in own_kinds:
                policy = with_rule(policy, msgspec.structs.replace(rule, source=new))
        return policy

    _change(store, with_rules)


def _add(store: ObjectStore, make: Callable[[RetentionPolicy], list[LegalHold]]) -> None:
    def with_holds(policy: RetentionPolicy) -> RetentionPolicy:
        names = {hold.name for hold in policy.holds}
        new = [hold for hold in make(policy) if hold.name not in names]
        return msgspec.structs.replace(policy, holds=(*policy.holds, *new))

    _change(store, with_holds)


def _change(store: ObjectStore, change: Callable[[RetentionPolicy], RetentionPolicy]) -> None:
    """Change the policy, which is not stored again if it stays the same."""
    policy = read_policy(store)
    if change(policy) != policy:
        change_policy(store, change)
