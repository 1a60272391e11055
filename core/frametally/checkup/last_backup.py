"""Finds the last backup, and whether what people made has lacked one for too long."""

from __future__ import annotations

import time
from collections.abc import Iterator

from frametally.backups import last_backup, stored_backups
from frametally.checkup.areas import not_there_yet
from frametally.checkup.findings import Finding, Glance
from frametally.errors import FrametallyError
from frametally.plugins import hooks
from frametally.rules.times import CHECK_CLOCK, DAY_MS, HOUR_MS, utc
from frametally.settings.loading import Settings

_MAKES_ONE = (
    "run `frametally backup`; `frametally up`, the stack, the Helm chart, or `frametally backup --every 1h` "
    "saves one a day"
)
_LATE_MS = 2 * DAY_MS


def find_last_backup(look: Glance, now_ms: int | None = None) -> Iterator[Finding]:
    """Yield the last backup; its severity is `need` if accounts, rules or reports lack one for two days.

    Yield nothing if it cannot be found, as another finding names the reason, or if it is good and the glance
    has no time.
    """
    now_ms = round(time.time() * 1000) if now_ms is None else now_ms
    try:
        stored = stored_backups(look.store)
        if not look.has_time and any(0 <= now_ms - backup.made_at_ms <= _LATE_MS for backup in stored[-1:]):
            return
        since_ms = _first_made_ms(look.settings)
        if not look.has_time and since_ms is None:
            return
        last = last_backup(look.store, stored, now_ms)
    except FrametallyError:
        return
    times_ms = (since_ms, last.made_at_ms if last else None)
    past_ms = [time_ms for time_ms in times_ms if time_ms is not None and time_ms <= now_ms]
    is_late = since_ms is not None and bool(past_ms) and now_ms - max(past_ms) > _LATE_MS
    if last is not None and last.made_at_ms > now_ms:
        value, note = f"backup: created {utc(last.made_at_ms)}, in the future", CHECK_CLOCK
    elif last is not None:
        value = f"backup: created {utc(last.made_at_ms)}, {(now_ms - last.made_at_ms) // HOUR_MS} h ago"
        note = "encrypted" if last.salt else "not encrypted, because FRAMETALLY_BACKUP_KEY was not set"
    else:
        value = "backup: none"
        note = "nothing to back up yet" if since_ms is None else _MAKES_ONE
    if look.has_time or is_late:
        yield Finding("backup", "", value, note, _MAKES_ONE if is_late else "")


def _first_made_ms(settings: Settings) -> int | None:
    """Return the time of the first account, rule or report; None if there are none."""
    if not_there_yet(settings.catalogue_url) is not None:
        return None
    since = [since_ms for find in hooks("kept_since") if (since_ms := find(settings)) is not None]
    return min(since, default=None)
