"""Adds uploaded videos to the dashboard: their routes, and `/ws/{client_id}`."""

from __future__ import annotations

from frametally_videos.library.video_looks import inspect
from frametally_videos.playback.routes import PLAYBACK, PlaybackRoutes
from frametally_videos.playback.video_detections import DETECTED, DetectionRoutes
from frametally_videos.sockets.client_sockets import ClientSockets
from frametally_videos.upload_routes.form_uploads import FORMS, FormRoutes
from frametally_videos.upload_routes.tus import UPLOADS, TusRoutes
from frametally_videos.upload_routes.upload_place import UploadPlace
from frametally_videos.uploads.receiving import UploadPorts
from frametally_web.plugging import WebContext, WebPart

_MOST_SOCKETS = 500
_PING_S = 20.0
"""How long a socket gets no message before a ping."""


def web_part(context: WebContext) -> WebPart:
    """Return the routes and sockets of one application."""
    settings, store, remedy = context.settings, context.ports.store, context.remedy
    catalogue = context.parts["catalogue"]
    uploads = UploadPlace(UploadPorts(settings, store, catalogue, context.parts.get("look", inspect)))
    context.books.add_version("videos", lambda: catalogue.version())
    return WebPart(
        routes=[
            *PLAYBACK.bind(PlaybackRoutes(settings, store, catalogue)),
            *DETECTED.bind(DetectionRoutes(context.ports, catalogue, settings, context.books)),
            *UPLOADS.bind(TusRoutes(uploads)),
            *FORMS.bind(FormRoutes(uploads)),
        ],
        sockets={"": ClientSockets(catalogue, context.listener("/ws/{client_id}"), _MOST_SOCKETS, _PING_S)},
        start=uploads.start if remedy is None else lambda: None,
        close=uploads.close,
    )
