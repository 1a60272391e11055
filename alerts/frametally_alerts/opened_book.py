"""The alert book of an application: opened when somebody asks for it, in the catalogue's database."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from frametally.errors import FrametallyError
from frametally.settings.loading import Settings
from frametally_alerts import answers
from frametally_alerts.book import AlertBook
from frametally_alerts.channels.channel_urls import channels_of
from frametally_alerts.reports.due_reports import turn_of
from frametally_alerts.rules import AlertRule
from frametally_alerts.scheduled_report import ScheduledReport, turn_key
from frametally_alerts.silence import Silence
from frametally_web.requests.problems import Problem

PAGE = 50

Look = Callable[[Sequence[AlertRule]], tuple[list[list[Silence]], dict[str, str]]]


class OpenedAlerts:
    """Rules, channels and messages; threads may share it."""

    def __init__(self, url: str, settings: Settings, remedy: str | None, look: Look) -> None:
        """Open nothing yet.

        Args:
            url: Of the catalogue's database.
            settings: Names the channels.
            remedy: None where rules may be changed.
            look: Finds out of each rule why it tells nothing, and how sources are written, by slug.
        """
        self._url = url
        self.look = look
        self._settings = settings
        self._lock = threading.Lock()
        self._opened: AlertBook | None = None
        self.remedy = remedy

    @property
    def book(self) -> AlertBook:
        """The book. Raises `FrametallyError` as its opening does."""
        with self._lock:
            if self._opened is None:
                self._opened = AlertBook(self._url, self._settings.catalogue_access)
            return self._opened

    @property
    def channels(self) -> set[str]:
        """Names of the channels that are set. Raises `Misconfigured`."""
        return {*channels_of(self._settings)}

    def answer(self, *, states: Sequence[str] = (), before: int = 0, limit: int = PAGE) -> answers.Alerts:
        """Return all that is shown.

        Raises:
            FrametallyError: The book cannot be read, or the channels are not set as they can be.
        """
        book, waiting = self.book, self.book.waiting()
        reports = book.reports()
        rules, written = self._rules(book.rules())
        named = {source for rule in rules for source in rule.sources}
        named |= {source for report in reports for source in report.sources}
        messages, following = book.messages(limit, states=states, before=before)
        return answers.Alerts(
            rules=rules,
            source_names={source: written[source] for source in sorted(named) if source in written},
            channels=[
                answers.channel_of(channel, waiting.get(name, 0))
                for name, channel in channels_of(self._settings).items()
            ],
            reports=[answers.report_of(report, _last_day(book, report)) for report in reports],
            messages=[answers.message_of(message) for message in messages],
            next=following,
            changes_allowed=self.remedy is None,
            remedy=self.remedy,
        )

    def _rules(self, rules: list[AlertRule]) -> tuple[list[answers.ToldRule], dict[str, str]]:
        written: dict[str, str] = {}
        try:
            found, written = self.look(rules)
        except (FrametallyError, Problem):
            # Where counts or names cannot be read, rules are shown all the same.
            found = [[] for _ in rules]
        told = [
            answers.rule_of(rule, [one.why for one in silences])
            for rule, silences in zip(rules, found, strict=True)
        ]
        return told, written

    def close(self) -> None:
        """Release connections."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None


def _last_day(book: AlertBook, report: ScheduledReport) -> str | None:
    """Return the day of a report's last turn, where it was made."""
    turn = turn_of(report, round(time.time() * 1000))
    return f"{turn.day}" if turn is not None and book.was_told(turn_key(report, turn.day)) else None
