"""A small object in the store marks that accounts exist, so a lost catalogue does not open the dashboard."""

from __future__ import annotations

import threading
from time import monotonic

from frametally import keys
from frametally.errors import FrametallyError, Misconfigured
from frametally.ports.object_store import ObjectStore
from frametally.process.time_limit import time_limit

ACCOUNTS_KEY = f"{keys.ACCESS}/accounts.json"
_READ_EVERY_S = 5.0
_WITHIN_S = 0.5
_READING_S = 10.0


def note_accounts(store: ObjectStore) -> None:
    """Write the mark that accounts exist; call it before the first is added."""
    if store.head(ACCOUNTS_KEY) is None:
        store.put(ACCOUNTS_KEY, b'{"accounts":true}', if_absent=True)


def note_no_accounts(store: ObjectStore) -> None:
    """Remove the mark after a person has removed the last account."""
    store.delete(ACCOUNTS_KEY)


def has_noted_accounts(store: ObjectStore) -> bool:
    """Return whether the store has the mark that accounts exist."""
    return store.head(ACCOUNTS_KEY) is not None


def check_accounts(store: ObjectStore, *, has_accounts: bool, url: str) -> None:
    """Detect lost accounts before anything is served without them.

    `url` is the book's address, as messages show it.

    Raises:
        Misconfigured: The store has the mark that accounts exist, but the book has none.
    """
    if not has_accounts and has_noted_accounts(store):
        raise Misconfigured(
            f"the account database {url} has no accounts, but this store is marked as having some: correct "
            "FRAMETALLY_CATALOGUE_URL, restore the accounts with `frametally restore`, or start again with "
            "`frametally users add NAME --role run`"
        )


class LastMark:
    """Whether the store has the mark, as a thread last read it: a silent store holds up no request.

    The mark is written before the first account is added, so a lost catalogue opens nothing. While the store
    is not available, the last answer holds.
    """

    def __init__(self, store: ObjectStore, *, is_there: bool = False) -> None:
        """Begin with the answer of `check_accounts`, which was read before anything is served."""
        self._store = store
        self._changed = threading.Condition()
        self._is_there = is_there
        self._due_s = 0.0
        self._is_read_now = False

    def is_there(self) -> bool:
        """Return the last answer, after a short wait for a new one if that is old."""
        with self._changed:
            if monotonic() >= self._due_s and not self._is_read_now:
                self._is_read_now = True
                threading.Thread(target=self._read, name="mark-of-accounts", daemon=True).start()
                self._changed.wait_for(lambda: not self._is_read_now, _WITHIN_S)
            return self._is_there

    def _read(self) -> None:
        is_there = self._is_there
        try:
            with time_limit(_READING_S):
                is_there = has_noted_accounts(self._store)
        except FrametallyError:
            pass  # the last answer holds, and the pages report the store
        finally:
            with self._changed:
                self._is_there, self._is_read_now = is_there, False
                self._due_s = monotonic() + _READ_EVERY_S
                self._changed.notify_all()
