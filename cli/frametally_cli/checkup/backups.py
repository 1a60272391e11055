"""How old the last backup is of what nothing else can restore."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

from frametally.backups.contents import BackupHeader
from frametally.backups.keeping import last_backup
from frametally.errors import FrametallyError
from frametally.opening import open_object_store
from frametally.plugins import hooks
from frametally.rules.times import DAY_MS, HOUR_MS, utc
from frametally.settings.loading import Settings
from frametally_cli.checkup.findings import Finding
from frametally_cli.checkup.ports import not_there_yet

_MAKES_ONE = "`frametally backup` makes one; `frametally up`, or cron, does so daily"
_LATE_MS = 2 * DAY_MS


def backup_rows(settings: Settings, now_ms: int | None = None) -> Iterator[Finding]:
    """Say when the last backup was made; bad where accounts, rules or reports are in none for two days."""
    try:
        since_ms, last = _first_made_ms(settings), _last_backup(settings)
    except FrametallyError:
        return  # the rows of the store, or of the accounts, have it
    now_ms = round(time.time() * 1000) if now_ms is None else now_ms
    is_late = since_ms is not None and now_ms - max(since_ms, last.made_at_ms if last else 0) > _LATE_MS
    if last is not None:
        value = f"made {utc(last.made_at_ms)}, {(now_ms - last.made_at_ms) // HOUR_MS} h ago"
        note = "encrypted" if last.salt else "not encrypted: FRAMETALLY_BACKUP_KEY was not set"
    else:
        value = "none"
        note = "there is nothing to lose yet" if since_ms is None else _MAKES_ONE
    yield Finding("backup", "the last", value, note, remedy=_MAKES_ONE if is_late else "")


def _first_made_ms(settings: Settings) -> int | None:
    """Return since when there is an account, a rule or a report; None: there is none."""
    if not_there_yet(settings.catalogue_url) is not None:
        return None
    made = [since_ms for find in hooks("kept_since") if (since_ms := find(settings)) is not None]
    return min(made, default=None)


def _last_backup(settings: Settings) -> BackupHeader | None:
    if not_there_yet(settings.store_url) is not None:
        return None
    with closing(open_object_store(settings.store_url, settings.store_access)) as store:
        return last_backup(store)
