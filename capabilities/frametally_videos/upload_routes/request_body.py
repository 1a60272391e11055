"""Reads a request's body until it ends, stalls, its client disconnects, or another request takes over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from frametally.actions.problems import Problem
from frametally_videos.upload_routes.tus_headers import Checksum

LOCKED = 423
_PATIENCE_S = 20.0


class Turn:
    """The turn at one upload: its current request, and whether others wait."""

    def __init__(self) -> None:
        """Start without a request."""
        self.waiting = 0
        self.lock = asyncio.Lock()
        self.reading: asyncio.Timeout | None = None
        """The timeout of the current request while it waits for bytes."""

    @property
    def is_wanted(self) -> bool:
        """Whether another request waits."""
        return self.waiting > 0

    def ask_to_leave(self) -> None:
        """End the current request's wait for bytes."""
        if self.reading is not None and not self.reading.expired():
            self.reading.reschedule(asyncio.get_running_loop().time())


class Turns:
    """The turns at all uploads of one process."""

    def __init__(self) -> None:
        """Start without requests."""
        self._turns: dict[str, Turn] = {}

    def has(self, upload_id: str) -> bool:
        """Return whether a request is working on an upload."""
        return upload_id in self._turns

    @asynccontextmanager
    async def take(self, upload_id: str) -> AsyncIterator[Turn]:
        """Take the turn at an upload as soon as the current request ends.

        Raises:
            Problem: 423, the current request does not end.
        """
        turn = self._turns.setdefault(upload_id, Turn())
        turn.waiting += 1
        try:
            turn.ask_to_leave()
            async with asyncio.timeout(_PATIENCE_S):
                await turn.lock.acquire()
        except TimeoutError as error:
            raise Problem(
                LOCKED, "Another request is already using this upload.", remedy="Try again in a few seconds."
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


REQUEST_TIMEOUT = 408
CONFLICT = 409
IDLE_S = 60.0
MOST_CHECKED_BYTES = 16 * 2**20
"""The most bytes with a checksum, which are held back until they are verified."""


class Gone(Exception):
    """The client has disconnected."""


async def read_body(request: Request, turn: Turn) -> AsyncIterator[bytes]:
    """Yield the parts of the body as they arrive.

    Raises:
        Gone: The client disconnected before the end.
        Problem: 408, nothing arrived for `IDLE_S`; 409, another request has taken over the upload.
    """
    more = True
    while more:
        if turn.is_wanted:
            raise another_is_here()
        try:
            async with asyncio.timeout(IDLE_S) as turn.reading:
                message = await request.receive()
        except TimeoutError as error:
            raise another_is_here() if turn.is_wanted else _stood_still() from error
        finally:
            turn.reading = None
        if message["type"] == "http.disconnect":
            raise Gone
        more = message.get("more_body", False)
        if message.get("body"):
            yield message["body"]


def _stood_still() -> Problem:
    problem = Problem(
        REQUEST_TIMEOUT,
        f"Nothing arrived for {IDLE_S:g} s.",
        remedy="Continue from the offset that a HEAD request returns; send a form again from the start.",
    )
    problem.headers["Connection"] = "close"
    return problem


def another_is_here() -> Problem:
    """Return the problem of a request whose turn another one has taken."""
    return Problem(
        CONFLICT,
        "Another request is now using this upload.",
        remedy="Continue from the offset that a HEAD request returns.",
    )


async def no_more_than(body: AsyncIterator[bytes], most_bytes: int) -> AsyncIterator[bytes]:
    """Yield the body. Raises `Problem` if it has more than `most_bytes`."""
    bytes_left = most_bytes
    async for data in body:
        if len(data) > bytes_left:
            raise Problem(
                400,
                "The request has more bytes than announced.",
                remedy="Send the file as it was when its upload began.",
            )
        bytes_left -= len(data)
        yield data


async def checked(body: AsyncIterator[bytes], checksum: Checksum) -> AsyncIterator[bytes]:
    """Yield the body as a whole once its checksum is verified. Raises `Problem`."""
    content = bytearray()
    async for data in body:
        content += data
        if len(content) > MOST_CHECKED_BYTES:
            raise Problem(
                413, "A request with a checksum needs a length.", remedy="Send its length in Content-Length."
            )
    checksum.check(bytes(content))
    yield bytes(content)


def body_length(request: Request) -> int | None:
    """Return the stated length of a request in bytes, or None if it states none."""
    text = request.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None
