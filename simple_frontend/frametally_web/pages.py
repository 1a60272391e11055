"""The page, and the route by which others see that the dashboard lives."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request
from werkzeug.datastructures import MultiDict

from frametally.errors import FrametallyError
from frametally.plugins import plugins
from frametally.ports.count_index import CountIndex
from frametally.process.time_limit import time_limit
from frametally.rules.times import utc
from frametally.settings.data_folder import demo_beside, embedded_folder
from frametally.settings.loading import Settings
from frametally_accounts.embeds.signed_selection import MOST_DAYS
from frametally_web.api.endpoints import ENDPOINTS
from frametally_web.assets import load_assets
from frametally_web.charts.answers import Counts
from frametally_web.charts.whole_question import whole_question
from frametally_web.requests.problems import Problem

Args = MultiDict[str, str]

HEALTH_PATH = "/healthz"
PLUGIN_PAGES = [entry for plugin in plugins() for entry in plugin.pages]
_MENU = sorted(
    [
        ("/", "Answers", 0),
        *((entry.path, entry.label, entry.order) for entry in PLUGIN_PAGES if entry.label),
        ("/books", "Books", 50),
        ("/data", "Data & API", 60),
    ],
    key=lambda entry: entry[2],
)


def menu(may: Callable[[str], bool]) -> list[tuple[str, str]]:
    """Return path and name of each page that the menu leads to, for what a visitor `may` open."""
    allowed = {label: path for path, label, _ in reversed(_MENU) if may(f"GET {path}")}
    return [(path, label) for path, label, _ in _MENU if allowed.get(label) == path]


def bundles_beside(bundle: str) -> list[str]:
    """Return the bundles that plug-ins add to a page, by the page's own."""
    return [plugin.beside[bundle] for plugin in plugins() if bundle in plugin.beside]


def create_blueprint(*, settings: Settings, index: CountIndex, chart: Callable[[Args], Counts]) -> Blueprint:
    """Return the routes of the pages, and `/healthz`; `chart` answers a chart's counts."""
    pages = Blueprint("pages", __name__)
    pages.add_app_template_filter(utc, "moment")
    pages.add_app_template_global(menu)
    pages.add_app_template_global(bundles_beside)
    pages.add_app_template_global(lambda: " ".join(plugin.name for plugin in plugins()), "plugin_names")

    @pages.get("/")
    def dashboard() -> Response:
        template = "index.html" if load_assets() else "unmade.html"
        response = Response(
            render_template(template, **_where_to_look(settings, index)), mimetype="text/html"
        )
        response.headers["Cache-Control"] = "no-cache"
        return response

    @pages.get("/books")
    def books() -> Response:
        return page("books.html")

    for entry in PLUGIN_PAGES:
        if entry.template:
            pages.add_url_rule(entry.path, entry.path, partial(page, entry.template))

    @pages.get("/data")
    def data() -> Response:
        shown = _answer(settings, chart)

        def whole(sent: list[tuple[str, str]]) -> str:
            return urlencode(sent if shown is None else whole_question(sent, shown))

        exported, counted = whole(_selection("export")), whole(_selection("counts"))
        embedded = whole(_sent())
        here = request.url_root
        return page(
            "data.html",
            is_narrowed=any(name != "timezone" for name, _ in _selection("counts")),
            signed=whole(_selection("post_embed")),
            most_days=MOST_DAYS,
            export=f"{here}api/v1/export?{exported}{'&' if exported else ''}format=",
            counts=f"{here}api/v1/counts{'?' if counted else ''}{counted}",
            embed=f"{here}embed{'?' if embedded else ''}{embedded}",
        )

    @pages.get("/embed")
    def embed() -> Response:
        return page("embed.html")

    @pages.get(HEALTH_PATH)
    def health() -> Response:
        with time_limit(settings.web_query_timeout_s):
            index.check()  # away or damaged: 503, as on every route
        response = Response(b'{"status":"ok"}', mimetype="application/json")
        response.headers["Cache-Control"] = "no-store"
        return response

    return pages


def page(template: str, **shown: object) -> Response:
    """Return a page, whose links to other pages carry what this one is asked for."""
    carried = urlencode(_sent())
    response = Response(render_template(template, carried=carried, **shown), mimetype="text/html")
    response.headers["Cache-Control"] = "no-cache"
    return response


def _sent() -> list[tuple[str, str]]:
    return list(request.args.items(multi=True))


def _selection(endpoint: str) -> list[tuple[str, str]]:
    """Return what of the page's address a route of the API knows, too: they have the same names."""
    known = {one.name for route in ENDPOINTS if route.name == endpoint for one in route.parameters}
    return [(name, value) for name, value in _sent() if name in known - {"format"}]


def _answer(settings: Settings, chart: Callable[[Args], Counts]) -> Counts | None:
    """Return the counts that the page's address asks for.

    None where the selection cannot be answered, now or at all: then the addresses say what was sent.
    """
    args = MultiDict([*_selection("counts"), ("top", "0")])
    args["metric"] = args.get("metric") or "auto"
    try:
        with time_limit(settings.web_query_timeout_s):
            return chart(args)
    except (FrametallyError, Problem):
        return None


def _where_to_look(settings: Settings, index: CountIndex) -> dict[str, Path | None]:
    """Return what a page without counts names: the folder that it reads, and the demo's beside it."""
    folder = embedded_folder(settings)
    try:
        if folder is None or index.series():
            return {}
    except FrametallyError:  # away: the page says so itself
        return {}
    return {"folder": folder, "demo": demo_beside(folder)}
