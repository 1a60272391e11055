"""Implements the hooks of backups, of changes to sources, and of findings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.checkup.findings import DeepLook, Finding, Glance, Look, RecordFolder
from frametally.media.kept_data import KeptKind, KeptPart, in_folders
from frametally.media.mending import Change, MediumRenamed
from frametally.ports.opened import StorePorts
from frametally.process.reports import Progress
from frametally.settings.loading import Settings
from frametally_privacy.erasure_records import Erasure, unfinished_erasures
from frametally_privacy.policy import PrivacyPolicy, follow_source, read_policy

RECORDS = (
    RecordFolder(
        keys.PRIVACY,
        "privacy policies and erasures",
        lambda key: PrivacyPolicy if key == keys.PRIVACY_POLICY else Erasure,
    ),
)


def data_places(_: StorePorts) -> KeptPart:
    """Return where the policy and the receipts are."""
    return KeptPart([KeptKind("privacy-policy", files=in_folders(keys.PRIVACY), text="privacy.kind_policy")])


def of_source(settings: Settings, source: str) -> Iterator[str]:
    """Yield the rule that names a source. Raises the store's errors."""
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        rules = read_policy(store).rules
    yield from (f"privacy rule {rule.version}" for rule in rules if rule.source == source)


def changing(ports: StorePorts, change: Change, _: Progress) -> None:
    """Give a source that is renamed its rule under its new name. Raises as `set_rule`."""
    match change:
        case MediumRenamed(manifest, source, _, True) if manifest.source != source:
            follow_source(ports.store, manifest.source, source)


def findings(look: Look) -> Iterator[Finding]:
    """Name the erasures that were interrupted, and erased pictures that came back. Raises as records do."""
    match look:
        case Glance(_, store):
            for erasure in unfinished_erasures(store):
                value = f"unfinished erasure of {erasure.in_words}"
                remedy = "run `frametally privacy erase` with it again"
                yield Finding("erasure", "", value, "", remedy, "/data-protection")
        case DeepLook(ports, progress):
            # Imported here, so that `frametally status` starts fast.
            from frametally_privacy.erased_pictures import check_receipts

            yield from check_receipts(ports.store, progress)
