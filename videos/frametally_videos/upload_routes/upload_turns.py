"""One request at a time at an upload: who comes second asks the first to leave.

A client whose connection was cut without the server's knowing comes again, and must not wait until the server
finds out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from frametally_web.requests.problems import Problem

LOCKED = 423
_PATIENCE_S = 20.0


class Turn:
    """Of one upload: who is at it, and whether others want to be."""

    def __init__(self) -> None:
        """Nobody is at it."""
        self.waiting = 0
        self.lock = asyncio.Lock()
        self.reading: asyncio.Timeout | None = None
        """While the one who is at it waits for bytes: ends that."""

    @property
    def is_wanted(self) -> bool:
        """Whether another request waits."""
        return self.waiting > 0

    def ask_to_leave(self) -> None:
        """End the waiting for bytes of the one who is at it."""
        if self.reading is not None and not self.reading.expired():
            self.reading.reschedule(asyncio.get_running_loop().time())


class Turns:
    """The turns at all uploads of one process."""

    def __init__(self) -> None:
        """Nobody is at any."""
        self._turns: dict[str, Turn] = {}

    def has(self, upload_id: str) -> bool:
        """Return whether a request is working on an upload."""
        return upload_id in self._turns

    @asynccontextmanager
    async def take(self, upload_id: str) -> AsyncIterator[Turn]:
        """Be the one at an upload, as soon as who is at it has left.

        Raises:
            Problem: 423, it does not leave.
        """
        turn = self._turns.setdefault(upload_id, Turn())
        turn.waiting += 1
        try:
            turn.ask_to_leave()
            async with asyncio.timeout(_PATIENCE_S):
                await turn.lock.acquire()
        except TimeoutError as error:
            raise Problem(
                LOCKED, "Another request is at this upload.", remedy="Try again in a few seconds."
            ) from error
        finally:
            turn.waiting -= 1
            self._forget(upload_id, turn)
        try:
            yield turn
        finally:
            turn.lock.release()
            self._forget(upload_id, turn)

    def _forget(self, upload_id: str, turn: Turn) -> None:
        if not turn.waiting and not turn.lock.locked():
            self._turns.pop(upload_id, None)
