"""The dashboard as a server runs it: Flask's short answers in threads, and what lasts without one.

Flask's answers come by a2wsgi, which reads an answer to its end even if nobody listens any more: nothing that
it carries may go on for long. What does go on, the events, is answered here, by Starlette.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote_from_bytes

from a2wsgi import WSGIMiddleware
from flask import Flask
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from frametally_web.app import parts_of
from frametally_web.requests.problems import MEDIA_TYPE, Problem, document
from frametally_web.security import Guard

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

Handler = Callable[[Request], Awaitable[Response]]

_ASCII = "".join(map(chr, range(128)))


class Application:
    """An ASGI application over a Flask one."""

    def __init__(self, app: Flask, *, threads: int) -> None:
        """Answer by as many `threads`; streams need none of them."""
        parts = parts_of(app)
        # Without an end to its queue no client that takes its answer slowly keeps a thread from the others.
        self._flask = WSGIMiddleware(_logging_to_stderr(app), workers=threads, send_queue_size=0)
        events = _route(parts.streams.answer, parts.guard)
        self._native: dict[str, ASGIApp] = {"/api/events": events, "/api/v1/events": events}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        native = self._native.get(scope["path"])
        if native is not None:
            await native(scope, receive, send)
        else:
            # Browsers send ASCII, and the adapter knows nothing else.
            asked = quote_from_bytes(scope["query_string"], safe=_ASCII).encode()
            flask: ASGIApp = cast(Any, self._flask)
            await flask({**scope, "query_string": asked}, receive, send)

    def close(self) -> None:
        """Give the threads back, each when it has answered."""
        self._flask.executor.shutdown(wait=False)


def _logging_to_stderr(app: Flask) -> Any:
    def logging_app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.errors"] = sys.stderr
        return app(environ, start_response)

    return logging_app


def _route(handler: Handler, guard: Guard) -> ASGIApp:
    """Return a route of GET, with the headers, the names and the problems that all routes have."""

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            guard.check_name(request.headers.get("Host"))
            if request.method == "OPTIONS":
                answer = Response(headers={"Allow": "GET, HEAD, OPTIONS"})
            elif request.method in ("GET", "HEAD"):
                answer = await handler(request)
            else:
                raise Problem(
                    405, f"{request.method} is not possible here.", remedy="See the dashboard's README."
                )
        except Problem as problem:
            body = document(problem.status, problem.detail, problem.remedy, problem.fault)
            headers = {"Cache-Control": "no-store", **problem.headers}
            if problem.status == 405:
                headers["Allow"] = "GET, HEAD, OPTIONS"
            answer = Response(body, problem.status, headers, MEDIA_TYPE)
        answer.headers.update(
            guard.headers_for(
                request.method,
                scope["path"],
                origin=request.headers.get("Origin", ""),
                referrer=request.headers.get("Referer", ""),
            )
        )
        await answer(scope, receive, send)

    return route
