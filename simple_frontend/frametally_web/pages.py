"""The routes of the pages, and the route that shows that the dashboard is alive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, render_template, request

from frametally.actions.parameters import Args, Parameter
from frametally.actions.problems import Problem
from frametally.checkup.findings import SEVERITIES, ServingLook, ask, plugin_findings
from frametally.errors import FrametallyError
from frametally.files.export_formats import FORMATS
from frametally.plugins import PageEntry, folder_of, plugins
from frametally.ports.count_index import CountIndex
from frametally.process.time_limit import time_limit
from frametally.rules.places import SIMULATED_MODEL
from frametally.rules.times import local_time, utc
from frametally.settings.data_folder import demo_beside, embedded_folder
from frametally.settings.loading import Settings
from frametally_accounts.embeds.routes import SIGNED
from frametally_accounts.embeds.signed_selection import MOST_DAYS
from frametally_web.api.first_answers import MOST_S, FirstAnswersReader
from frametally_web.assets import build_command, is_building, load_assets
from frametally_web.charts.answers import Counts
from frametally_web.charts.counts import whole_question
from frametally_web.history.routes import HistoryRoutes
from frametally_web.requests.query import CHART, COMPARE, LABEL, SOURCE, TOP, read_zone

HEALTH_PATH = "/healthz"
TEMPLATES = "page"
"""The folder with templates in a plug-in's package."""
PLUGIN_PAGES = [entry for plugin in plugins() for entry in plugin.pages]
_MENU = sorted(
    [
        PageEntry("/", "look", label="web.answers"),
        PageEntry("/footage", "correct", label="web.corrections", order=25, section="web.footage"),
        PageEntry("/data", "look", label="web.data_api", order=45, section="web.reports"),
        PageEntry("/books", "look", label="web.overview", order=60, section="web.health"),
        PageEntry("/models", "run", label="web.models", order=65, section="web.health"),
        *(entry for entry in PLUGIN_PAGES if entry.label),
    ],
    key=lambda entry: entry.order,
)


class MenuLink(NamedTuple):
    """A link of the menu: the key of its text, and its `aria-current`, empty if it leads elsewhere."""

    path: str
    label: str
    current: str


def menu(may: Callable[[str], bool], path: str, room: str = "") -> tuple[list[MenuLink], list[MenuLink]]:
    """Return the sections that a visitor `may` open, each by its first page, and the pages of one section.

    The section is that of the page at `path`, or else of `room`; a page alone in it is not listed.
    """
    sections: dict[str, dict[str, str]] = {}
    for entry in _MENU:
        if may(f"GET {entry.path}"):
            sections.setdefault(entry.section or entry.label, {}).setdefault(entry.label, entry.path)
    room_now = path if any(path in paths.values() for paths in sections.values()) else room

    def link(to: str, label: str, *, is_here: bool) -> MenuLink:
        return MenuLink(to, label, ("page" if to == path else "true") if is_here else "")

    links, pages = [], []
    for section, paths in sections.items():
        is_here = room_now in paths.values()
        links.append(link(next(iter(paths.values())), section, is_here=is_here))
        if is_here and len(paths) > 1:
            pages = [link(to, label, is_here=to == room_now) for label, to in paths.items()]
    return links, pages


def bundles_beside(bundle: str) -> list[str]:
    """Return the bundles that plug-ins add to a page, given the page's own bundle."""
    return [plugin.beside[bundle] for plugin in plugins() if bundle in plugin.beside]


@cache
def added_parts(place: str) -> list[str]:
    """Return the templates that plug-ins add to a place of the dashboard's page, such as `chart_tools`."""
    found = (plugin for plugin in plugins() if (folder_of(plugin) / TEMPLATES / f"{place}.html").is_file())
    return [f"{plugin.name}/{place}.html" for plugin in found]


