"""The Flask application, assembled from its own parts and those of plug-ins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

from flask import Flask
from jinja2 import ChoiceLoader, FileSystemLoader, PrefixLoader
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp

from frametally.actions.calls import MOST_BODY_BYTES
from frametally.plugins import folder_of, hooks, load, plugins
from frametally.ports.count_index import CountIndex
from frametally.ports.frame_log import FrameLog
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.ports.opened import Ports
from frametally.settings.loading import Settings
from frametally.work.family_members import MemberOptions
from frametally_accounts import sign_in
from frametally_accounts.audit import page as audit_page
from frametally_accounts.audit.opened_book import OpenedAudit
from frametally_accounts.audit.routes import AuditRoutes
from frametally_accounts.gate import Gate
from frametally_web import assets, pages
from frametally_web.access.seen_index import DashboardPorts, SeenIndex
from frametally_web.access.visitors import Visitor
from frametally_web.api import description
from frametally_web.api.answering import Answering, answer_readers
from frametally_web.api.chart_routes import ChartRoutes
from frametally_web.api.endpoints import ENDPOINTS, EVERY_ENDPOINT, RIGHTS
from frametally_web.api.events import EVENTS, Streams
from frametally_web.api.first_answers import FirstAnswersReader
from frametally_web.books.reader import BooksReader
from frametally_web.books.scraped import MetricsRoute
from frametally_web.changes.footage_routes import FootageRoutes
from frametally_web.history.routes import HistoryRoutes
from frametally_web.plugging import WebContext, WebPart
from frametally_web.proof.picture_links import picture_origin
from frametally_web.requests import problems
from frametally_web.requests.native import NativeRoute, native_route
from frametally_web.security import UPLOADS_REMEDY, Guard
from frametally_web.translations.readers import translate
from frametally_web.translations.texts import language

_PARTS = "frametally"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of an application besides its short answers.

    Attributes:
        native: All routes that Flask does not answer; `asgi.Application` answers them.
        sockets: WebSockets by path; `""` has all other paths.
        plugins: The additions of each plug-in, by its name.
        resume: Resumes interrupted changes of footage, once the server listens.
    """

    context: WebContext
    streams: Streams
    guard: Guard
    gate: Gate
    settings: Settings
    native: Sequence[NativeRoute]
    sockets: Mapping[str, ASGIApp]
    plugins: Mapping[str, WebPart]
    resume: Callable[[], None]


