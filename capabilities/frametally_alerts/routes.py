"""Handles requests to list alerts, and to add and remove rules and scheduled reports."""

from __future__ import annotations

import time
from collections.abc import Container, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from frametally.actions.calls import NOTHING, Reply, Sent, answer_with
from frametally.actions.parameters import BEFORE, Args, in_path
from frametally.actions.problems import Problem, ended
from frametally.keys import slug
from frametally.rules.clocks.turns import ClockTurn
from frametally_alerts import answers
from frametally_alerts.book import BookEntry
from frametally_alerts.message_routes import ALERTS, LIMIT, STATE
from frametally_alerts.opened_book import OpenedAlerts
from frametally_alerts.reports.due_reports import MOST_REPORTS, turn_of
from frametally_alerts.rule_form import (
    MOST_RULES,
    MuteWanted,
    ReportWanted,
    RuleRefused,
    RuleWanted,
    make_report,
    make_rule,
    mute_end,
)
from frametally_alerts.rules import AlertRule, ScheduledReport
from frametally_web.books.context import ActionContext
from frametally_web.requests.query import FROM, TO, read_moment

_RULE = Sent(RuleWanted, "rule")
_REPORT = Sent(ReportWanted, "report")
_MUTE = Sent(MuteWanted, "time to mute until")
_RULE_NAME = in_path("name", "Name of the rule.", "busy")
_REPORT_NAME = in_path("name", "Name of the report.", "weekly")
_WORDS = {AlertRule: "rule", ScheduledReport: "report"}
_RULE_SENT_AS = {"for": "lasting", "since": "since_ms"}
"""The fields of a rule by their names on the command line."""
_SENT_AS = {"source": "sources", "label": "labels", "interval": "interval_s", "timezone": "zone"}
"""The fields of a report by the names of its chart's parameters."""


