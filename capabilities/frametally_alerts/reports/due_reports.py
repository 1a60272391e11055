"""Makes scheduled reports that are due, stores them, and sends each once."""

from __future__ import annotations

import datetime
import hashlib
import time
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from frametally import keys
from frametally.checkup.findings import Finding
from frametally.errors import FrametallyError, Poison, Retryable
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process import failpoints
from frametally.process.reports import Progress, plural
from frametally.process.retrying import Backoff
from frametally.records import SealedRecord, decode_at, encode
from frametally.rules.clocks.turns import ClockTurn, last_turn
from frametally.rules.times import HOUR_S
from frametally_alerts import rules
from frametally_alerts.conditions.round_input import RoundPorts
from frametally_alerts.rules import Alert, AlertBookFull, ScheduledReport, turn_key

if TYPE_CHECKING:
    from frametally_alerts.book import AlertBook

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


def check_reports(store: ObjectStore, progress: Progress) -> Iterator[Finding]:
    """Compare the files of all reports with their checksums."""
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


MOST_REPORTS = 100
SUMMARY = "summary.txt"
"""The file of a report that its mail shows as text."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 10.0, float(HOUR_S)

MakeFiles = Callable[[ScheduledReport, ClockTurn], Mapping[str, bytes]]
"""Makes the files of a turn, by name; raises `FrametallyError` if they cannot be made."""


class EverLater:
    """Makes files with another maker, and retries failures after growing pauses of up to an hour.

    During a pause it raises the last error. Another turn or a changed report is tried at once.
    """

    def __init__(self, make: MakeFiles, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Make files with `make`; `clock` returns seconds."""
        self._make = make
        self._clock = clock
        self._failed: dict[str, tuple[ScheduledReport, ClockTurn, Backoff, float, FrametallyError]] = {}

    def __call__(self, report: ScheduledReport, turn: ClockTurn) -> Mapping[str, bytes]:
        """Return the files of a turn.

        Raises:
            FrametallyError: They cannot be made, or failed before and the pause is not over.
        """
        backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        failed = self._failed.get(report.name)
        if failed is not None and failed[:2] == (report, turn):
            _, _, backoff, again_at_s, failure = failed
            if self._clock() < again_at_s:
                raise failure.with_traceback(None)
        try:
            files = self._make(report, turn)
        except Retryable:
            raise
        except FrametallyError as error:
            again_at_s = self._clock() + backoff.next_s()
            self._failed[report.name] = (report, turn, backoff, again_at_s, error)
            raise
        self._failed.pop(report.name, None)
        return files


def turn_of(report: ScheduledReport, now_ms: int) -> ClockTurn | None:
    """Return the last turn of a report, made or not."""
    return last_turn(report.every, report.at_minute, zoneinfo.ZoneInfo(report.zone), now_ms)


def make_due(book: AlertBook, ports: RoundPorts, make: MakeFiles) -> tuple[int, list[str]]:
    """Make every due report; if several turns were missed, only the last.

    Files are stored before the alert, so after a crash they are made again under the same keys.

    Returns:
        The number of reports made, and a line for each that failed.

    Raises:
        Retryable: The book, the index or the store is unavailable.
    """
    report_count, problems = 0, []
    for report in book.reports():
        try:
            turn = turn_of(report, ports.now_ms)
            if turn is None or turn.at_ms <= report.made_at_ms or book.was_told(turn_key(report, turn.day)):
                continue
            waiting_count = sum(book.waiting().values()) if report.channels else 0
            if waiting_count >= rules.MOST_WAITING:  # a report made now could not be sent
                problems.append(_waiting_line(report, waiting_count))
                continue
            files = put_report(ports.store, report.name, turn.day.isoformat(), make(report, turn))
            failpoints.passing("reports.put")
            alert = _alert_of(report, turn, tuple(files), is_late=_has_missed(book, report, turn))
            result = book.tell_report(report, alert)
        except Retryable:
            raise
        except FrametallyError as error:
            problems.append(f"report {report.name}: {error}")
            continue
        if isinstance(result, AlertBookFull):
            problems.append(_waiting_line(report, result.waiting))
        else:
            report_count += result
    return report_count, problems


def _waiting_line(report: ScheduledReport, waiting_count: int) -> str:
    return (
        f"report {report.name}: not made yet, because {plural(waiting_count, 'alert is', 'alerts are')} "
        "waiting to be sent"
    )


def span_of(report: ScheduledReport, turn: ClockTurn) -> str:
    """Return the days of a turn as text for people."""
    first = datetime.datetime.fromtimestamp(turn.from_ms / 1000, zoneinfo.ZoneInfo(report.zone)).date()
    last = turn.day - datetime.timedelta(days=1)
    return f"{first}, {report.zone}" if first == last else f"{first} to {last}, {report.zone}"


def _alert_of(report: ScheduledReport, turn: ClockTurn, files: tuple[str, ...], *, is_late: bool) -> Alert:
    late = "; earlier reports that were due while nothing was running are left out" if is_late else ""
    return Alert(
        key=turn_key(report, turn.day),
        revision=1,
        state="told",
        rule=report.name,
        what="report",
        source="",
        label="",
        start_ms=turn.from_ms,
        end_ms=turn.to_ms,
        detail=f"{span_of(report, turn)}{late}",
        files=files,
    )


def _has_missed(book: AlertBook, report: ScheduledReport, turn: ClockTurn) -> bool:
    before = turn_of(report, turn.at_ms - 1)
    return (
        before is not None
        and before.at_ms > report.made_at_ms
        and not book.was_told(turn_key(report, before.day))
    )