def create_app(
    *,
    settings: Settings,
    store: ObjectStore,
    index: CountIndex,
    ledger: Ledger,
    log: FrameLog,
    **parts: Any,
) -> Flask:
    """Build the dashboard over an index (the counts), a store (the frames behind them), and the books.

    The caller keeps these, and closes them after the server has stopped and `close_app` was called.

    Args:
        settings: The settings of this process.
        store: The frames and segments.
        index: The counts.
        ledger: The frames that were announced and detected.
        log: The log on which frames are announced.
        parts: Parts for plug-ins, by name: `access`, the `AccessBook` (without it everybody may do
            everything), `catalogue` of videos and cameras, `look` for checking uploads, `try_feed` and
            `search_cameras` for new cameras.
    """
    app = Flask("frametally_web", static_folder=None)
    app.url_map.merge_slashes = False  # a name that is a slash is no shorter address
    own_templates = cast(Any, app.jinja_loader)
    folders = {plugin.name: FileSystemLoader(folder_of(plugin) / pages.TEMPLATES) for plugin in plugins()}
    app.jinja_loader = ChoiceLoader([own_templates, *folders.values(), PrefixLoader(folders)])
    app.config["MAX_CONTENT_LENGTH"] = MOST_BODY_BYTES
    whole = DashboardPorts(store=store, index=index, ledger=ledger, log=log)
    books = BooksReader(whole, settings)
    guard = Guard(settings, picture_origin=picture_origin(store, settings))

    def listener(path: str) -> Callable[[HTTPConnection], Visitor]:
        def check(asks: HTTPConnection) -> Visitor:
            guard.check_listener(asks.headers)
            return gate.admit("WS", path, asks.headers, asks.client.host if asks.client else "")

        return check

    context = WebContext(
        settings=settings,
        ports=replace(whole, index=cast(CountIndex, SeenIndex(index))),
        whole=whole,
        books=books,
        counts=lambda args: context.shared(ChartRoutes).counts(args),
        listener=listener,
        remedy=None if guard.allows_uploads else UPLOADS_REMEDY,
        parts=parts,
    )
    gate = Gate(
        settings,
        store,
        parts.get("access"),
        context.shared(OpenedAudit),
        RIGHTS,
        accounts_are_lost=bool(parts.get("accounts_are_lost")),
    )
    web_parts: dict[str, WebPart] = {
        plugin.name: load(plugin.web)(context) for plugin in plugins() if plugin.web
    }
    streams = Streams(books)
    routes = [
        *(context.route(endpoint) for endpoint in EVERY_ENDPOINT if not endpoint.native),
        *EVENTS.bind(streams),
        *(route for part in web_parts.values() for route in part.routes),
    ]
    answering = Answering(settings, index, books)
    short = [route for route in routes if not route.endpoint.native]
    api = answering.blueprint("api", (route for route in short if not route.endpoint.at_root))
    app.register_blueprint(api, url_prefix="/api")
    app.register_blueprint(api, url_prefix="/api/v1", name="api_v1")
    app.register_blueprint(answering.blueprint("root", (route for route in short if route.endpoint.at_root)))
    app.register_blueprint(assets.create_blueprint())
    translate(app)
    app.add_template_global(lambda: books.media().timezones(), "timezones")
    app.register_blueprint(description.create_blueprint(settings))
    first = FirstAnswersReader(settings, answering, books, routes)
    app.register_blueprint(
        pages.create_blueprint(
            index,
            context.counts,
            context.shared(HistoryRoutes),
            books.add_timezone,
            first,
            parts,
        )
    )
    app.register_blueprint(audit_page.create_blueprint(settings, context.shared(AuditRoutes)))
    app.register_blueprint(sign_in.create_blueprint(gate))
    for part in web_parts.values():
        for plugin_pages in part.blueprints:
            app.register_blueprint(plugin_pages)
    problems.answer_errors(app, [endpoint.address for endpoint in ENDPOINTS])
    answer_readers(app, RIGHTS, language)
    guard.protect(app)
    gate.protect(app)
    app.extensions[_PARTS] = Parts(
        context=context,
        streams=streams,
        guard=guard,
        gate=gate,
        settings=settings,
        native=[
            *MetricsRoute(books, settings).routes(),
            *(native_route(route) for route in routes if route.endpoint.native),
        ],
        sockets={path: answer for part in web_parts.values() for path, answer in part.sockets.items()},
        plugins=web_parts,
        resume=context.shared(FootageRoutes).resume,
    )
    return app


@contextmanager
def opened_app(ports: Ports, ledger: Ledger, options: MemberOptions, **parts: Any) -> Iterator[Flask]:
    """Build the dashboard over open ports with what plug-ins open for it; see `create_app` for `parts`.

    Close it with `close_app` at the end, unless `serve` does so.
    """
    with ExitStack() as stack:
        for serving in hooks("serving"):
            parts |= stack.enter_context(serving(ports, options))
        yield create_app(
            settings=ports.settings,
            store=ports.store,
            index=ports.index,
            ledger=ledger,
            log=ports.log,
            **parts,
        )


def parts_of(app: Flask) -> Parts:
    """Return the parts of the application besides its short answers."""
    return cast(Parts, app.extensions[_PARTS])


def close_app(app: Flask) -> None:
    """End the application's background work and its open streams."""
    for part in parts_of(app).plugins.values():
        part.close()
    parts_of(app).context.close()
    parts_of(app).context.books.close()
