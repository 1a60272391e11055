"""The page of the audit log."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from frametally.actions.parameters import Args
from frametally.process.time_limit import time_limit
from frametally.settings.loading import Settings
from frametally_accounts.audit.routes import QUESTION, AuditRoutes


def create_blueprint(settings: Settings, handlers: AuditRoutes) -> Blueprint:
    """Return the route of the page."""
    pages = Blueprint("audit", __name__)

    @pages.get("/audit")
    def log() -> Response:
        args = Args(request.args.items(multi=True))
        with time_limit(settings.web_query_timeout_s):
            answer = handlers.audit(args)
        question = {parameter.name: parameter.read(args) or "" for parameter in QUESTION}
        older = urlencode(
            {**{name: value for name, value in question.items() if value}, "before": answer.next}
        )
        response = Response(render_template("audit.html", told=answer, asked=question, older=older))
        response.headers["Cache-Control"] = "no-store"
        return response

    return pages
