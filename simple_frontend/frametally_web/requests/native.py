"""Native routes: Starlette answers them without a separate thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive

from frametally.actions.endpoints import Route

Handler = Callable[[Request], Awaitable[Response]]
"""Answers a request, or raises `Problem`. It runs blocking parts by `asyncio.to_thread`."""

SEND_FILE = "frametally.send_file"
"""The extension of a request's scope that makes the kernel send bytes of a file; see `Connection`."""


class NativeRoute(NamedTuple):
    """Long-lived requests, streams, and bodies of any length; Flask answers the others.

    Attributes:
        path: As Starlette writes it, with `{name}` for a part: `/api/v1/videos/{video_id}/original`; the
            parts are in `request.path_params`. Paths under `/api/` are automatically also under `/api/v1/`.
        methods: In capitals; HEAD is answered if GET is, and OPTIONS everywhere. If OPTIONS is included, the
            handler gets all of those except preflights.
        handler: Its answers get the headers of all answers, and its problems become documents.
        writes: Whether it changes anything: then it is refused to pages of other sites, and if uploads are
            off (403), and its body may have any length.
    """

    path: str
    methods: tuple[str, ...]
    handler: Handler
    writes: bool = False


def native_route(route: Route) -> NativeRoute:
    """Return a declared route as Starlette answers it."""
    endpoint = route.endpoint
    writes = endpoint.method in ("POST", "PATCH", "DELETE")
    return NativeRoute(endpoint.address, (endpoint.method,), route.handler, writes)


async def disconnected(receive: Receive) -> None:
    """Return once the client has gone; only for a request whose body was read, or that has none."""
    while (await receive())["type"] != "http.disconnect":
        pass
