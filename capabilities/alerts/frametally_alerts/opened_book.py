"""Opens an application's alert book on first use, and tries rules and reports."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence

from frametally.errors import FrametallyError
from frametally.naming import KnownNames
from frametally.rules.clocks.turns import ClockTurn
from frametally_alerts import answers
from frametally_alerts.book import AlertBook
from frametally_alerts.channels.channel_kinds import all_channels, channels_of
from frametally_alerts.channels.delivery import send_now
from frametally_alerts.conditions.round_input import CountPorts, with_counted_interval
from frametally_alerts.reports.due_reports import turn_of
from frametally_alerts.reports.report_files import files_of
from frametally_alerts.rules import AlertRule, ScheduledReport, turn_key
from frametally_alerts.trial import try_rule
from frametally_alerts.why_never_fires import Silence, why_silent
from frametally_web.plugging import WebContext
from frametally_web.requests.problems import Problem

PAGE = 50
_TEST_S = 20.0
"""Time limit of a test, because a person waits for it."""


class OpenedAlerts:
    """Rules, channels and messages; threads may share it."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self.settings = context.settings
        self.remedy = context.remedy
        self._lock = threading.Lock()
        self._opened: AlertBook | None = None

    @property
    def book(self) -> AlertBook:
        """The book. Raises `FrametallyError` if it cannot be opened."""
        with self._lock:
            if self._opened is None:
                self._opened = AlertBook(self.settings.catalogue_url, self.settings.catalogue_access)
            return self._opened

    @property
    def channels(self) -> set[str]:
        """Names of the channels that rules can use. Raises `Misconfigured`."""
        return {*all_channels(self.settings, self.book).usable}

    def default_zone(self, sources: Collection[str]) -> str:
        """Return the default time zone of a report on some sources (slugs; empty for all)."""
        return self._context.books.media_to_keep().shared_timezone(sources) or self.settings.timezone

    def send_test(self, name: str) -> bool:
        """Send a test through a channel; return False if it does not exist. Raises like `send_now`."""
        channel = all_channels(self.settings, self.book).usable.get(name)
        if channel is not None:
            send_now(channel, self.settings, round(time.time() * 1000), within_s=_TEST_S)
        return channel is not None

    def users_of(self, channel: str) -> list[str]:
        """Return the names of the rules and reports that use a channel."""
        rules = [one.name for one in self.book.rules() if channel in one.channels]
        return rules + [one.name for one in self.book.reports() if channel in one.channels]

    def is_of_settings(self, channel: str) -> bool:
        """Return whether a channel is in the server's settings. Raises `Misconfigured`."""
        return channel in channels_of(self.settings)

    def answer(self, *, state: str = "", before: int = 0, limit: int = PAGE) -> answers.Alerts:
        """Return rules, channels, reports and messages.

        Raises:
            FrametallyError: The book cannot be read, or the channels are not configured correctly.
        """
        book, waiting_counts = self.book, self.book.waiting()
        reports = book.reports()
        rules, source_names = self._rules(book.rules())
        slugs = {source for rule in rules for source in rule.sources}
        slugs |= {source for report in reports for source in report.sources}
        channels, unreadable = all_channels(self.settings, book)
        messages, following = book.messages(limit, states=[state] if state else (), before=before)
        return answers.Alerts(
            rules=rules,
            source_names={source: source_names[source] for source in sorted(slugs) if source in source_names},
            channels=[
                *(answers.channel_of(one, waiting_counts.get(name, 0)) for name, one in channels.items()),
                *(answers.unreadable_channel(name, waiting_counts.get(name, 0)) for name in unreadable),
            ],
            reports=[answers.report_of(report, _last_day(book, report)) for report in reports],
            messages=[answers.message_of(message) for message in messages],
            next=following,
            changes_allowed=self.remedy is None,
            remedy=self.remedy,
        )

    def _rules(self, rules: list[AlertRule]) -> tuple[list[answers.ToldRule], dict[str, str]]:
        source_names: dict[str, str] = {}
        try:
            all_silences, source_names = self.look(rules)
        except (FrametallyError, Problem):
            # If counts or names cannot be read, rules are shown without them.
            all_silences = [[] for _ in rules]
        rule_answers = [
            answers.rule_of(rule, [silence.why for silence in silences])
            for rule, silences in zip(rules, all_silences, strict=True)
        ]
        return rule_answers, source_names

    def look(self, rules: Sequence[AlertRule]) -> tuple[list[list[Silence]], dict[str, str]]:
        """Return why each rule may stay silent, and the names of sources by slug."""
        ports, settings = self._context.ports, self.settings
        names = KnownNames(self._source_names(), settings=settings, store=ports.store, index=ports.index)
        silences = [why_silent(rule, names, ports.index, settings.interval_s) for rule in rules]
        return silences, names.sources

    def with_counted_interval(self, rule: AlertRule) -> AlertRule:
        """Return a rule with counted intervals; see `round_input.with_counted_interval`."""
        return with_counted_interval(rule, self._context.ports.index)

    def make_files(self, report: ScheduledReport, turn: ClockTurn) -> None:
        """Make the files of a report to try it. Raises `Problem`."""
        files_of(self._context.ports.index, self.settings, self._context.books.media_to_keep(), report, turn)

    def try_rule(self, rule: AlertRule, asked_ms: tuple[int | None, int | None]) -> answers.RuleTrial:
        """Return the alerts that a rule would have sent in a range. Raises the errors of `try_rule`."""
        ports = self._context.ports
        now_ms = round(time.time() * 1000)
        counts = CountPorts(self.settings, ports.store, ports.index, ports.ledger, now_ms=now_ms)
        return try_rule(rule, counts, self._source_names(), asked_ms)

    def _source_names(self) -> dict[str, str]:
        media = self._context.books.media_to_keep()
        return {source: media.name(source) for source in media.sources()}

    def close(self) -> None:
        """Release connections."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None


def _last_day(book: AlertBook, report: ScheduledReport) -> str | None:
    """Return the day of a report's last turn, if the report was made."""
    turn = turn_of(report, round(time.time() * 1000))
    return f"{turn.day}" if turn is not None and book.was_told(turn_key(report, turn.day)) else None
