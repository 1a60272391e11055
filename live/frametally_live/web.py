"""What cameras and streams add to the dashboard: their routes, and `/ws/stream`."""

from __future__ import annotations

from frametally_live.camera_routes import CameraRoutes
from frametally_live.routes import LiveRoutes
from frametally_live.viewers.camera_lag import Detected
from frametally_live.viewers.viewer_sockets import STREAM_PATH, ViewerSockets
from frametally_videos.video_ports import video_ports
from frametally_web.plugging import WebContext, WebPart


def web_part(context: WebContext) -> WebPart:
    """Return the routes and the sockets of one application."""
    settings, ports = context.settings, video_ports(context)
    detected = Detected(ports.log, settings.results_topic)
    viewers = ViewerSockets(ports, settings, context.listener(STREAM_PATH))

    def close() -> None:
        viewers.close()
        detected.close()

    return WebPart(
        handlers=[
            LiveRoutes(settings=settings, ports=ports, uploads_remedy=context.remedy),
            CameraRoutes(
                settings=settings,
                ports=ports,
                detected=detected,
                uploads_remedy=context.remedy,
                try_feed=context.given.get("try_feed", lambda _: None),
            ),
        ],
        sockets={STREAM_PATH: viewers},
        close=close,
    )
