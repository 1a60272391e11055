"""Adds routes of cameras and streams, and `/ws/stream`, to the dashboard."""

from __future__ import annotations

from frametally_live.book import LiveBook
from frametally_live.camera_answers import CameraSearch
from frametally_live.camera_routes import CAMERAS, CameraRoutes
from frametally_live.feeds.result_reader import Detected
from frametally_live.routes import STREAMS, LiveRoutes
from frametally_live.viewers.relay import Relay
from frametally_live.viewers.viewer_sockets import STREAM_PATH, ViewerSockets
from frametally_web.plugging import WebContext, WebPart

ENDPOINTS = (*STREAMS.endpoints, *CAMERAS.endpoints)


def web_part(context: WebContext) -> WebPart:
    """Return the routes and the sockets of one application."""
    settings, ports, catalogue = context.settings, context.ports, context.parts["catalogue"]
    shared_feeds = context.parts.get("feeds")
    feeds = shared_feeds or LiveBook(catalogue.url, settings.catalogue_access)
    context.books.add_version("videos", feeds.version)
    detected = Detected(ports.log, settings.results_topic)
    viewers = ViewerSockets(Relay(ports, catalogue, feeds, settings), settings, context.listener(STREAM_PATH))

    def close() -> None:
        viewers.close()
        detected.close()
        if shared_feeds is None:
            feeds.close()

    return WebPart(
        routes=[
            *STREAMS.bind(LiveRoutes(settings, catalogue, feeds, context.remedy)),
            *CAMERAS.bind(
                CameraRoutes(
                    settings,
                    feeds,
                    detected,
                    context.remedy,
                    context.parts.get("try_feed", lambda _: None),
                    context.parts.get("search_cameras", lambda _: CameraSearch(cameras=[], has_more=False)),
                )
            ),
        ],
        sockets={STREAM_PATH: viewers},
        close=close,
    )
