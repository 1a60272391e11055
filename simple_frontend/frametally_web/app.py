"""The Flask application, put together from its parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

from flask import Flask
from starlette.requests import HTTPConnection

from frametally.naming.known import KnownNames
from frametally.ports.count_index import CountIndex
from frametally.ports.frame_log import FrameLog
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectStore
from frametally.rules.clocks.turns import ClockTurn
from frametally.settings.loading import Settings
from frametally_accounts import sign_in
from frametally_accounts.audit import routes as audit_routes
from frametally_accounts.audit.opened_book import OpenedAudit
from frametally_accounts.book_port import AccessBook
from frametally_accounts.embeds.routes import EmbedRoutes
from frametally_accounts.gate import Gate
from frametally_alerts.opened_book import OpenedAlerts
from frametally_alerts.reports.report_files import files_of
from frametally_alerts.reports.scheduled_report import ScheduledReport
from frametally_alerts.routes import AlertRoutes
from frametally_alerts.rules import AlertRule
from frametally_alerts.silence import Silence, why_silent
from frametally_live.camera_routes import CameraRoutes
from frametally_live.cameras.camera_form import TryFeed
from frametally_live.viewers.camera_lag import Detected
from frametally_live.viewers.viewer_sockets import STREAM_PATH, ViewerSockets
from frametally_traffic.drawings.file_forms import MOST_FILE_BYTES
from frametally_traffic.flows.published_days import flows_for
from frametally_traffic.line_counts.background_days import FlowDays
from frametally_videos.playback.frame_routes import FrameRoutes
from frametally_videos.playback.routes import PlaybackRoutes
from frametally_videos.playback.video_detections import DetectionRoutes
from frametally_videos.ports.video_catalogue import VideoCatalogue
from frametally_videos.sockets.client_sockets import ClientSockets
from frametally_videos.upload_routes.native_routes import upload_routes
from frametally_videos.upload_routes.upload_place import UploadPlace
from frametally_videos.uploads.inspection import inspect
from frametally_videos.uploads.receiving import Look, UploadPorts
from frametally_web import assets, pages
from frametally_web.api import description
from frametally_web.api.endpoints import ENDPOINTS
from frametally_web.api.events import Streams
from frametally_web.api.routes import Api
from frametally_web.books.reader import BooksReader, DashboardPorts
from frametally_web.books.scraped import MetricsRoute
from frametally_web.proof.picture_links import picture_origin
from frametally_web.requests import problems
from frametally_web.requests.native import NativeRoute
from frametally_web.requests.packing import pack_answers
from frametally_web.security import UPLOADS_REMEDY, Guard
from frametally_web.seen_index import SeenIndex
from frametally_web.visitors import Visitor

_PARTS = "frametally"
FLOWS_FOLDER = "flows"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What an application has beside its short answers."""

    books: BooksReader
    detected: Detected
    alerts: OpenedAlerts
    days: FlowDays
    streams: Streams
    guard: Guard
    gate: Gate
    settings: Settings
    uploads: UploadPlace
    sockets: ClientSockets
    viewers: ViewerSockets
    native: Sequence[NativeRoute]
    """All that is not Flask's; `asgi.Application` answers them."""


