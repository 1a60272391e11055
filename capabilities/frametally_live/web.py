"""Adds `/ws/stream` to the dashboard."""

from __future__ import annotations

from frametally_live.routes import OpenedFeeds
from frametally_live.viewers.relay import Relay
from frametally_live.viewers.viewer_sockets import STREAM_PATH, ViewerSockets
from frametally_web.plugging import WebContext, WebPart


def web_part(context: WebContext) -> WebPart:
    """Return the sockets of one application."""
    settings, ports, catalogue = context.settings, context.ports, context.parts["catalogue"]
    feeds = context.shared(OpenedFeeds).book
    viewers = ViewerSockets(Relay(ports, catalogue, feeds, settings), settings, context.listener(STREAM_PATH))
    return WebPart(sockets={STREAM_PATH: viewers}, close=viewers.close)
