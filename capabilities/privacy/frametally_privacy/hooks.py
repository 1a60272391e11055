"""Implements the hooks of backups and of changes to sources."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from frametally import keys
from frametally.opening import open_object_store
from frametally.settings.loading import Settings
from frametally_cli.checkup.findings import RecordFolder
from frametally_privacy.policy import PrivacyPolicy, read_policy

RECORDS = (RecordFolder(keys.PRIVACY, "privacy policies", lambda _: PrivacyPolicy),)


def of_source(settings: Settings, source: str) -> Iterator[str]:
    """Yield the rule that names a source. Raises the store's errors."""
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        rules = read_policy(store).rules
    yield from (f"privacy rule {rule.version}" for rule in rules if rule.source == source)
