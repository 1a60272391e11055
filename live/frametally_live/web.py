"""Adds routes of cameras and streams, and `/ws/stream`, to the dashboard."""

from __future__ import annotations

from frametally_live.book import LiveBook
from frametally_live.camera_routes import CAMERAS, CameraRoutes
from frametally_live.live_ports import live_ports
from frametally_live.routes import STREAMS, LiveRoutes
from frametally_live.viewers.result_reader import Detected
from frametally_live.viewers.viewer_sockets import STREAM_PATH, ViewerSockets
from frametally_videos.video_ports import video_ports
from frametally_web.plugging import WebContext, WebPart

ENDPOINTS = (*STREAMS.endpoints, *CAMERAS.endpoints)


def web_part(context: WebContext) -> WebPart:
    """Return the routes and the sockets of one application."""
    settings, of_videos = context.settings, video_ports(context)
    shared_feeds = context.parts.get("feeds")
    feeds = shared_feeds or LiveBook(of_videos.catalogue.url, settings.catalogue_access)
    ports = live_ports(of_videos, feeds)
    context.books.add_version("videos", feeds.version)
    detected = Detected(ports.log, settings.results_topic)
    viewers = ViewerSockets(ports, settings, context.listener(STREAM_PATH))

    def close() -> None:
        viewers.close()
        detected.close()
        if shared_feeds is None:
            feeds.close()

    return WebPart(
        routes=[
            *STREAMS.bind(LiveRoutes(settings=settings, ports=ports, uploads_remedy=context.remedy)),
            *CAMERAS.bind(
                CameraRoutes(
                    settings=settings,
                    ports=ports,
                    detected=detected,
                    uploads_remedy=context.remedy,
                    try_feed=context.parts.get("try_feed", lambda _: None),
                )
            ),
        ],
        sockets={STREAM_PATH: viewers},
        close=close,
    )
