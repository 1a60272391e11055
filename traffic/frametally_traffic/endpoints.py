"""The routes of lines, zones and traffic reports, as data."""

from __future__ import annotations

from frametally_traffic.drawing_page.endpoints import DRAWING_ENDPOINTS
from frametally_traffic.line_counts.endpoints import LINE_ENDPOINTS
from frametally_traffic.report_files.endpoints import TRAFFIC_ENDPOINTS

ENDPOINTS = tuple(
    one._replace(tag=tag)
    for tag, endpoints in (
        ("Crossings and movements", LINE_ENDPOINTS),
        ("Traffic report", TRAFFIC_ENDPOINTS),
        ("Lines and zones", DRAWING_ENDPOINTS),
    )
    for one in endpoints
)