def create_blueprint(
    index: CountIndex,
    chart: Callable[[Args], Counts],
    histories: HistoryRoutes,
    add_timezone: Callable[[Args], None],
    first: FirstAnswersReader,
    parts: Mapping[str, Any],
) -> Blueprint:
    """Return the routes of the pages, and `/healthz`.

    `chart` returns a chart's counts, `add_timezone` sets a query's missing time zone, and `first` reads what
    the dashboard shows first; `parts` is what plug-ins have opened for the dashboard.
    """
    settings, books = histories.settings, histories.books
    pages = Blueprint("pages", __name__)
    pages.add_app_template_filter(utc)
    pages.add_app_template_filter(lambda time_ms: utc(time_ms).replace("Z", " UTC"), "moment")
    pages.add_app_template_global(menu)
    pages.add_app_template_global(bundles_beside)
    pages.add_app_template_global(added_parts)
    pages.add_app_template_global(FORMATS.items, "export_formats")
    pages.add_app_template_global(lambda: " ".join(plugin.name for plugin in plugins()), "plugin_names")

    @pages.get("/")
    def dashboard() -> Response:
        is_built = load_assets() is not None
        template = "index.html" if is_built else "unmade.html"
        building = {"is_building": is_building(), "command": build_command()}
        with time_limit(MOST_S):
            where, simulated = _where_to_look(settings, index), _simulated(index)
            answers = first.read(Args(parameters_of_request()))
        response = make_response(
            render_template(template, **where, **building, simulated=simulated, first=answers)
        )
        response.headers["Cache-Control"] = "no-cache"
        if not is_built and is_building():
            response.headers["Refresh"] = "5"
        return response

    @pages.get("/books", endpoint="books")
    def show_books() -> Response:
        return page("books.html")

    @pages.get("/history")
    def history() -> Response:
        args = Args(parameters_of_request())
        with time_limit(settings.web_query_timeout_s):
            add_timezone(args)
            number_history = histories.history(args)
        zone, name_of = read_zone(args, settings).tzinfo, books.media().name

        def at(time_ms: int) -> str:
            return local_time(time_ms, zone).strftime("%Y-%m-%d %H:%M:%S")

        return page(
            "history.html",
            told=number_history,
            asked={"labels": LABEL.read(args), "sources": [*map(name_of, SOURCE.read(args))]},
            at=at,
            name_of=name_of,
        )

    @pages.get("/dead-letters")
    def dead_letters() -> Response:
        return page("dead_letters.html")

    @pages.get("/models")
    def models() -> Response:
        return page("models.html")

    @pages.get("/footage")
    def footage() -> Response:
        return page("footage.html")

    for entry in PLUGIN_PAGES:
        if entry.template:
            pages.add_url_rule(entry.path, entry.path, partial(page, entry.template))

    @pages.get("/data")
    def data() -> Response:
        counts = _answer(settings, chart)

        def whole(parameters: list[tuple[str, str]]) -> str:
            return urlencode(parameters if counts is None else whole_question(parameters, counts))

        exported, counts_query = whole(_selection(*CHART, COMPARE)), whole(_selection(*CHART, TOP))
        embedded = whole(parameters_of_request())
        root_url = request.url_root
        return page(
            "data.html",
            is_narrowed=any(name != "timezone" for name, _ in _selection(*CHART, TOP)),
            signed=whole(_selection(*SIGNED)),
            most_days=MOST_DAYS,
            export=f"{root_url}api/v1/export?{exported}{'&' if exported else ''}format=",
            counts=f"{root_url}api/v1/counts{'?' if counts_query else ''}{counts_query}",
            embed=f"{root_url}embed{'?' if embedded else ''}{embedded}",
        )

    @pages.get("/embed")
    def embed() -> Response:
        return page("embed.html", is_simulated=request.args.get("model") == SIMULATED_MODEL)

    @pages.get(HEALTH_PATH)
    def health() -> Response:
        with time_limit(settings.web_query_timeout_s):
            for finding in (*ask("index", index.check), *plugin_findings(ServingLook(parts))):
                if (status := SEVERITIES[finding.grade].health) != 200:
                    raise Problem(status, finding.value, remedy=finding.remedy)
        response = Response(b'{"status":"ok"}', mimetype="application/json")
        response.headers["Cache-Control"] = "no-store"
        return response

    return pages


def page(template: str, **values: object) -> Response:
    """Return a page whose links to other pages carry this page's question."""
    carried = urlencode(parameters_of_request())
    response = Response(render_template(template, carried=carried, **values), mimetype="text/html")
    response.headers["Cache-Control"] = "no-cache"
    return response


def parameters_of_request() -> list[tuple[str, str]]:
    """Return the names and values of the current request's query."""
    return list(request.args.items(multi=True))


def _selection(*parameters: Parameter[Any]) -> list[tuple[str, str]]:
    """Return the parameters in the page's address that a route of the API also has, under the same names."""
    names = {parameter.name for parameter in parameters}
    return [(name, value) for name, value in parameters_of_request() if name in names]


def _answer(settings: Settings, chart: Callable[[Args], Counts]) -> Counts | None:
    """Return the counts that the page's address requests.

    Return None if the selection cannot be answered, now or at all; then the addresses repeat what was sent.
    """
    args = Args([*_selection(*CHART, TOP), ("top", "0")])
    args.put("metric", args.get("metric") or "auto")
    try:
        with time_limit(settings.web_query_timeout_s):
            return chart(args)
    except (FrametallyError, Problem):
        return None


def _where_to_look(settings: Settings, index: CountIndex) -> dict[str, Path | None]:
    """Return the folders that a page without counts names: the one that it reads, and the demo's."""
    folder = embedded_folder(settings)
    try:
        if folder is None or index.series():
            return {}
    except FrametallyError:  # unavailable: the page reports it itself
        return {}
    return {"folder": folder, "demo": demo_beside(folder)}


def _simulated(index: CountIndex) -> str:
    """Return the model of the demo's simulated town, if it is here."""
    try:
        return SIMULATED_MODEL if any(series.model == SIMULATED_MODEL for series in index.series()) else ""
    except FrametallyError:  # unavailable: the page reports it itself
        return ""
