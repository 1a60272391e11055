"""The page, and the route by which others see that the dashboard lives."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, render_template

from frametally.errors import FrametallyError
from frametally.ports.count_index import CountIndex
from frametally.process.time_limit import time_limit
from frametally.settings.data_folder import demo_beside, embedded_folder
from frametally.settings.loading import Settings
from frametally_web.assets import load_assets


def create_blueprint(*, settings: Settings, index: CountIndex) -> Blueprint:
    """Return the routes `/` and `/healthz`."""
    pages = Blueprint("pages", __name__)

    @pages.get("/")
    def dashboard() -> Response:
        template = "index.html" if load_assets() else "unmade.html"
        response = Response(
            render_template(template, **_where_to_look(settings, index)), mimetype="text/html"
        )
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


def _where_to_look(settings: Settings, index: CountIndex) -> dict[str, Path | None]:
    """Return what a page without counts names: the folder that it reads, and the demo's beside it."""
    folder = embedded_folder(settings)
    try:
        if folder is None or index.series():
            return {}
    except FrametallyError:  # away: the page says so itself
        return {}
    return {"folder": folder, "demo": demo_beside(folder)}
