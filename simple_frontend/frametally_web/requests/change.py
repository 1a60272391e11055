"""One request that changes something, from its beginning to its answer, for the audit log."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextvars import ContextVar

from frametally_accounts.audit_records import NOBODY, AuditEntry

_PLAIN = re.compile(r"[\w.:@+/-]+")
_MOST_CHARS = 120


class AskedChange:
    """A request for a change; its handler may name the changed object."""

    def __init__(self, action: str, origin: str, target: Mapping[str, object]) -> None:
        """Begin with the route, the client's address, and the parts of its path that are not secret."""
        self.who = NOBODY
        self.token = ""
        self.number = 0
        """Number of its first record, or 0."""
        self._action = action
        self.origin = origin
        self._target: dict[str, object] = {}
        self.add(target)

    def add(self, target: Mapping[str, object]) -> None:
        """Name another changed object; an empty name is ignored."""
        self._target.update({name: value for name, value in target.items() if value not in ("", None)})

    def entry(self, *, status: int | None = None) -> AuditEntry:
        """Return the entry for the audit log."""
        target = " ".join(f"{name}={_text_of(value)}" for name, value in self._target.items())
        origin = f"{self.origin} (token {self.token})" if self.token else self.origin
        return AuditEntry(self.who, self._action, target, origin, self.number, status)


_now: ContextVar[AskedChange | None] = ContextVar("change", default=None)


def set_change(change: AskedChange | None) -> None:
    """Make `change` the current one; None if the request changes nothing."""
    _now.set(change)


def note_target(**target: object) -> None:
    """Name the object of the current change; never a secret."""
    if (change := _now.get()) is not None:
        change.add(target)


def note_who(name: str, *, token: str = "") -> None:
    """Record who makes the current change, and the name of the token if a program does."""
    if (change := _now.get()) is not None:
        change.who, change.token = name, token


def _text_of(value: object) -> str:
    """Return a value in a form in which no two values look the same."""
    text = str(value)[:_MOST_CHARS]
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
