"""Implements the hooks of commands and backups."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from frametally import keys
from frametally.opening import open_object_store
from frametally.settings.loading import Settings
from frametally_cli.checkup.findings import RecordFolder
from frametally_cli.stages.family_members import MemberOptions, MembersPart, command
from frametally_retention.policy import RetentionPolicy, read_policy

RECORDS = (RecordFolder(keys.RETENTION, "retention policies", lambda _: RetentionPolicy),)
_EVERY = "1h"


def members(settings: Settings, options: MemberOptions) -> list[MembersPart]:
    """Return the rounds of removal; without a rule they do nothing."""
    interval = () if options.interval_s is None else ("--interval-of-counts", options.interval_s)
    return [MembersPart([command("retention", settings, "--every", _EVERY, *interval, of="apply")])]


def of_source(settings: Settings, source: str) -> Iterator[str]:
    """Yield the rules and holds that name a source. Raises the store's errors."""
    policy = _policy(settings)
    yield from (f"retention rule for {rule.kind}" for rule in policy.rules if rule.source == source)
    yield from (f"legal hold {hold.name}" for hold in policy.holds if hold.source == source)


def _policy(settings: Settings) -> RetentionPolicy:
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        return read_policy(store)
