"""The audit book of an application: opened at the first change, in the catalogue's database."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from frametally.actions.calls import Call
from frametally.actions.problems import Problem
from frametally.errors import FrametallyError
from frametally.process.allowed_addresses import counted_as
from frametally.settings.loading import Settings
from frametally_accounts.audit.book import AuditBook
from frametally_accounts.audit_records import NOBODY, entry_of

_WINDOW_S = 900.0
_MOST_OF_ADDRESS = 100
"""Refused changes recorded per quarter of an hour: more than a person makes, but few enough to store."""
_MOST_ADDRESSES = 200
"""Addresses counted separately; the refusals of further addresses are counted together."""


class RefusalBound:
    """Counts refusals by address, in this process's memory; threads may share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start counting; `clock` returns seconds and is never set back."""
        self._clock = clock
        self._lock = threading.Lock()
        self._began_s = clock()
        self._of_address: Counter[str] = Counter()

    def remaining(self, address: str) -> int:
        """Count a refusal; return how many more of its address are recorded: 0 for the last, then less."""
        with self._lock:
            now_s = self._clock()
            if now_s - self._began_s >= _WINDOW_S:
                self._began_s = now_s
                self._of_address.clear()
            if address not in self._of_address and len(self._of_address) >= _MOST_ADDRESSES:
                address = ""
            self._of_address[address] += 1
            return _MOST_OF_ADDRESS - self._of_address[address]


_LOG = logging.getLogger("frametally_web")


class HasSettings(Protocol):
    """An application, or a command, with its settings."""

    @property
    def settings(self) -> Settings:
        """The settings of this process."""
        ...


class OpenedAudit:
    """The book that records changes; threads may share it."""

    def __init__(self, context: HasSettings) -> None:
        """Open nothing yet."""
        self._settings = context.settings
        self._lock = threading.Lock()
        self._opened: AuditBook | None = None
        self._refusals = RefusalBound()

    @property
    def book(self) -> AuditBook:
        """The book. Raises `FrametallyError` if it cannot be opened."""
        with self._lock:
            if self._opened is None:
                self._opened = AuditBook(self._settings.catalogue_url, self._settings.catalogue_access)
            return self._opened

    def begin(self, change: Call) -> None:
        """Record a change before it is made.

        Raises:
            Problem: 503 if it cannot be recorded, so it must not be made.
        """
        try:
            change.number = self.book.write(entry_of(change))
        except FrametallyError as error:
            _LOG.error("audit log: %s", error)
            raise Problem(
                503,
                "The audit log cannot be written, so nothing was changed.",
                remedy="Try again in a few seconds. The server's log gives the reason.",
            ) from error

    def end(self, change: Call, status: int) -> None:
        """Record the answer to a change, begun or refused.

        Clients that are not signed in have a limited number of recorded refusals per address. If the audit
        log cannot be written, the server's log says so; the beginning of the change is already in the book.
        """
        if change.number == 0 and change.user_name in ("", NOBODY):
            remaining = self._refusals.remaining(counted_as(change.origin))
            if remaining < 0:
                return
            if remaining == 0:
                change.add({"left_out": "more refusals in this quarter of an hour"})
        try:
            self.book.write(entry_of(change, status))
        except FrametallyError as error:
            _LOG.error(
                "audit log: %s ended with %s, but this was not recorded: %s",
                entry_of(change).what,
                status,
                error,
            )

    def close(self) -> None:
        """Release connections."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None