@dataclass(frozen=True)
class AlertRoutes:
    """The handlers of one application."""

    context: ActionContext

    @property
    def opened(self) -> OpenedAlerts:
        """The alert book."""
        return self.context.shared(OpenedAlerts)

    @ALERTS.route("GET alerts", "List rules, channels, and sent alerts, newest first.", STATE, BEFORE, LIMIT)
    def alerts(self, args: Args) -> answers.Alerts:
        return self.opened.answer(state=STATE.read(args), before=BEFORE.read(args), limit=LIMIT.read(args))

    @ALERTS.route(
        "POST alerts/rules",
        "Add a rule, which sends alerts through its channels from then on.",
        body=_RULE,
        statuses=(409,),
        success={201: "The rule is added."},
        right="run",
    )
    def post_alert_rule(self, _: Args) -> answers.ToldRule:
        self._check()
        rule, silent = self._rule()
        self._add(rule, len(self.opened.book.rules()), MOST_RULES)
        return answers.rule_of(rule, silent)

    @ALERTS.route(
        "PUT alerts/rules/{name}",
        "Change a rule. It starts again: it sends alerts from now on, unless you give another start.",
        _RULE_NAME,
        body=_RULE,
        statuses=(409,),
        right="run",
    )
    def put_alert_rule(self, args: Args) -> answers.ToldRule:
        self._check()
        rule, silent = self._rule()
        self._replace(_RULE_NAME.read(args), rule)
        return answers.rule_of(rule, silent)

    @ALERTS.route(
        "PUT alerts/rules/{name}/mute",
        "Mute a rule until a time, or until someone unmutes it.",
        _RULE_NAME,
        body=_MUTE,
        right="run",
    )
    def put_mute(self, args: Args) -> answers.ToldRule:
        self._check()
        wanted_ms = _MUTE.read().until_ms
        try:
            until_ms = 0 if wanted_ms == 0 else mute_end(wanted_ms, round(time.time() * 1000))
        except RuleRefused as error:
            raise _rule_problem("until_ms", error) from error
        rule = self.opened.book.mute_rule(_RULE_NAME.read(args), until_ms)
        if rule is None:
            raise _not_there(AlertRule)
        return answers.rule_of(rule, [])

    @ALERTS.route(
        "POST alerts/trials",
        "Try a rule over a range, or the last seven counted days; this stores nothing.",
        FROM,
        TO,
        body=_RULE,
        right="run",
        only_computes=True,
    )
    def post_trial(self, args: Args) -> answers.RuleTrial:
        """Return the alerts that a rule would have sent; it needs neither a name nor a channel yet."""
        rule, _silent = self._rule({"name": "trial", "channels": ["trial"]}, {"trial"})
        zone = ZoneInfo(rule.timezone or "UTC")
        return self.opened.try_rule(rule, (read_moment(args, FROM, zone), read_moment(args, TO, zone)))

    @ALERTS.route(
        "DELETE alerts/rules/{name}",
        "Delete a rule with its waiting messages.",
        _RULE_NAME,
        success={204: "The rule is deleted."},
        right="run",
    )
    def delete_alert_rule(self, args: Args) -> Reply:
        return self._remove(AlertRule, _RULE_NAME.read(args))

    @ALERTS.route(
        "POST alerts/reports",
        "Schedule a report for every day, week or month. It is tried first, so that you see errors now.",
        body=_REPORT,
        statuses=(409,),
        success={201: "The report is added."},
        right="run",
    )
    def post_report(self, _: Args) -> answers.ToldReport:
        self._check()
        report = self._report()
        self._add(report, len(self.opened.book.reports()), MOST_REPORTS)
        return answers.report_of(report, None)

    @ALERTS.route(
        "PUT alerts/reports/{name}",
        "Change a report after trying it; the change applies from the next report on.",
        _REPORT_NAME,
        body=_REPORT,
        statuses=(409,),
        right="run",
    )
    def put_report(self, args: Args) -> answers.ToldReport:
        self._check()
        report = self._report()
        self._replace(_REPORT_NAME.read(args), report)
        return answers.report_of(report, None)

    @ALERTS.route(
        "DELETE alerts/reports/{name}",
        "Delete a report with its waiting messages; its files stay in the store.",
        _REPORT_NAME,
        success={204: "The report is deleted."},
        right="run",
    )
    def delete_report(self, args: Args) -> Reply:
        return self._remove(ScheduledReport, _REPORT_NAME.read(args))

    def _add(self, entry: BookEntry, already: int, most: int) -> None:
        word = _WORDS[type(entry)]
        if already >= most:
            raise Problem(409, f"You already have {most} {word}s, the maximum.", remedy="Delete one first.")
        if not self.opened.book.add(entry):
            raise _name_taken(entry)
        answer_with(201)

    def _replace(self, name: str, entry: BookEntry) -> None:
        replaced = self.opened.book.replace(name, entry)
        if replaced is None:
            raise _not_there(type(entry))
        if not replaced:
            raise _name_taken(entry)

    def _remove(self, kind: type[BookEntry], name: str) -> Reply:
        self._check()
        if not self.opened.book.remove(kind, name):
            raise _not_there(kind)
        return NOTHING

    def _rule(
        self, instead: Mapping[str, Any] = MappingProxyType({}), known_channels: Container[str] | None = None
    ) -> tuple[AlertRule, list[str]]:
        """Return the rule of the body, and why it may stay silent; `instead` overrides its fields."""
        fields = {**msgspec.structs.asdict(_RULE.read()), **instead}
        if fields["timezone"] is None:
            fields["timezone"] = self.opened.default_zone([*map(slug, fields["sources"])])
        known_channels = self.opened.channels if known_channels is None else known_channels
        try:
            rule = make_rule(**fields, known_channels=known_channels, now_ms=round(time.time() * 1000))
            rule = self.opened.with_counted_interval(rule)
            silences = self.opened.look([rule])[0][0]
            for silence in silences:
                if silence.for_good:
                    raise RuleRefused(silence.field, silence.why)
        except RuleRefused as error:
            raise _rule_problem(_RULE_SENT_AS.get(error.field, error.field), error) from error
        return rule, [silence.why for silence in silences]

    def _report(self) -> ScheduledReport:
        fields = msgspec.structs.asdict(_REPORT.read())
        now_ms = round(time.time() * 1000)
        if fields["zone"] is None:
            fields["zone"] = self.opened.default_zone([*map(slug, fields["sources"])])
        try:
            report = make_report(**fields, known_channels=self.opened.channels, now_ms=now_ms)
        except RuleRefused as error:
            raise _rule_problem(_SENT_AS.get(error.field, error.field), error) from error
        turn = turn_of(report, now_ms)
        if turn is not None:
            self._try(report, turn)
        return report

    def _try(self, report: ScheduledReport, turn: ClockTurn) -> None:
        try:
            self.opened.make_files(report, turn)
        except Problem as problem:
            if problem.status >= 500:
                raise
            field = problem.parameter and _SENT_AS.get(problem.parameter, problem.parameter)
            raise Problem(400, problem.detail, remedy=problem.remedy, parameter=field) from problem

    def _check(self) -> None:
        if self.opened.remedy is not None:
            raise Problem(403, "You cannot change rules and reports here.", remedy=self.opened.remedy)


def _not_there(kind: type[BookEntry]) -> Problem:
    return Problem(
        404,
        f"There is no {_WORDS[kind]} with that name.",
        remedy="GET /api/v1/alerts lists all rules, reports and channels.",
    )


def _name_taken(entry: BookEntry) -> Problem:
    return Problem(
        409,
        f"There is already a {_WORDS[type(entry)]} with that name.",
        remedy="Choose another name, or delete the existing one first.",
    )


def _rule_problem(field: str, error: RuleRefused) -> Problem:
    return Problem(
        400, ended(f"{field}: {error.detail}"), remedy="Correct this, and send it again.", parameter=field
    )
