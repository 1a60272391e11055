"""Limits uploads: their size in bytes, their number at once, and the room that must stay free."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable

from frametally.actions.problems import Problem
from frametally.settings.data_folder import store_folder
from frametally_videos.records import UploadRecord
from frametally_videos.settings import VideoSettings
from frametally_videos.uploads.receiving import OPEN_MS, UploadPorts, note_open

_GB, _MB = 1_000_000_000, 1_000_000
_RETRY_AFTER_S = 30
UPLOADS_PER_CLIENT, UPLOADS_IN_ALL = 4, 32
"""The most uploads at once."""
_ROOM_REMEDY = "Ask an administrator to free disk space, then continue."


class Limits:
    """The limits of one dashboard; threads may share it."""

    def __init__(self, ports: UploadPorts) -> None:
        """Read the limits from the settings."""
        settings = ports.settings
        self._ports = ports
        self.most_bytes = round(settings.part(VideoSettings).upload_max_gb * _GB)
        self._keep_free_bytes = settings.min_free_disk_mb * _MB
        self._folder = store_folder(settings)
        self._admitting = threading.Lock()

    def check_length(self, length_bytes: int) -> None:
        """Refuse an upload that is too large, before reading any of it.

        Raises:
            Problem: 413.
        """
        if length_bytes > self.most_bytes:
            raise Problem(
                413,
                f"It has {_in_mb(length_bytes)}, but an upload can have at most {_in_mb(self.most_bytes)}.",
                remedy="Cut it into parts, or ask an administrator to allow more.",
            )

    def check_room(self, more_bytes: int = 0) -> None:
        """Refuse an upload without enough room, not counting the room that must stay free.

        Raises:
            Problem: 507.
        """
        if self._folder is None:
            return
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError:  # not created yet, or gone: a write there will report it
            return
        if free - more_bytes < self._keep_free_bytes:
            needs = f"It needs {_in_mb(more_bytes)}, but only " if more_bytes else ""
            raise Problem(
                507,
                f"{needs}{_in_mb(free)} are free on the disk for videos, of which "
                f"{_in_mb(self._keep_free_bytes)} must stay free.",
                remedy=_ROOM_REMEDY,
            )

    def no_room(self) -> Problem:
        """Return the problem of a full disk or quota."""
        return Problem(507, "The disk for videos is full.", remedy=_ROOM_REMEDY)

    def admit(self, client_id: str, begin: Callable[[], UploadRecord]) -> UploadRecord:
        """Return the upload that `begin` begins, unless too many are running.

        Raises:
            Problem: 429.
        """
        with self._admitting:
            self._check_number(client_id)
            return begin()

    def readmit(self, upload: UploadRecord) -> None:
        """Let an upload continue, unless it was idle and too many are running now.

        Raises:
            Problem: 429.
        """
        with self._admitting:
            row = self._ports.catalogue.upload(upload.id)
            if row is None or row.state != "receiving" or row.expires_at_ms <= self._ports.now_ms():
                self._check_number(upload.fields.client_id or "")
            if row is None or row.expires_at_ms - self._ports.now_ms() < OPEN_MS / 2:
                note_open(self._ports, upload)

    def _check_number(self, client_id: str) -> None:
        catalogue = self._ports.catalogue
        if client_id and catalogue.open_uploads(client_id) >= UPLOADS_PER_CLIENT:
            raise _too_many(f"You already have {UPLOADS_PER_CLIENT} uploads running, the maximum.")
        if catalogue.open_uploads() >= UPLOADS_IN_ALL:
            raise _too_many(f"{UPLOADS_IN_ALL} uploads are already running, the maximum.")


def _too_many(detail: str) -> Problem:
    problem = Problem(429, detail, remedy="Try again when one of them has ended.")
    problem.headers["Retry-After"] = str(_RETRY_AFTER_S)
    return problem


def _in_mb(size_bytes: int) -> str:
    return f"{size_bytes / _MB:,.0f} MB"
