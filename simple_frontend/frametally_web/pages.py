"""The page, and the route by which others see that the dashboard lives."""

from __future__ import annotations

from flask import Blueprint, Response, render_template

from frametally.ports.count_index import CountIndex
from frametally.process.time_limit import time_limit
from frametally.settings.loading import Settings
from frametally_web.assets import load_assets


def create_blueprint(*, settings: Settings, index: CountIndex) -> Blueprint:
    """Return the routes `/` and `/healthz`."""
    pages = Blueprint("pages", __name__)

    @pages.get("/")
    def dashboard() -> Response:
        template = "index.html" if load_assets() else "unmade.html"
        response = Response(render_template(template), mimetype="text/html")
        response.headers["Cache-Control"] = "no-cache"
        return response

    @pages.get("/healthz")
    def health() -> Response:
        with time_limit(settings.web_query_timeout_s):
            index.check()  # away or damaged: 503, as on every route
        response = Response(b'{"status":"ok"}', mimetype="application/json")
        response.headers["Cache-Control"] = "no-store"
        return response

    return pages
