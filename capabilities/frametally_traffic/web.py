"""Adds the routes of lines, zones and traffic reports to the dashboard."""

from __future__ import annotations

from functools import partial

from frametally_traffic.counting.published_days import FLOWS_FOLDER, flows_for
from frametally_traffic.drawing_page.routes import DRAWINGS, DrawingRoutes
from frametally_traffic.line_counts.background_days import FlowDays
from frametally_traffic.line_counts.routes import LINES, LineRoutes
from frametally_traffic.report_files.routes import REPORT, TrafficRoutes
from frametally_web.plugging import WebContext, WebPart

ENDPOINTS = (*LINES.endpoints, *REPORT.endpoints, *DRAWINGS.endpoints)


def web_part(context: WebContext) -> WebPart:
    """Return the routes of one application."""
    folder = context.settings.data_dir / FLOWS_FOLDER
    days = FlowDays(partial(flows_for, context.ports.store, folder=folder))
    return WebPart(
        routes=[
            *DRAWINGS.bind(DrawingRoutes(context)),
            *LINES.bind(LineRoutes(context, days)),
            *REPORT.bind(TrafficRoutes(context, days)),
        ],
        close=days.close,
    )
