"""Adds the routes and the page of the retention policy to the dashboard."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, request

from frametally.actions.problems import problem_of
from frametally.checkup.findings import Glance
from frametally.errors import FrametallyError
from frametally.process.time_limit import time_limit
from frametally_retention.hooks import findings
from frametally_retention.rounds import known_kinds
from frametally_retention.routes import RetentionRoutes, retention_answer
from frametally_web.pages import page
from frametally_web.plugging import WebContext, WebPart


def web_part(context: WebContext) -> WebPart:
    """Return the routes and the page of one application."""
    routes = context.shared(RetentionRoutes)
    pages = Blueprint("retention", __name__)

    @pages.get("/retention")
    def retention_page() -> Response:
        try:
            with time_limit(context.settings.web_query_timeout_s):
                store = routes.ports.store
                policy, kinds = retention_answer(store), known_kinds(routes.ports)
                is_late = bool([*findings(Glance(context.settings, store))])
        except FrametallyError as error:
            current_app.logger.error("%s: %s", request.path, error)
            response = page("retention.html", policy=None, problem=problem_of(error))
            response.status_code = 503
            return response
        return page("retention.html", policy=policy, kinds=kinds, is_late=is_late, remedy=routes.remedy)

    return WebPart(blueprints=[pages])
