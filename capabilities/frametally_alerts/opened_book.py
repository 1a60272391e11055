"""Answers with rules, channels, reports and messages, and tries rules and reports."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import replace

import msgspec

from frametally.actions.answers import answer_of
from frametally.actions.problems import Problem, problem_of
from frametally.books.counted_days import present_end_ms
from frametally.errors import FrametallyError
from frametally.naming import KnownNames
from frametally.rules.clocks.turns import ClockTurn
from frametally.rules.times import DAY_MS
from frametally_alerts import answers
from frametally_alerts.answers import RuleTrial, TriedInterval, WouldBeAlert
from frametally_alerts.book import AlertBook
from frametally_alerts.channels.channel_kinds import all_channels, channels_of
from frametally_alerts.channels.delivery import send_now
from frametally_alerts.conditions import footage_rules, interval_values
from frametally_alerts.conditions.footage_rules import filmed_spans
from frametally_alerts.conditions.interval_values import fulfils, intervals_over, read_values
from frametally_alerts.conditions.round_input import (
    CountPorts,
    counted_for,
    sources_of,
    with_counted_interval,
)
from frametally_alerts.message_routes import PAGE, OpenedBook
from frametally_alerts.reports.due_reports import turn_of
from frametally_alerts.reports.report_files import files_of
from frametally_alerts.rules import BY_BARS, AlertRule, ScheduledReport, turn_key
from frametally_alerts.why_never_fires import Silence, why_silent
from frametally_web.books.context import ActionContext

TRIED_DAYS = 7
_MOST_TRIED = 5000
"""Most intervals of a range to try; the newest are used."""
_MOST_SHOWN = 50
_MOST_INTERVALS = 1000


def _counted_range(rule: AlertRule, ports: CountPorts) -> tuple[int, int] | None:
    """Return the start and the end of the counts of a rule's sources, up to the present; None without any."""
    counts = counted_for(rule, ports.index)
    of_rule = sources_of(rule, counts.sources) if counts else []
    if counts is None or not of_rule:
        return None
    summaries = [counts.sources[source] for source in of_rule]
    to_ms = present_end_ms(ports.index, counts.model, [counts.base_interval_s], summaries, ports.now_ms)
    return (
        min(summary.first_interval_ms for summary in summaries),
        to_ms or max(summary.next_interval_ms for summary in summaries),
    )


def _filmed_range(rule: AlertRule, ports: CountPorts) -> tuple[int, int] | None:
    """Return the same for the footage of a rule's sources."""
    spans = [span for of_source in filmed_spans(ports, rule.sources).values() for span in of_source]
    spans = [span for span in spans if span[0] <= ports.now_ms] or spans
    return (min(span[0] for span in spans), max(span[1] for span in spans)) if spans else None


def try_rule(
    rule: AlertRule,
    ports: CountPorts,
    names: dict[str, str],
    asked_ms: tuple[int | None, int | None] = (None, None),
) -> RuleTrial:
    """Return the alerts that a rule would have sent.

    Args:
        rule: The rule.
        ports: Ports to read from.
        names: Names of sources by slug.
        asked_ms: Start and end of the range. If the start is None, it is that of the counts, at most
            `TRIED_DAYS` before the end; if the end is None, it is that of the counts.

    Raises:
        FrametallyError: The rule does not fit the counts, or they cannot be read.
    """
    tried = None
    if rule.what in BY_BARS:
        tried = _counted_range(rule, ports)
    elif rule.what == "no_footage":
        tried = _filmed_range(rule, ports)
    interval_s = rule.interval_s if rule.what in BY_BARS else None
    if tried is None:
        return RuleTrial(
            from_ms=None,
            to_ms=None,
            interval_s=interval_s,
            total=0,
            alerts=[],
            tried=0,
            fulfilled=0,
            intervals=[],
        )
    first_ms, to_ms = tried
    from_ms, end_ms = asked_ms
    to_ms = to_ms if end_ms is None else min(to_ms, end_ms)
    since_ms = max(first_ms, to_ms - TRIED_DAYS * DAY_MS if from_ms is None else from_ms)
    if since_ms >= to_ms:
        since_ms, to_ms = first_ms, tried[1]
    intervals: list[TriedInterval] = []
    if rule.what in BY_BARS:  # whole intervals, including the first and the last, which may still be filling
        bars = intervals_over(rule, since_ms, to_ms)[-_MOST_TRIED:]
        since_ms, to_ms = bars[0][0], bars[-1][1]
        intervals = _intervals(rule, ports, bars, names)
    trial_rule = msgspec.structs.replace(rule, since_ms=since_ms, made_at_ms=to_ms)
    if rule.what in BY_BARS:
        settled_ms = to_ms + interval_values.settling_ms(rule)
        looks = interval_values.look(trial_rule, replace(ports, now_ms=settled_ms), {})
    else:
        looks = footage_rules.look_for_gaps(trial_rule, replace(ports, now_ms=to_ms), [])
    by_time = {
        (finding.start_ms, finding.source, finding.label): finding
        for look in looks
        for finding in look.findings
    }
    newest = [by_time[key] for key in sorted(by_time, reverse=True)[:_MOST_SHOWN]]
    return RuleTrial(
        from_ms=since_ms,
        to_ms=to_ms,
        interval_s=interval_s,
        total=len(by_time),
        alerts=[
            answer_of(WouldBeAlert, (finding,), source_name=names.get(finding.source, finding.source))
            for finding in newest
        ],
        tried=len(intervals),
        fulfilled=sum(interval.fulfils for interval in intervals),
        intervals=intervals[-_MOST_INTERVALS:],
    )


