"""A request's body as it comes, until nothing comes, its client goes, or another wants its place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request

from frametally_videos.upload_routes.upload_turns import Turn
from frametally_web.requests.problems import Problem

REQUEST_TIMEOUT = 408
CONFLICT = 409


class Gone(Exception):
    """The client has hung up."""


async def read_body(request: Request, turn: Turn, *, idle_s: float) -> AsyncIterator[bytes]:
    """Yield the body in parts as they come.

    Raises:
        Gone: The client has hung up before its end.
        Problem: 408, nothing came for `idle_s`; 409, another request is at this upload now.
    """
    more = True
    while more:
        if turn.is_wanted:
            raise another_is_here()
        try:
            async with asyncio.timeout(idle_s) as turn.reading:
                message = await request.receive()
        except TimeoutError as error:
            raise another_is_here() if turn.is_wanted else _stood_still(idle_s) from error
        finally:
            turn.reading = None
        if message["type"] == "http.disconnect":
            raise Gone
        more = message.get("more_body", False)
        if message.get("body"):
            yield message["body"]


def _stood_still(idle_s: float) -> Problem:
    problem = Problem(
        REQUEST_TIMEOUT,
        f"Nothing came for {idle_s:g} s.",
        remedy="Go on from the offset that a HEAD tells; a form has to be sent anew.",
    )
    problem.headers["Connection"] = "close"
    return problem


def another_is_here() -> Problem:
    """Return what is told to a request whose place another one has taken."""
    return Problem(
        CONFLICT, "Another request is at this upload now.", remedy="Go on from the offset that a HEAD tells."
    )
