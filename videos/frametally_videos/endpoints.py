"""The routes of videos, as data."""

from __future__ import annotations

from frametally_videos.job_endpoints import WORK_ENDPOINTS
from frametally_videos.library_endpoints import LIBRARY_ENDPOINTS
from frametally_videos.native_endpoints import NATIVE_ENDPOINTS

ENDPOINTS = tuple(
    one._replace(tag="Videos") for one in (*LIBRARY_ENDPOINTS, *WORK_ENDPOINTS, *NATIVE_ENDPOINTS)
)