def _intervals(
    rule: AlertRule, ports: CountPorts, bars: Sequence[tuple[int, int]], names: dict[str, str]
) -> list[TriedInterval]:
    counts = counted_for(rule, ports.index)
    if counts is None:
        return []
    ends_ms = dict(bars)
    values = read_values(rule, ports, counts, sources_of(rule, counts.sources), bars)
    return [
        TriedInterval(
            source=source,
            source_name=names.get(source, source),
            start_ms=start_ms,
            end_ms=ends_ms[start_ms],
            value=value,
            fulfils=fulfils(rule, value),
        )
        for source, of_source in sorted(values.items())
        for start_ms, value in sorted(of_source.items())
    ]


_TEST_S = 20.0
"""Time limit of a test, because a person waits for it."""


class OpenedAlerts:
    """Rules, channels and messages; threads may share it."""

    def __init__(self, context: ActionContext) -> None:
        self._context = context
        self.settings = context.settings
        self.remedy = context.remedy
        self._opened = context.shared(OpenedBook)

    @property
    def book(self) -> AlertBook:
        """The book. Raises `FrametallyError` if it cannot be opened."""
        return self._opened.book

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
        silent_rules = [rule.name for rule in rules if not rule.channels]
        slugs = {source for rule in rules for source in rule.sources}
        slugs |= {source for report in reports for source in report.sources}
        channels, unreadable = all_channels(self.settings, book)
        return answer_of(
            answers.Alerts,
            (self._opened.messages(state=state, before=before, limit=limit),),
            rules=rules,
            source_names={source: source_names[source] for source in sorted(slugs) if source in source_names},
            channels=[
                *(answers.channel_of(one, waiting_counts.get(name, 0)) for name, one in channels.items()),
                *(answers.unreadable_channel(name, waiting_counts.get(name, 0)) for name in unreadable),
            ],
            reports=[answers.report_of(report, _last_day(book, report)) for report in reports],
            unsent=[answers.unsent_alert(alert) for alert in book.newest_alerts(silent_rules, limit)],
            changes_allowed=self.remedy is None,
            remedy=self.remedy,
        )

    def _rules(self, rules: list[AlertRule]) -> tuple[list[answers.ToldRule], dict[str, str]]:
        source_names: dict[str, str] = {}
        try:
            all_silences, source_names = self.look(rules)
            whys = [[silence.why for silence in silences] for silences in all_silences]
        except (FrametallyError, Problem) as error:
            why = f"frametally cannot check this now: {problem_of(error).detail}"
            whys = [[why] for _ in rules]
        return [*map(answers.rule_of, rules, whys)], source_names

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


def _last_day(book: AlertBook, report: ScheduledReport) -> str | None:
    """Return the day of a report's last turn, if the report was made."""
    turn = turn_of(report, round(time.time() * 1000))
    return f"{turn.day}" if turn is not None and book.was_told(turn_key(report, turn.day)) else None
