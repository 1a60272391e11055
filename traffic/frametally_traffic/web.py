"""What lines, zones and traffic reports add to the dashboard: their routes."""

from __future__ import annotations

from functools import partial

from frametally_traffic.counting.published_days import flows_for
from frametally_traffic.drawing_page.routes import DrawingRoutes
from frametally_traffic.line_counts.background_days import FlowDays
from frametally_traffic.line_counts.routes import LineRoutes
from frametally_traffic.report_files.routes import TrafficRoutes
from frametally_web.plugging import WebContext, WebPart

FLOWS_FOLDER = "flows"


def web_part(context: WebContext) -> WebPart:
    """Return the routes of one application."""
    settings, ports, books = context.settings, context.ports, context.books
    days = FlowDays(partial(flows_for, ports.store, folder=settings.data_dir / FLOWS_FOLDER))
    return WebPart(
        handlers=[
            DrawingRoutes(settings=settings, ports=ports, books=books, image_url=context.image_url),
            LineRoutes(settings=settings, ports=ports, books=books, days=days, image_url=context.image_url),
            TrafficRoutes(
                settings=settings, ports=ports, books=books, days=days, image_url=context.image_url
            ),
        ],
        close=days.close,
    )
