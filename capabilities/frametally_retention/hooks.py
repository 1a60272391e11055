"""Implements the hooks of commands, checks, backups, corrections and erasures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from time import time

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.checkup.findings import Finding, Glance, Look, RecordFolder
from frametally.media.kept_data import KeptKind, KeptPart, KeptTerm, in_folders
from frametally.media.mending import Change, MediumRenamed, MediumRetimed
from frametally.ports.opened import StorePorts
from frametally.process.reports import Progress
from frametally.rules.times import HOUR_MS
from frametally.settings.loading import Settings
from frametally.work.family_members import MemberOptions, MembersPart, command
from frametally_retention.following import follow_medium, follow_source
from frametally_retention.policy import (
    Removal,
    RetentionPolicy,
    applied,
    begin_removal,
    in_words,
    read_policy,
)

RECORDS = (RecordFolder(keys.RETENTION, "retention policies", lambda _: RetentionPolicy),)
_EVERY = "1h"
_UNAPPLIED_MS = 2 * HOUR_MS
"""Rounds are an hour apart, so two are missing."""
_UNAPPLIED = "nobody has applied the rules for two hours"
_APPLIES = (
    "run `frametally retention apply --every 1h`, or read its log; `frametally up`, the stack and the Helm "
    "chart run it"
)


def members(settings: Settings, options: MemberOptions) -> list[MembersPart]:
    """Return the rounds of removal; without a rule they do nothing."""
    interval = () if options.interval_s is None else ("--interval-of-counts", options.interval_s)
    return [MembersPart([command("retention", settings, "--every", _EVERY, *interval, subcommand="apply")])]


def findings(look: Look) -> Iterator[Finding]:
    """Report the last round; rules that nobody applies need a person. Raises the store's errors."""
    if isinstance(look, Glance):
        now_ms = round(time() * 1000)
        info = look.store.head(keys.RETENTION_POLICY)
        if info is None or not (look.has_time or now_ms - info.modified_at_ms > _UNAPPLIED_MS):
            return
        policy = read_policy(look.store)
        # Each step of a round writes the policy, and so does a change, which a round then has to follow.
        if policy.rules and now_ms - max(policy.applied_at_ms or 0, info.modified_at_ms) > _UNAPPLIED_MS:
            value = f"retention: {applied(policy)}; {_UNAPPLIED}"
            yield Finding("retention", "", value, "", _APPLIES, "/retention")
        elif look.has_time and policy.rules:
            yield Finding("retention", "", f"retention: {applied(policy)}", severity="notice")


def of_source(settings: Settings, source: str) -> Iterator[str]:
    """Yield the rules and holds that name a source. Raises the store's errors."""
    policy = _policy(settings)
    yield from (f"retention rule for {rule.kind}" for rule in policy.rules if rule.source == source)
    yield from (f"legal hold {hold.name}" for hold in policy.holds if hold.source == source)


def data_places(ports: StorePorts) -> KeptPart:
    """Return the legal holds and the rules, and where they are. Its functions raise as `read_policy`."""
    store = ports.store

    def holds(source: str, from_ms: int, to_ms: int, removal_id: str) -> list[str]:
        policy = read_policy(store)
        if removal_id:
            now_ms = round(time() * 1000)
            removal = Removal(id=removal_id, source=source, from_ms=from_ms, to_ms=to_ms - 1, since_ms=now_ms)
            policy = begin_removal(store, removal)
        return [f"{hold.name} ({in_words(hold)})" for hold in policy.holds_of(source, from_ms, to_ms - 1)]

    def terms() -> list[KeptTerm]:
        return [
            KeptTerm(rule.kind, rule.source, rule.after_ms, rule.most_bytes)
            for rule in read_policy(store).rules
        ]

    policy = KeptKind("retention-policy", files=in_folders(keys.RETENTION), text="retention.kept_policy")
    return KeptPart([policy], holds=holds, terms=terms)


def changing(ports: StorePorts, change: Change, _: Progress) -> None:
    """Let holds follow footage to another source or time, and rules to a new source, before it is there.

    Raises as `change_policy`.
    """
    match change:
        case MediumRenamed(manifest, source, _, is_new) if manifest.source != source:
            follow_source(ports.store, manifest.source, source, is_new=is_new)
        case MediumRetimed(manifest, start_ms):
            follow_medium(ports.store, manifest, start_ms)


def _policy(settings: Settings) -> RetentionPolicy:
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        return read_policy(store)
