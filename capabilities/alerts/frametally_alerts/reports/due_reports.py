"""Makes scheduled reports that are due, stores them, and sends each once."""

from __future__ import annotations

import datetime
import time
import zoneinfo
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from frametally.errors import FrametallyError, Retryable
from frametally.process import failpoints
from frametally.process.reports import plural
from frametally.process.retrying import Backoff
from frametally.rules.clocks.turns import ClockTurn, last_turn
from frametally.rules.times import HOUR_S
from frametally_alerts import rules
from frametally_alerts.conditions.round_input import RoundPorts
from frametally_alerts.reports.report_checksums import put_report
from frametally_alerts.rules import Alert, AlertBookFull, ScheduledReport, turn_key

if TYPE_CHECKING:
    from frametally_alerts.book import AlertBook

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
