"""Implements the hooks of checks and of `frametally status`."""

from __future__ import annotations

from frametally import keys
from frametally.ports.object_store import ObjectStore
from frametally.settings.loading import Settings
from frametally_cli.checkup.findings import RecordFolder, StatusPart
from frametally_privacy.erasure_records import Erasure, unfinished_erasures

RECORDS = (RecordFolder(keys.ERASURES, "erasures", lambda _: Erasure),)


def status(_: Settings, store: ObjectStore) -> StatusPart:
    """Name the erasures that were interrupted. Raises the errors of records."""
    unfinished = unfinished_erasures(store)
    lines = [
        f"unfinished erasure of {erasure.in_words}: run `frametally privacy erase` with it again"
        for erasure in unfinished
    ]
    return StatusPart(lines, {"unfinished_erasures": len(unfinished)})
