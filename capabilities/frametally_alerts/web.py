"""Adds the routes and the page of alerts to the dashboard."""

from __future__ import annotations

import time

from flask import Blueprint, Response, current_app, request

from frametally.actions.parameters import BEFORE, Args
from frametally.actions.problems import problem_of
from frametally.errors import FrametallyError
from frametally.process.time_limit import time_limit
from frametally_alerts.message_routes import STATE
from frametally_alerts.opened_book import OpenedAlerts
from frametally_alerts.rules import FOR_GOOD
from frametally_alerts.settings import AlertSettings
from frametally_web.pages import page, parameters_of_request
from frametally_web.plugging import WebContext, WebPart


def web_part(context: WebContext) -> WebPart:
    """Return the routes and the page of one application."""
    alerts = context.shared(OpenedAlerts)
    return WebPart(
        blueprints=[_pages(context, alerts)],
    )


def _pages(context: WebContext, alerts: OpenedAlerts) -> Blueprint:
    pages = Blueprint("alerts", __name__)

    @pages.get("/alerts")
    def alerts_page() -> Response:
        args = Args(parameters_of_request())
        state, before = STATE.read(args), BEFORE.read(args)
        try:
            with time_limit(context.settings.web_query_timeout_s):
                answer = alerts.answer(state=state, before=before)
        except FrametallyError as error:
            current_app.logger.error("%s: %s", request.path, error)
            response = page("alerts.html", told=None, problem=problem_of(error), state="")
            response.status_code = 503
            return response
        now_ms = round(time.time() * 1000)
        has_key = bool(context.settings.part(AlertSettings).alert_key.get_secret_value())
        return page(
            "alerts.html", told=answer, state=state, now_ms=now_ms, for_good=FOR_GOOD, has_key=has_key
        )

    return pages
