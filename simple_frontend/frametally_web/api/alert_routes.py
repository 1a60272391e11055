"""The handlers of alerts: what was told, and the rules, added and removed."""

from __future__ import annotations

import time

import msgspec
from flask import Response
from werkzeug.datastructures import MultiDict

from frametally.alerts.making import MOST_RULES, RuleRefused, make_rule
from frametally_web.alerts import answers
from frametally_web.alerts.book import OpenedAlerts
from frametally_web.api.video_routes import answer_with
from frametally_web.requests import query
from frametally_web.requests.body import read_sent
from frametally_web.requests.problems import Problem, bad_parameter

Args = MultiDict[str, str]

STATES = ("queued", "sent", "failed")
# Made once, before there are threads: see `records.decode`.
_wanted = msgspec.json.Decoder(answers.RuleWanted)


class AlertRoutes:
    """The handlers, each by its endpoint's name."""

    def __init__(self, opened: OpenedAlerts) -> None:
        """Make the handlers of one application."""
        self._opened = opened

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
        except RuleRefused as error:
            raise Problem(
                400,
                f"{error.field}: {error.detail}.",
                remedy="Correct it, and send it again.",
                parameter=error.field,
            ) from error
        book = self._opened.book
        if len(book.rules()) >= MOST_RULES:
            raise Problem(409, f"There are {MOST_RULES} rules.", remedy="Remove some first.")
        if not book.add_rule(rule):
            raise Problem(
                409, "There is a rule of that name.", remedy="Give another name, or remove that rule first."
            )
        answer_with(201)
        return answers.rule_of(rule)

    def delete_alert_rule(self, args: Args) -> Response:
        """Remove a rule, with what waits of it."""
        self._check()
        if not self._opened.book.remove_rule(query.read_one(args, "name") or ""):
            raise Problem(
                404, "There is no rule of that name.", remedy="Ask /api/v1/alerts for those that there are."
            )
        return Response(status=204)

    def _check(self) -> None:
        if self._opened.remedy is not None:
            raise Problem(403, "Rules cannot be changed here.", remedy=self._opened.remedy)


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
