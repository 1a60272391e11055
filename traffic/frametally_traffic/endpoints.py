"""The routes of lines, zones and traffic reports, as data."""

from __future__ import annotations

from frametally_traffic.drawing_page.endpoints import DRAWING_ENDPOINTS
from frametally_traffic.line_counts.endpoints import LINE_ENDPOINTS
from frametally_traffic.report_files.endpoints import TRAFFIC_ENDPOINTS

ENDPOINTS = (*LINE_ENDPOINTS, *TRAFFIC_ENDPOINTS, *DRAWING_ENDPOINTS)
