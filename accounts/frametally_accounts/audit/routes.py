"""The handler and the page of the audit log."""

from __future__ import annotations

import datetime
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request
from werkzeug.datastructures import MultiDict

from frametally.process.time_limit import time_limit
from frametally.rules.times import iso_moment_ms
from frametally.settings.loading import Settings
from frametally_accounts.audit import answers
from frametally_accounts.audit.opened_book import OpenedAudit
from frametally_accounts.audit.verdicts import AuditQuestion
from frametally_web.requests import query
from frametally_web.requests.problems import bad_parameter

Args = MultiDict[str, str]

_PAGE = 50
_ASKED = ("who", "what", "from", "to")


class AuditRoutes:
    """The handlers, each by its endpoint's name."""

    def __init__(self, opened: OpenedAudit) -> None:
        """Make the handlers of one application."""
        self._opened = opened

    def audit(self, args: Args) -> answers.AuditLog:
        """Return a page of what was changed, the newest first."""
        question = AuditQuestion(
            query.read_one(args, "who") or "",
            query.read_one(args, "what") or "",
            _moment(args, "from"),
            _moment(args, "to"),
        )
        changes, following = self._opened.book.changes(_PAGE, question, before=query.read_before(args))
        return answers.AuditLog(changes=[answers.change_of(one) for one in changes], next=following)


def create_blueprint(settings: Settings, opened: OpenedAudit) -> Blueprint:
    """Return the route of the page."""
    pages = Blueprint("audit", __name__)
    handlers = AuditRoutes(opened)

    @pages.get("/audit")
    def log() -> Response:
        with time_limit(settings.web_query_timeout_s):
            told = handlers.audit(request.args)
        asked = {name: query.read_one(request.args, name) or "" for name in _ASKED}
        older = urlencode({**{name: value for name, value in asked.items() if value}, "before": told.next})
        response = Response(render_template("audit.html", told=told, asked=asked, older=older))
        response.headers["Cache-Control"] = "no-store"
        return response

    return pages


def _moment(args: Args, name: str) -> int:
    """Return a moment of the query in milliseconds, one without an offset in UTC; 0: it has none."""
    text = query.read_one(args, name)
    if text is None:
        return 0
    try:
        return max(0, iso_moment_ms(text, datetime.UTC))
    except ValueError as error:
        raise bad_parameter(
            name, f"{query.shown(text)} is no moment.", remedy="Use ISO 8601, such as 2026-05-01T08:00Z."
        ) from error
