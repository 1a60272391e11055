"""Opens an application's alert book on first use, and handles requests to list messages.

It imports nothing that compares counts or draws reports, so that `frametally alerts log` starts fast.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from frametally.actions.endpoints import Routes
from frametally.actions.parameters import BEFORE, Args, choice, page_limit
from frametally_alerts import answers
from frametally_alerts.book import AlertBook
from frametally_web.books.context import ActionContext

ALERTS = Routes("Alerts")
PAGE = 50
LIMIT = page_limit(PAGE, 10_000, "Maximum number of messages")
STATE = choice("state", "Only messages in this state.", ("", "queued", "sent", "failed"), "failed")


class OpenedBook:
    """The alert book of an application; threads may share it."""

    def __init__(self, context: ActionContext) -> None:
        self._settings = context.settings
        self._lock = threading.Lock()
        self._opened: AlertBook | None = None

    @property
    def book(self) -> AlertBook:
        """The book. Raises `FrametallyError` if it cannot be opened."""
        with self._lock:
            if self._opened is None:
                self._opened = AlertBook(self._settings.catalogue_url, self._settings.catalogue_access)
            return self._opened

    def messages(self, *, state: str, before: int, limit: int) -> answers.AlertMessages:
        """Return messages. Raises `FrametallyError` if the book cannot be read."""
        messages, following = self.book.messages(limit, states=[state] if state else (), before=before)
        return answers.AlertMessages(messages=[*map(answers.message_of, messages)], next=following)

    def close(self) -> None:
        """Release connections."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None


@dataclass(frozen=True)
class MessageRoutes:
    """The handlers of one application."""

    context: ActionContext

    @ALERTS.route("GET alerts/messages", "List sent alerts, newest first.", STATE, BEFORE, LIMIT)
    def alert_messages(self, args: Args) -> answers.AlertMessages:
        opened = self.context.shared(OpenedBook)
        return opened.messages(state=STATE.read(args), before=BEFORE.read(args), limit=LIMIT.read(args))
