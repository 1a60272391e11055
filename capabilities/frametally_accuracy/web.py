"""Adds the routes of accuracy checks to the dashboard."""

from __future__ import annotations

from frametally_accuracy.routes import ACCURACY, AccuracyRoutes
from frametally_web.plugging import WebContext, WebPart

ENDPOINTS = ACCURACY.endpoints


def web_part(context: WebContext) -> WebPart:
    """Return the routes of one application."""
    routes = AccuracyRoutes(
        context.ports,
        context.settings,
        context.image_url,
        context.remedy,
    )
    return WebPart(routes=ACCURACY.bind(routes), close=routes.close)
