"""The page, and the route by which others see that the dashboard lives."""

from __future__ import annotations

from flask import Blueprint, Response, render_template

from frametally.count_index import CountIndex
from frametally_web.assets import load_scripts


def create_blueprint(*, index: CountIndex) -> Blueprint:
    """`/` and `/healthz`."""
    pages = Blueprint("pages", __name__)

    @pages.get("/")
    def dashboard() -> Response:
        response = Response(render_template("index.html", scripts=load_scripts()), mimetype="text/html")
        response.headers["Cache-Control"] = "no-cache"
        return response

    @pages.get("/healthz")
    def health() -> Response:
        index.series()  # away: 503, as on every route
        response = Response(b'{"status":"ok"}', mimetype="application/json")
        response.headers["Cache-Control"] = "no-store"
        return response

    return pages
