"""Adds the page for a data protection officer to the dashboard."""

from __future__ import annotations

import time

from flask import Blueprint, Response, current_app, request

from frametally.actions.problems import problem_of
from frametally.errors import FrametallyError
from frametally.ports.opened import StorePorts
from frametally.process.time_limit import time_limit
from frametally.rules.times import utc
from frametally_privacy.data_protection import data_protection, sections
from frametally_web.pages import page
from frametally_web.plugging import WebContext, WebPart
from frametally_web.translations.readers import t


def web_part(context: WebContext) -> WebPart:
    """Return the page of one application."""
    pages = Blueprint("privacy", __name__)

    @pages.get("/data-protection")
    def data_protection_page() -> Response:
        try:
            with time_limit(context.settings.web_query_timeout_s):
                ports = StorePorts(context.settings, context.ports.store)
                facts = data_protection(ports, context.parts.get("access"))
        except FrametallyError as error:
            current_app.logger.error("%s: %s", request.path, error)
            response = page("data_protection.html", sections=[], problem=problem_of(error))
            response.status_code = 503
            return response
        now = utc(round(time.time() * 1000))
        return page("data_protection.html", sections=sections(facts, t), now=now, problem=None)

    return WebPart(blueprints=[pages])
