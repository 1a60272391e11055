"""What alerts add to the dashboard: their routes and their page."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Response, current_app, request

from frametally.errors import FrametallyError
from frametally.naming.known import KnownNames
from frametally.process.time_limit import time_limit
from frametally.rules.clocks.turns import ClockTurn
from frametally_alerts.opened_book import OpenedAlerts
from frametally_alerts.reports.report_files import files_of
from frametally_alerts.routes import AlertRoutes, states_in
from frametally_alerts.rules import AlertRule
from frametally_alerts.scheduled_report import ScheduledReport
from frametally_alerts.silence import Silence, why_silent
from frametally_web.pages import page
from frametally_web.plugging import WebContext, WebPart
from frametally_web.requests import query
from frametally_web.requests.problems import problem_of


def web_part(context: WebContext) -> WebPart:
    """Return the routes and the page of one application."""
    settings, ports, books = context.settings, context.ports, context.books

    def look_at(rules: Sequence[AlertRule]) -> tuple[list[list[Silence]], dict[str, str]]:
        media = books.media_to_keep()
        written = {source: media.name(source) for source in media.sources()}
        names = KnownNames(written, settings=settings, store=ports.store, index=ports.index)
        silences = [why_silent(rule, names, ports.index, settings.interval_s) for rule in rules]
        return silences, names.sources

    def make(report: ScheduledReport, turn: ClockTurn) -> dict[str, bytes]:
        return files_of(ports.index, settings, books.media_to_keep(), report, turn)

    alerts = OpenedAlerts(settings.catalogue_url, settings, context.remedy, look_at)
    return WebPart(
        handlers=[AlertRoutes(alerts, make, settings.timezone)],
        blueprints=[_pages(context, alerts)],
        close=alerts.close,
    )


def _pages(context: WebContext, alerts: OpenedAlerts) -> Blueprint:
    pages = Blueprint("alerts", __name__)

    @pages.get("/alerts")
    def alerts_page() -> Response:
        states = states_in(request.args)
        before = query.read_before(request.args)
        try:
            with time_limit(context.settings.web_query_timeout_s):
                shown = alerts.answer(states=states, before=before)
        except FrametallyError as error:
            current_app.logger.error("%s: %s", request.path, error)
            response = page("alerts.html", told=None, problem=problem_of(error), state="")
            response.status_code = 503
            return response
        return page("alerts.html", told=shown, state="".join(states))

    return pages