def create_app(
    *,
    settings: Settings,
    store: ObjectStore,
    index: CountIndex,
    ledger: Ledger,
    log: FrameLog,
    catalogue: VideoCatalogue,
    access: AccessBook | None = None,
    look: Look = inspect,
    try_feed: TryFeed = lambda _: None,
) -> Flask:
    """Put together the dashboard over an index (the counts), a store (the frames behind them), and the books.

    The caller keeps them, and closes them after the server has stopped and `close_app` has been called.
    `access` says who may do what; None: everybody may do everything. `look` looks into the bytes of videos
    that were uploaded, and `try_feed` tries cameras that are added.
    """
    app = Flask("frametally_web", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_FILE_BYTES
    whole = DashboardPorts(store=store, index=index, ledger=ledger, log=log, catalogue=catalogue)
    books = BooksReader(whole, settings)
    ports = replace(whole, index=cast(CountIndex, SeenIndex(index)))
    days = FlowDays(partial(flows_for, store, folder=settings.data_dir / FLOWS_FOLDER))
    guard = Guard(settings, picture_origin=picture_origin(store, settings))
    audit = OpenedAudit(catalogue.url, settings)
    gate = Gate(settings, store, access, audit)
    remedy = None if guard.allows_uploads else UPLOADS_REMEDY
    detected = Detected(log, settings.results_topic)

    def look_at(rules: Sequence[AlertRule]) -> tuple[list[list[Silence]], dict[str, str]]:
        media = books.media_to_keep()
        written = {source: media.name(source) for source in media.sources()}
        names = KnownNames(written, store=store, index=ports.index, catalogue=catalogue)
        found = [why_silent(rule, names, ports.index, settings.interval_s) for rule in rules]
        return found, names.sources

    alerts = OpenedAlerts(catalogue.url, settings, remedy, look_at)

    def make(report: ScheduledReport, turn: ClockTurn) -> dict[str, bytes]:
        return files_of(ports.index, settings, books.media_to_keep(), report, turn)

    api = Api(
        settings=settings,
        ports=ports,
        books=books,
        days=days,
        uploads_remedy=remedy,
        others=(
            CameraRoutes(
                settings=settings, ports=ports, detected=detected, uploads_remedy=remedy, try_feed=try_feed
            ),
            AlertRoutes(alerts, make, settings.timezone),
            audit_routes.AuditRoutes(audit),
            EmbedRoutes(settings, gate.signing_key, lambda args: api.counts(args)),
        ),
    )
    blueprint = api.blueprint()
    app.register_blueprint(blueprint, url_prefix="/api")
    app.register_blueprint(blueprint, url_prefix="/api/v1", name="api_v1")
    app.register_blueprint(api.blueprint(at_root=True))
    app.register_blueprint(assets.create_blueprint())
    app.register_blueprint(description.create_blueprint(settings))
    app.register_blueprint(
        pages.create_blueprint(settings=settings, index=index, alerts=alerts, chart=api.counts)
    )
    app.register_blueprint(audit_routes.create_blueprint(settings, audit))
    app.register_blueprint(sign_in.create_blueprint(gate))
    problems.answer_errors(app, [endpoint.address for endpoint in ENDPOINTS])
    pack_answers(app)
    guard.protect(app)
    gate.protect(app)

    def listener(path: str) -> Callable[[HTTPConnection], Visitor]:
        def check(asks: HTTPConnection) -> Visitor:
            guard.check_listener(asks.headers)
            return gate.admit("WS", path, asks.headers, asks.client.host if asks.client else "")

        return check

    streams = Streams(books, settings)
    uploads = UploadPlace(UploadPorts(settings, store, catalogue, look))
    app.extensions[_PARTS] = Parts(
        books=books,
        detected=detected,
        alerts=alerts,
        days=days,
        streams=streams,
        guard=guard,
        gate=gate,
        settings=settings,
        uploads=uploads,
        sockets=ClientSockets(
            catalogue,
            listener("/ws/{client_id}"),
            most=settings.web_max_sockets,
            ping_every_s=settings.web_ping_s,
        ),
        viewers=ViewerSockets(ports, settings, listener(STREAM_PATH)),
        native=[
            NativeRoute("/api/events", ("GET",), streams.answer),
            *PlaybackRoutes(store, catalogue).routes(),
            *FrameRoutes(settings, catalogue).routes(),
            *DetectionRoutes(ports, settings, books).routes(),
            *MetricsRoute(books, settings).routes(),
            *upload_routes(uploads),
        ],
    )
    return app


def parts_of(app: Flask) -> Parts:
    """Return what belongs to the application beside its short answers."""
    return cast(Parts, app.extensions[_PARTS])


def close_app(app: Flask) -> None:
    """End what the application does beside its requests, and the streams that are open."""
    parts_of(app).books.close()
    parts_of(app).days.close()
    parts_of(app).uploads.close()
    parts_of(app).viewers.close()
    parts_of(app).detected.close()
    parts_of(app).alerts.close()
    parts_of(app).gate.audit.close()
