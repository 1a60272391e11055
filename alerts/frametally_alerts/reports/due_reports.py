"""Reports that are made every so often: which are due, into the store, and told once."""

from __future__ import annotations

import datetime
import re
import time
import zoneinfo
from collections.abc import Callable, Container, Iterable, Mapping
from typing import TYPE_CHECKING

from frametally import keys
from frametally.errors import FrametallyError, Retryable
from frametally.process import failpoints
from frametally.process.retrying import Backoff
from frametally.rules.clocks.turns import EVERY, ClockTurn, Every, last_turn
from frametally.rules.times import DAY_S, HOUR_S
from frametally_alerts.conditions.round_input import RoundPorts
from frametally_alerts.rule_form import RuleRefused
from frametally_alerts.rules import Alert, AlertBookFull
from frametally_alerts.scheduled_report import ScheduledReport, turn_key
from frametally_alerts.settings import AlertSettings

if TYPE_CHECKING:
    from frametally_alerts.book import AlertBook

MOST_REPORTS = 100
SUMMARY = "summary.txt"
"""Of a report's files the one that a mail says."""
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_MOST_NAMES, _LONGEST = 100, 200
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 10.0, float(HOUR_S)

MakeFiles = Callable[[ScheduledReport, ClockTurn], Mapping[str, bytes]]
"""Makes the files of a turn, by name; raises `FrametallyError` where there can be none."""


class EverLater:
    """Makes files as another does; what cannot be made is tried again ever later, up to an hour.

    Until then the error of the last try is raised. Another turn, or a report that was changed, is tried at
    once.
    """

    def __init__(self, make: MakeFiles, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Files are made by `make`; `clock` gives seconds."""
        self._make = make
        self._clock = clock
        self._failed: dict[str, tuple[ScheduledReport, ClockTurn, Backoff, float, FrametallyError]] = {}

    def __call__(self, report: ScheduledReport, turn: ClockTurn) -> Mapping[str, bytes]:
        """Return the files of a turn.

        Raises:
            FrametallyError: There can be none, or there could be none, and it is not tried yet.
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


def make_report(
    *,
    name: str,
    every: str,
    at: str,
    zone: str,
    channels: Iterable[str],
    known: Container[str],
    now_ms: int,
    sources: Iterable[str] = (),
    labels: Iterable[str] = (),
    by_source: bool = False,
    interval_s: int | None = None,
    model: str = "",
) -> ScheduledReport:
    """Return the report that a person asks for; the fields are those of `ScheduledReport`.

    Args:
        name: Its name.
        every: On which days.
        at: By local clocks, such as `07:00`.
        zone: Name of a time zone.
        channels: By which it is told.
        known: Names of the channels that are set.
        now_ms: Nothing that was due before is made.
        sources: Names or slugs.
        labels: Classes.
        by_source: Whether rows are of each source.
        interval_s: Length of a row.
        model: Whose counts.

    Raises:
        RuleRefused: There can be no such report.
    """
    if keys.slug(name) != name:
        raise RuleRefused("name", "give one of a-z, 0-9, - and _, such as weekly-gate")
    days: dict[str, Every] = {one: one for one in EVERY}
    if every not in days:
        raise RuleRefused("every", f"{every[:60]!r} is none of {', '.join(EVERY)}")
    clock = _CLOCK.fullmatch(at)
    if clock is None:
        raise RuleRefused("at", f"{at[:60]!r} is no time of a day, such as 07:00")
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise RuleRefused("zone", f"{zone[:60]!r} is no time zone, such as Europe/Berlin") from None
    report = ScheduledReport(
        name=name,
        every=days[every],
        at_minute=int(clock[1]) * 60 + int(clock[2]),
        zone=zone,
        channels=tuple(dict.fromkeys(channels)),
        sources=tuple(dict.fromkeys(keys.slug(source) for source in sources)),
        labels=tuple(dict.fromkeys(labels)),
        by_source=by_source,
        interval_s=interval_s,
        model=model,
        made_at_ms=now_ms,
    )
    for channel in report.channels:
        if channel not in known:
            raise RuleRefused("channels", f"{channel[:60]!r} is none of the channels that are set")
    for field in ("sources", "labels"):
        names = getattr(report, field)
        if len(names) > _MOST_NAMES or any(not 0 < len(one) <= _LONGEST for one in names):
            raise RuleRefused(field, f"name at most {_MOST_NAMES}, each of up to {_LONGEST} characters")
    if interval_s is not None and not 0 < interval_s <= 31 * DAY_S:
        raise RuleRefused("interval", "give the seconds of a row, up to a month")
    return report


def turn_of(report: ScheduledReport, now_ms: int) -> ClockTurn | None:
    """Return the last turn of a report, whether it was made or not."""
    return last_turn(report.every, report.at_minute, zoneinfo.ZoneInfo(report.zone), now_ms)


def make_due(book: AlertBook, ports: RoundPorts, make: MakeFiles) -> tuple[int, list[str]]:
    """Make what is due of every report: of several turns that were missed, the last alone.

    Files are put before anybody is told: whoever is killed between makes them anew, under the same keys.

    Returns:
        How many were made; and what could not be, one line each.

    Raises:
        Retryable: The book, the index or the store is away.
    """
    made, problems = 0, []
    for report in book.reports():
        try:
            turn = turn_of(report, ports.now_ms)
            if turn is None or turn.at_ms <= report.made_at_ms or book.was_told(turn_key(report, turn.day)):
                continue
            waiting = sum(book.waiting().values()) if report.channels else 0
            if (
                waiting >= ports.settings.part(AlertSettings).alerts_waiting
            ):  # what is made now could not be told
                problems.append(_kept(report, waiting))
                continue
            files = {}
            for name, data in make(report, turn).items():
                key = keys.report_key(report.name, turn.day.isoformat(), name)
                ports.store.put(key, data)
                files[key] = name
            failpoints.passing("reports.put")
            alert = _told(report, turn, tuple(files), is_late=_has_missed(book, report, turn))
            told = book.tell_report(
                report, alert, most_waiting=ports.settings.part(AlertSettings).alerts_waiting
            )
        except Retryable:
            raise
        except FrametallyError as error:
            problems.append(f"report {report.name}: {error}")
            continue
        if isinstance(told, AlertBookFull):
            problems.append(_kept(report, told.waiting))
        else:
            made += told
    return made, problems


def _kept(report: ScheduledReport, waiting: int) -> str:
    return f"report {report.name}: {waiting} alerts wait to be sent; it waits, too"


def span_of(report: ScheduledReport, turn: ClockTurn) -> str:
    """Return the days that a turn is about, for people."""
    first = datetime.datetime.fromtimestamp(turn.from_ms / 1000, zoneinfo.ZoneInfo(report.zone)).date()
    last = turn.day - datetime.timedelta(days=1)
    return f"{first}, {report.zone}" if first == last else f"{first} to {last}, {report.zone}"


def _told(report: ScheduledReport, turn: ClockTurn, files: tuple[str, ...], *, is_late: bool) -> Alert:
    late = "; those that were due earlier, while nothing ran, are left out" if is_late else ""
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
