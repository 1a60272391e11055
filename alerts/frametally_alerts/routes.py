"""The handlers of alerts: what was told, and rules and scheduled reports, added and removed."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
from flask import Response
from werkzeug.datastructures import MultiDict

from frametally.rules.clocks.turns import ClockTurn
from frametally_alerts import answers
from frametally_alerts.opened_book import OpenedAlerts
from frametally_alerts.reports.due_reports import MOST_REPORTS, make_report, turn_of
from frametally_alerts.rule_form import MOST_RULES, RuleRefused, make_rule
from frametally_alerts.scheduled_report import ScheduledReport
from frametally_web.requests import query
from frametally_web.requests.body import read_sent
from frametally_web.requests.problems import Problem, bad_parameter, ended
from frametally_web.requests.status import answer_with

Args = MultiDict[str, str]

STATES = ("queued", "sent", "failed")
# Made once, before there are threads: see `records.decode`.
_wanted = msgspec.json.Decoder(answers.RuleWanted)
_report_wanted = msgspec.json.Decoder(answers.ReportWanted)
_RULE_SENT_AS = {"for": "lasting", "since": "since_ms"}
"""A rule's fields, by the names that the command line has for them."""
_SENT_AS = {"source": "sources", "label": "labels", "interval": "interval_s", "timezone": "zone"}
"""A report's fields, by the names that the parameters of its chart have."""


class AlertRoutes:
    """The handlers, each by its endpoint's name."""

    def __init__(
        self, opened: OpenedAlerts, make: Callable[[ScheduledReport, ClockTurn], object], timezone: str
    ) -> None:
        """Make the handlers of one application.

        Args:
            opened: What they read and change.
            make: Makes the files of a report, to see whether it can; raises `Problem`.
            timezone: Whose clocks a report is made by that names none.
        """
        self._opened = opened
        self._make = make
        self._timezone = timezone

    def alerts(self, args: Args) -> answers.Alerts:
        """Return rules, channels, and a page of what was told."""
        return self._opened.answer(states=states_in(args), before=query.read_before(args))

    def post_alert_rule(self, _: Args) -> answers.ToldRule:
        """Add a rule."""
        self._check()
        wanted = read_sent(_wanted, "rule")
        try:
            rule = make_rule(
                **msgspec.structs.asdict(wanted),
                known=self._opened.channels,
                now_ms=round(time.time() * 1000),
            )
            silences = self._opened.look([rule])[0][0]
            for one in silences:
                if one.for_good:
                    raise RuleRefused(one.field, one.why)
        except RuleRefused as error:
            raise _refused(_RULE_SENT_AS.get(error.field, error.field), error) from error
        book = self._opened.book
        if len(book.rules()) >= MOST_RULES:
            raise Problem(409, f"There are {MOST_RULES} rules.", remedy="Remove some first.")
        if not book.add_rule(rule):
            raise Problem(
                409, "There is a rule of that name.", remedy="Give another name, or remove that rule first."
            )
        answer_with(201)
        return answers.rule_of(rule, [one.why for one in silences])

    def delete_alert_rule(self, args: Args) -> Response:
        """Remove a rule, with what waits of it."""
        self._check()
        if not self._opened.book.remove_rule(query.read_one(args, "name") or ""):
            raise Problem(
                404, "There is no rule of that name.", remedy="Ask /api/v1/alerts for those that there are."
            )
        return Response(status=204)

    def post_report(self, _: Args) -> answers.ToldReport:
        """Add a report, once it is seen that it can be made."""
        self._check()
        wanted = msgspec.structs.asdict(read_sent(_report_wanted, "report"))
        now_ms = round(time.time() * 1000)
        if wanted["zone"] is None:
            wanted["zone"] = self._timezone
        try:
            report = make_report(**wanted, known=self._opened.channels, now_ms=now_ms)
        except RuleRefused as error:
            raise _refused(_SENT_AS.get(error.field, error.field), error) from error
        turn = turn_of(report, now_ms)
        if turn is not None:
            self._try(report, turn)
        book = self._opened.book
        if len(book.reports()) >= MOST_REPORTS:
            raise Problem(409, f"There are {MOST_REPORTS} reports.", remedy="Remove some first.")
        if not book.add_report(report):
            raise Problem(
                409,
                "There is a report of that name.",
                remedy="Give another name, or remove that report first.",
            )
        answer_with(201)
        return answers.report_of(report, None)

    def delete_report(self, args: Args) -> Response:
        """Remove a report, with what waits of it."""
        self._check()
        if not self._opened.book.remove_report(query.read_one(args, "name") or ""):
            raise Problem(
                404,
                "There is no report of that name.",
                remedy="Ask /api/v1/alerts for those that there are.",
            )
        return Response(status=204)

    def _try(self, report: ScheduledReport, turn: ClockTurn) -> None:
        try:
            self._make(report, turn)
        except Problem as problem:
            if problem.status >= 500:
                raise
            field = problem.parameter and _SENT_AS.get(problem.parameter, problem.parameter)
            raise Problem(400, problem.detail, remedy=problem.remedy, parameter=field) from problem

    def _check(self) -> None:
        if self._opened.remedy is not None:
            raise Problem(403, "Rules and reports cannot be changed here.", remedy=self._opened.remedy)


def _refused(field: str, error: RuleRefused) -> Problem:
    return Problem(
        400, ended(f"{field}: {error.detail}"), remedy="Correct it, and send it again.", parameter=field
    )


def states_in(args: Args) -> tuple[str, ...]:
    """Return the states that are asked for; none: all. Raises `Problem`."""
    state = query.read_one(args, "state")
    if state is None:
        return ()
    if state not in STATES:
        raise bad_parameter(
            "state", f"There is no state {query.shown(state)}.", remedy=f"Use {', '.join(STATES)}."
        )
    return (state,)
