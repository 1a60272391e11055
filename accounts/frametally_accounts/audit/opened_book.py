"""The audit book of an application: opened at the first change, in the catalogue's database."""

from __future__ import annotations

import logging
import threading

from frametally.errors import FrametallyError
from frametally.settings.loading import Settings
from frametally_accounts.audit.book import AuditBook
from frametally_accounts.audit.refusals import RefusalBound
from frametally_accounts.audit_entries import NOBODY
from frametally_web.requests.change import AskedChange
from frametally_web.requests.problems import Problem

_LOG = logging.getLogger("frametally_web")


class OpenedAudit:
    """Where changes are recorded; threads may share it."""

    def __init__(self, url: str, settings: Settings) -> None:
        """Open nothing yet."""
        self._url = url
        self._access = settings.catalogue_access
        self._lock = threading.Lock()
        self._opened: AuditBook | None = None
        self._refusals = RefusalBound()

    @property
    def book(self) -> AuditBook:
        """The book. Raises `FrametallyError` as its opening does."""
        with self._lock:
            if self._opened is None:
                self._opened = AuditBook(self._url, self._access)
            return self._opened

    def begin(self, change: AskedChange) -> None:
        """Record a change before it is made.

        Raises:
            Problem: 503, it cannot be recorded, so it must not be made.
        """
        try:
            change.number = self.book.write(change.entry())
        except FrametallyError as error:
            _LOG.error("audit log: %s", error)
            raise Problem(
                503,
                "The audit log cannot be written, so nothing was changed.",
                remedy="Try again in a few seconds; the server's log has the reason.",
            ) from error

    def end(self, change: AskedChange, status: int) -> None:
        """Record how a change was answered: one that was begun, or one that was refused before.

        Of those that were never begun, and are of nobody who is logged in, an address has so many recorded.
        Where that cannot be written the log says so: that it was begun is in the book already.
        """
        if change.number == 0 and change.who == NOBODY:
            left = self._refusals.left(change.origin)
            if left < 0:
                return
            if left == 0:
                change.add({"left_out": "what else is refused there in this quarter of an hour"})
        try:
            self.book.write(change.entry(status=status))
        except FrametallyError as error:
            _LOG.error("audit log: %s was answered by %s: %s", change.entry().what, status, error)

    def close(self) -> None:
        """Release connections."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None
