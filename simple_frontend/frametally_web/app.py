"""The Flask application, put together from its own parts and those of the plug-ins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from flask import Flask
from jinja2 import ChoiceLoader, FileSystemLoader
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp

from frametally.plugins import folder_of, load, plugins
from frametally.ports.count_index import CountIndex
from frametally.ports.frame_log import FrameLog
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.settings.loading import Settings
from frametally_accounts import sign_in
from frametally_accounts.audit import routes as audit_routes
from frametally_accounts.audit.opened_book import OpenedAudit
from frametally_accounts.embeds.routes import EmbedRoutes
from frametally_accounts.gate import Gate
from frametally_web import assets, pages
from frametally_web.access.seen_index import SeenIndex
from frametally_web.access.visitors import Visitor
from frametally_web.api import description
from frametally_web.api.endpoints import ENDPOINTS
from frametally_web.api.events import Streams
from frametally_web.api.routes import Api, image_url
from frametally_web.books.reader import BooksReader, DashboardPorts
from frametally_web.books.scraped import MetricsRoute
from frametally_web.connections import MOST_BODY_BYTES
from frametally_web.plugging import WebContext, WebPart
from frametally_web.proof.picture_links import picture_origin
from frametally_web.requests import problems
from frametally_web.requests.native import NativeRoute
from frametally_web.requests.packing import pack_answers
from frametally_web.security import UPLOADS_REMEDY, Guard

_PARTS = "frametally"
TEMPLATES = "page"
"""The folder of a plug-in's package that has its templates."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What an application has beside its short answers.

    Attributes:
        native: All that is not Flask's; `asgi.Application` answers them.
        sockets: WebSockets by path; `""` has all paths that no other has.
        plugins: What each plug-in added, by its name.
    """

    books: BooksReader
    streams: Streams
    guard: Guard
    gate: Gate
    settings: Settings
    native: Sequence[NativeRoute]
    sockets: Mapping[str, ASGIApp]
    plugins: Mapping[str, WebPart]


def create_app(
    *,
    settings: Settings,
    store: ObjectStore,
    index: CountIndex,
    ledger: Ledger,
    log: FrameLog,
    **given: Any,
) -> Flask:
    """Put together the dashboard over an index (the counts), a store (the frames behind them), and the books.

    The caller keeps them, and closes them after the server has stopped and `close_app` has been called.

    Args:
        settings: Of the process.
        store: The frames and segments.
        index: The counts.
        ledger: Which frames were announced and detected.
        log: Where frames are announced.
        given: What plug-ins work on, by name: `access`, the `AccessBook` (none: everybody may do everything),
            `catalogue` of videos and cameras, `look` into uploads, `try_feed` of new cameras.
    """
    app = Flask("frametally_web", static_folder=None)
    own_templates = cast(Any, app.jinja_loader)
    folders = [FileSystemLoader(folder_of(plugin) / TEMPLATES) for plugin in plugins()]
    app.jinja_loader = ChoiceLoader([own_templates, *folders])
    app.config["MAX_CONTENT_LENGTH"] = MOST_BODY_BYTES
    whole = DashboardPorts(store=store, index=index, ledger=ledger, log=log)
    books = BooksReader(whole, settings)
    ports = replace(whole, index=cast(CountIndex, SeenIndex(index)))
    guard = Guard(settings, picture_origin=picture_origin(store, settings))
    audit = OpenedAudit(settings.catalogue_url, settings)
    gate = Gate(settings, store, given.get("access"), audit)
    api = Api(settings=settings, ports=ports, books=books)

    def listener(path: str) -> Callable[[HTTPConnection], Visitor]:
        def check(asks: HTTPConnection) -> Visitor:
            guard.check_listener(asks.headers)
            return gate.admit("WS", path, asks.headers, asks.client.host if asks.client else "")

        return check

    context = WebContext(
        settings=settings,
        ports=ports,
        books=books,
        counts=api.counts,
        image_url=image_url,
        listener=listener,
        remedy=None if guard.allows_uploads else UPLOADS_REMEDY,
        given=given,
    )
    added: dict[str, WebPart] = {one.name: load(one.web)(context) for one in plugins() if one.web}
    api.add(
        handler
        for handlers in (
            [audit_routes.AuditRoutes(audit), EmbedRoutes(settings, gate.signing_key, api.counts)],
            *(part.handlers for part in added.values()),
        )
        for handler in handlers
    )
    blueprint = api.blueprint()
    app.register_blueprint(blueprint, url_prefix="/api")
    app.register_blueprint(blueprint, url_prefix="/api/v1", name="api_v1")
    app.register_blueprint(api.blueprint(at_root=True))
    app.register_blueprint(assets.create_blueprint())
    app.register_blueprint(description.create_blueprint(settings))
    app.register_blueprint(pages.create_blueprint(settings=settings, index=index, chart=api.counts))
    app.register_blueprint(audit_routes.create_blueprint(settings, audit))
    app.register_blueprint(sign_in.create_blueprint(gate))
    for part in added.values():
        for plugin_pages in part.blueprints:
            app.register_blueprint(plugin_pages)
    problems.answer_errors(app, [endpoint.address for endpoint in ENDPOINTS])
    pack_answers(app)
    guard.protect(app)
    gate.protect(app)
    streams = Streams(books, settings)
    app.extensions[_PARTS] = Parts(
        books=books,
        streams=streams,
        guard=guard,
        gate=gate,
        settings=settings,
        native=[
            NativeRoute("/api/events", ("GET",), streams.answer),
            *MetricsRoute(books, settings).routes(),
            *(route for part in added.values() for route in part.native),
        ],
        sockets={path: answer for part in added.values() for path, answer in part.sockets.items()},
        plugins=added,
    )
    return app


def parts_of(app: Flask) -> Parts:
    """Return what belongs to the application beside its short answers."""
    return cast(Parts, app.extensions[_PARTS])


def close_app(app: Flask) -> None:
    """End what the application does beside its requests, and the streams that are open."""
    parts_of(app).books.close()
    for part in parts_of(app).plugins.values():
        part.close()
    parts_of(app).gate.audit.close()
