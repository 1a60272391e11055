"""Stores reports with checksums, which `frametally doctor --deep` compares."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import ClassVar

from frametally import keys
from frametally.errors import Poison
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process.reports import Progress, plural
from frametally.records import SealedRecord, decode_at, encode
from frametally_cli.checkup.findings import Finding
from frametally_cli.options.ports import Ports

_NAME = "checksums.json"
_REMEDY = "restore it from a backup, or delete it; `frametally export` gives the numbers of its days again"


class ReportChecksums(SealedRecord, frozen=True, kw_only=True):
    """The files of one report.

    Attributes:
        report: Its name.
        day: The day on which it was made, such as `2026-05-01`.
        files: SHA-256 in hex, by the name of the file.
    """

    report: str
    day: str
    files: dict[str, str]

    remedy: ClassVar[str] = _REMEDY

    @property
    def key(self) -> str:  # noqa: D102
        return keys.report_key(self.report, self.day, _NAME)


def put_report(store: ObjectStore, report: str, day: str, files: Mapping[str, bytes]) -> list[str]:
    """Store a report's files and checksums; return the keys of the files. Raises the store's errors."""
    report_keys = [keys.report_key(report, day, name) for name in files]
    for key, data in zip(report_keys, files.values(), strict=True):
        store.put(key, data)
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    record = ReportChecksums(report=report, day=day, files=sums)
    store.put(record.key, encode(record))
    return report_keys


def check_reports(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """Compare the files of all reports with their checksums; reports of earlier versions have none."""
    store = ports.store
    records = [info.key for info in store.list(keys.REPORTS) if info.key.endswith(f"/{_NAME}")]
    for done, key in enumerate(records):
        progress.update(done, len(records), key)
        with suppress(ObjectMissing):  # deleted since it was listed
            try:
                record = decode_at(key, store.get(key), ReportChecksums)
            except Poison as error:
                yield Finding("reports", key, "damaged", remedy=str(error))
                continue
            for name, sha256 in record.files.items():
                file_key = keys.report_key(record.report, record.day, name)
                with suppress(ObjectMissing):  # people may delete reports
                    if hashlib.sha256(store.get(file_key)).hexdigest() != sha256:
                        yield Finding("reports", file_key, "damaged", remedy=_REMEDY)
    progress.update(len(records), len(records))
    yield Finding("reports", "all", f"{plural(len(records), 'report')} read")


DEEP_CHECKS = {"reports": check_reports}
