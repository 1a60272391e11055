"""What uploaded videos add to the dashboard: their routes, and `/ws/{client_id}`."""

from __future__ import annotations

from frametally_videos.job_routes import JobRoutes
from frametally_videos.playback.frame_routes import FrameRoutes
from frametally_videos.playback.routes import PlaybackRoutes
from frametally_videos.playback.video_detections import DetectionRoutes
from frametally_videos.routes import VideoRoutes
from frametally_videos.sockets.client_sockets import ClientSockets
from frametally_videos.upload_routes.native_routes import upload_routes
from frametally_videos.upload_routes.upload_place import UploadPlace
from frametally_videos.uploads.inspection import inspect
from frametally_videos.uploads.receiving import UploadPorts
from frametally_videos.video_ports import video_ports
from frametally_web.plugging import WebContext, WebPart


def web_part(context: WebContext) -> WebPart:
    """Return the routes and the sockets of one application."""
    settings, ports, remedy = context.settings, video_ports(context), context.remedy
    catalogue = ports.catalogue
    uploads = UploadPlace(UploadPorts(settings, ports.store, catalogue, context.given.get("look", inspect)))
    context.books.add_version("videos", lambda: catalogue.version())
    return WebPart(
        handlers=[
            VideoRoutes(settings=settings, ports=ports, uploads_remedy=remedy),
            JobRoutes(settings=settings, ports=ports, uploads_remedy=remedy),
        ],
        native=[
            *PlaybackRoutes(ports.store, catalogue).routes(),
            *FrameRoutes(settings, catalogue).routes(),
            *DetectionRoutes(ports, settings, context.books).routes(),
            *upload_routes(uploads),
        ],
        sockets={
            "": ClientSockets(
                catalogue,
                context.listener("/ws/{client_id}"),
                most=settings.web_max_sockets,
                ping_every_s=settings.web_ping_s,
            )
        },
        start=uploads.start if remedy is None else lambda: None,
        close=uploads.close,
    )
