"""What alerts add to the dashboard: their routes and their page."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from flask import Blueprint, Response, current_app, request

from frametally.errors import FrametallyError
from frametally.naming import KnownNames
from frametally.process.time_limit import time_limit
from frametally.rules.clocks.turns import ClockTurn
from frametally_alerts.answers import RuleTrial
from frametally_alerts.channel_routes import ChannelRoutes
from frametally_alerts.conditions.round_input import CountPorts
from frametally_alerts.opened_book import OpenedAlerts
from frametally_alerts.reports.report_files import files_of
from frametally_alerts.routes import ALERTS, STATE, AlertRoutes
from frametally_alerts.rules import FOR_GOOD, AlertRule, ScheduledReport
from frametally_alerts.trial import try_rule
from frametally_alerts.why_never_fires import Silence, why_silent
from frametally_web.pages import page
from frametally_web.plugging import WebContext, WebPart
from frametally_web.requests.parameters import BEFORE
from frametally_web.requests.problems import problem_of

ENDPOINTS = ALERTS.endpoints


def web_part(context: WebContext) -> WebPart:
    """Return the routes and the page of one application."""
    settings, ports, books = context.settings, context.ports, context.books

    def look_at(rules: Sequence[AlertRule]) -> tuple[list[list[Silence]], dict[str, str]]:
        media = books.media_to_keep()
        source_names = {source: media.name(source) for source in media.sources()}
        names = KnownNames(source_names, settings=settings, store=ports.store, index=ports.index)
        silences = [why_silent(rule, names, ports.index, settings.interval_s) for rule in rules]
        return silences, names.sources

    def make(report: ScheduledReport, turn: ClockTurn) -> dict[str, bytes]:
        return files_of(ports.index, settings, books.media_to_keep(), report, turn)

    def try_one(rule: AlertRule) -> RuleTrial:
        media = books.media_to_keep()
        names = {source: media.name(source) for source in media.sources()}
        now_ms = round(time.time() * 1000)
        return try_rule(rule, CountPorts(settings, ports.store, ports.index, now_ms=now_ms), names)

    def default_zone(sources: Collection[str]) -> str:
        return books.media_to_keep().shared_timezone(sources) or settings.timezone

    alerts = OpenedAlerts(settings.catalogue_url, settings, context.remedy, look_at)
    return WebPart(
        routes=ALERTS.bind(AlertRoutes(alerts, make, try_one, default_zone), ChannelRoutes(alerts)),
        blueprints=[_pages(context, alerts)],
        close=alerts.close,
    )


def _pages(context: WebContext, alerts: OpenedAlerts) -> Blueprint:
    pages = Blueprint("alerts", __name__)

    @pages.get("/alerts")
    def alerts_page() -> Response:
        states = STATE.read(request.args)
        before = BEFORE.read(request.args)
        try:
            with time_limit(context.settings.web_query_timeout_s):
                answer = alerts.answer(states=states, before=before)
        except FrametallyError as error:
            current_app.logger.error("%s: %s", request.path, error)
            response = page("alerts.html", told=None, problem=problem_of(error), state="")
            response.status_code = 503
            return response
        now_ms = round(time.time() * 1000)
        return page("alerts.html", told=answer, state="".join(states), now_ms=now_ms, for_good=FOR_GOOD)

    return pages
