"""Finds what is wrong with the gold tables, and with files of the Iceberg tables, even without pyiceberg."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator
from contextlib import closing, suppress

from frametally.checkup.areas import area_rows
from frametally.checkup.findings import DeepLook, Finding, Look, TrialLook
from frametally.errors import Misconfigured, Poison
from frametally.ports.object_store import ObjectMissing
from frametally.ports.opened import Ports
from frametally.process.reports import Progress, plural
from frametally.settings.loading import Settings
from frametally_gold.iceberg_checksums import (
    CHECKSUMS,
    HINT,
    METADATA,
    REMEDY,
    keys_of_files,
    read_checksums,
)
from frametally_gold.settings import GoldSettings, is_wanted


def findings(look: Look) -> Iterator[Finding]:
    """Open the tables and count their rows; read every file of the Iceberg tables."""
    match look:
        case TrialLook(settings, stage):
            yield from area_rows(settings, stage, "gold", settings.part(GoldSettings).gold_url, _count_rows)
        case DeepLook(ports, progress):
            yield from check_iceberg(ports, progress)


def _count_rows(settings: Settings, address: str) -> Iterator[Finding]:
    from frametally_gold.book import open_gold

    with closing(open_gold(settings)) as gold:
        gold.check()
        days, videos = len(gold.loads()), len(gold.video_marks())
    yield Finding("gold", address, f"{plural(days, 'day')} loaded, {plural(videos, 'video')}")


def check_iceberg(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """Compare each file of the tables with its checksum, and look for missing files."""
    store = ports.store
    keys = keys_of_files(store)
    if not keys:
        return
    sums: dict[str, str] = {}
    damaged = 0
    for key in (key for key in keys if key.startswith(f"{CHECKSUMS}/")):
        with suppress(ObjectMissing):
            try:
                sums |= read_checksums(store, key).files
            except Poison as error:
                damaged += 1
                yield Finding("iceberg", key, "damaged", remedy=str(error))
    files = [key for key in keys if not key.startswith(f"{CHECKSUMS}/")]
    without_sum = 0
    for done, key in enumerate(files):
        progress.update(done, len(files), key)
        with suppress(ObjectMissing):
            data = store.get(key)
            if posixpath.basename(key) == HINT:
                metadata_key = f"{posixpath.dirname(key)}/{data.decode(errors='replace')}{METADATA}"
                is_good = store.head(metadata_key) is not None
            elif key in sums:
                is_good = hashlib.sha256(data).hexdigest() == sums[key]
            else:
                without_sum += 1
                continue
            if not is_good:
                yield Finding("iceberg", key, "damaged", remedy=REMEDY)
    progress.update(len(files), len(files))
    yield from _missing(ports, {*keys})
    reason = "--rebuild adds it"
    if damaged:
        records = plural(damaged, "damaged record of checksums is", "damaged records of checksums are")
        reason = f"{records} named above, so these files cannot be checked"
    note = f"{without_sum} have no checksum: {reason}" if without_sum else ""
    yield Finding("iceberg", "files", f"{plural(len(files), 'file')} read", note)


def _missing(ports: Ports, keys: set[str]) -> Iterator[Finding]:
    """Report files that a table names but the store lacks; without pyiceberg, report nothing."""
    settings = ports.settings
    with suppress(ModuleNotFoundError):
        from frametally_gold.book import open_gold
        from frametally_gold.iceberg_tables import IcebergTables

        if not is_wanted(settings):
            return
        with closing(open_gold(settings)) as gold:
            if not gold.has_iceberg():
                return
        of_gold = settings.part(GoldSettings)
        with closing(IcebergTables(of_gold.gold_url, of_gold.gold_access, ports.store)) as tables:
            try:
                needed_keys = tables.needed()
            except Misconfigured as error:
                yield Finding("iceberg", "tables", "cannot be read", remedy=str(error))
                return
        for key in sorted(needed_keys - keys - {*keys_of_files(ports.store)}):
            yield Finding("iceberg", key, "missing", remedy=REMEDY)
