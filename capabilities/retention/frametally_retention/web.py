"""Adds the routes and the page of the retention policy to the dashboard."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, request

from frametally.errors import FrametallyError
from frametally.process.time_limit import time_limit
from frametally_retention.rounds import known_kinds
from frametally_retention.routes import RETENTION, RetentionRoutes, retention_answer
from frametally_web.pages import page
from frametally_web.plugging import WebContext, WebPart
from frametally_web.requests.problems import problem_of

ENDPOINTS = RETENTION.endpoints


def web_part(context: WebContext) -> WebPart:
    """Return the routes and the page of one application."""
    routes = RetentionRoutes(context)
    pages = Blueprint("retention", __name__)

    @pages.get("/retention")
    def retention_page() -> Response:
        try:
            with time_limit(context.settings.web_query_timeout_s):
                policy, kinds = retention_answer(routes.ports.store), known_kinds(routes.ports)
        except FrametallyError as error:
            current_app.logger.error("%s: %s", request.path, error)
            response = page("retention.html", policy=None, problem=problem_of(error))
            response.status_code = 503
            return response
        return page("retention.html", policy=policy, kinds=kinds, remedy=routes.remedy)

    return WebPart(routes=RETENTION.bind(routes), blueprints=[pages], close=routes.close)
