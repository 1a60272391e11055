"""The dashboard as an ASGI application: Flask's short answers run in threads, long-lived ones without.

Flask's answers pass through a2wsgi, which reads an answer to its end, however slowly the client takes it. So
a2wsgi gets only the beginning of a long answer, such as an export; this module sends the rest piece by piece
at the client's pace. Endless answers, streams, and bodies of any length have native routes, by Starlette.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import quote_from_bytes

from a2wsgi import WSGIMiddleware
from flask import Flask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import Message, Receive, Scope, Send

from frametally.actions.calls import Call
from frametally.actions.endpoints import READS
from frametally.actions.problems import Problem, problem_of
from frametally.errors import FrametallyError
from frametally.process.time_limit import request_limit
from frametally.settings.loading import Settings
from frametally_accounts.credentials import HASHED_AT_ONCE
from frametally_accounts.gate import Gate
from frametally_accounts.sign_in import SIGN_IN_PATH
from frametally_web.access.visitors import NOBODY, set_visitor
from frametally_web.app import parts_of
from frametally_web.pages import HEALTH_PATH
from frametally_web.requests.native import NativeRoute, disconnected
from frametally_web.requests.problems import MEDIA_TYPE, document
from frametally_web.security import Guard
from frametally_web.translations.readers import request_language

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

_LOG = logging.getLogger("frametally_web")
_READING_S, _CHANGING_S = 15.0, 60.0


def most_seconds(method: str, settings: Settings) -> float:
    """Return the budget of a request for all servers together, with every retry."""
    return max(_READING_S if method in READS else _CHANGING_S, settings.web_query_timeout_s)


class _Place(NamedTuple):
    """All routes of one path."""

    pattern: re.Pattern[str]
    convertors: dict[str, Any]
    routes: list[NativeRoute]

    @property
    def methods(self) -> list[str]:
        """The methods that the path answers, including HEAD and OPTIONS."""
        names = {method for route in self.routes for method in route.methods}
        return sorted(names | {"OPTIONS"} | ({"HEAD"} if "GET" in names else set()))

    def route_for(self, method: str) -> NativeRoute | None:
        for candidate in (method, "GET") if method == "HEAD" else (method,):
            for route in self.routes:
                if candidate in route.methods:
                    return route
        return None


class NativeRoutes:
    """An ASGI application of the native routes only; its caller first checks whether it `has` the path.

    A route under `/api/` also answers under `/api/v1/`, and the other way round.
    """

    def __init__(self, routes: Iterable[NativeRoute], guard: Guard, gate: Gate) -> None:
        """Take the routes; several may share a path, for different methods."""
        self._guard, self._gate = guard, gate
        self._places: dict[str, _Place] = {}
        for route in routes:
            for path in _addresses(route.path):
                if path not in self._places:
                    pattern, _, convertors = compile_path(path)
                    self._places[path] = _Place(pattern, convertors, [])
                self._places[path].routes.append(route)

    def has(self, path: str) -> bool:
        """Return whether `path` (decoded, without its query) is answered here, for any method."""
        return self._find(path) is not None

    def takes_any_length(self, method: str, path: str) -> bool:
        """Return whether this route takes a body of any length, which it reads piece by piece."""
        match = self._find(path)
        route = match[0].route_for(method) if match else None
        return route is not None and route.writes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a known path."""
        match = self._find(scope["path"])
        if match is None:
            raise LookupError(scope["path"])
        place, names = match
        scope = {**scope, "path_params": names}
        request = Request(scope, receive)
        route = place.route_for(request.method)
        change = self._change_of(request, place, route)
        with ExitStack() as space:
            try:
                answer = await self._answer(request, place, route, change, space)
            except Exception as error:
                answer = _refusal(request, error, place)
            if change is not None:
                await asyncio.to_thread(self._gate.audit.end, change, answer.status_code)
        varies = answer.headers.get("Vary")
        answer.headers.update(self._headers(request, place))
        if varies:
            answer.headers.add_vary_header(varies)
        await answer(scope, receive, send)

    async def _answer(
        self,
        request: Request,
        place: _Place,
        route: NativeRoute | None,
        change: Call | None,
        space: ExitStack,
    ) -> Response:
        self._guard.check_name(request.headers.get("Host"))
        if request.method == "OPTIONS" and (
            route is None or "Access-Control-Request-Method" in request.headers
        ):
            return Response(headers={"Allow": ", ".join(place.methods)})
        if route is None:
            methods = " or ".join(method for method in place.methods if method not in ("HEAD", "OPTIONS"))
            raise Problem(405, f"{request.method} is not allowed here.", remedy=f"Use {methods}.")
        if route.writes:
            self._guard.check_writer(
                host=request.headers.get("Host", ""),
                origin=request.headers.get("Origin", ""),
                fetch_site=request.headers.get("Sec-Fetch-Site", ""),
            )
            self._guard.check_uploads()
        set_visitor(NOBODY)
        peer = request.client.host if request.client else ""
        admit = partial(self._gate.admit, request.method, route.path, request.headers, peer)
        new_visitor = await asyncio.to_thread(admit) if self._gate.book else admit()
        set_visitor(new_visitor)
        if change is not None:
            space.enter_context(self._gate.space_for(request.method, route.path))
            await asyncio.to_thread(self._gate.audit.begin, change)
        if route.writes:  # a body of any length
            return await route.handler(request)
        with request_limit(most_seconds("GET", self._gate.settings)):
            return await route.handler(request)

    def _change_of(self, request: Request, place: _Place, route: NativeRoute | None) -> Call | None:
        if route is None:
            return None
        parts = request.path_params
        if request.method == "POST" and "PATCH" in place.methods:  # it may replace another method
            parts = parts | {"method": request.headers.get("X-HTTP-Method-Override", "").upper()}
        return self._gate.change_of(
            request.method,
            route.path,
            request.headers,
            parts=parts,
            peer=request.client.host if request.client else "",
        )

    def _headers(self, request: Request, place: _Place) -> dict[str, str]:
        return self._guard.headers_for(
            request.method,
            request.url.path,
            origin=request.headers.get("Origin", ""),
            referrer=request.headers.get("Referer", ""),
            methods=[method for method in place.methods if method != "OPTIONS"],
        )

    def _find(self, path: str) -> tuple[_Place, dict[str, Any]] | None:
        plain = self._places.get(path)
        if plain is not None and not plain.convertors:
            return plain, {}
        for place in self._places.values():
            match = place.pattern.match(path)
            if match:
                return place, match.groupdict()
        return None


def _addresses(path: str) -> list[str]:
    if not path.startswith("/api/"):
        return [path]
    rest = path.removeprefix("/api/").removeprefix("v1/")
    return [f"/api/{rest}", f"/api/v1/{rest}"]


def _refusal(request: Request, error: Exception, place: _Place) -> Response:
    """Return the document for an error, the same as for Flask's routes."""
    if not isinstance(error, Problem):
        is_ours = isinstance(error, FrametallyError)
        _LOG.error("%s: %s", request.url.path, error, exc_info=None if is_ours else error)
    problem = problem_of(error)
    language = request_language(request)
    body = document(problem.status, problem.detail, problem.remedy, problem.fault, language)
    headers = {"Cache-Control": "no-store", "Content-Language": language, **problem.headers}
    if problem.status == 405:
        headers["Allow"] = ", ".join(place.methods)
    return Response(body, problem.status, headers, MEDIA_TYPE)


_ASCII = "".join(map(chr, range(128)))
_REST = "frametally.rest"
_MOST_AHEAD_BYTES = 1_000_000
"""Bytes of an answer that may wait in memory for the client."""
MOST_SIGNING_IN = 40
"""Sign-ins that run or wait for a thread; further ones are refused."""


class Application:
    """An ASGI application over a Flask one."""

    def __init__(self, app: Flask, *, threads: int) -> None:
        """Answer with this many `threads`; streams need none of them."""
        parts = parts_of(app)
        self._threads = threads
        self._ends_s: dict[int, float] = {}
        # With an unlimited queue, a client that reads slowly blocks no thread; `_MOST_AHEAD_BYTES` limits its
        # contents.
        self._flask = WSGIMiddleware(_beginnings_of(app, self._ends_s), workers=threads, send_queue_size=0)
        # Monitors get an answer even if all other threads are busy.
        self._health = WSGIMiddleware(_beginnings_of(app, {}), workers=1, send_queue_size=0)
        # Password guesses must not take the threads of all other requests.
        self._sign_in = WSGIMiddleware(_beginnings_of(app, {}), workers=HASHED_AT_ONCE, send_queue_size=0)
        self._turns = asyncio.Semaphore(HASHED_AT_ONCE)
        self._signing_in = 0
        self._guard = parts.guard
        self.native = NativeRoutes(parts.native, parts.guard, parts.gate)
        self._sockets = parts.sockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "websocket":
            answer = self._sockets.get(scope["path"]) or self._sockets.get("")
            if answer is None:
                await send({"type": "websocket.close"})
                return
            await answer(scope, receive, send)
        elif self.native.has(scope["path"]):
            await self.native(scope, receive, send)
        else:
            # Browsers send ASCII, and the adapter supports nothing else.
            query_string = quote_from_bytes(scope["query_string"], safe=_ASCII).encode()
            body = await _whole_body(receive)
            if body is None:
                return
            scope = {**scope, "query_string": query_string}
            if scope["method"] == "POST" and scope["path"].startswith(SIGN_IN_PATH):
                await self._answer_in_turn(scope, body, receive, send)
            elif scope["path"] != HEALTH_PATH:
                await _answer(self._flask, scope, body, receive, send)
            elif len(ends_s := [*self._ends_s.values()]) >= self._threads and monotonic() > max(ends_s):
                stuck = f"All {self._threads} threads are busy with requests that are over their time limit."
                problem = Problem(503, stuck, remedy="Try again in a few seconds.")
                await self._refuse(problem, scope, receive, send)
            else:
                await _answer(self._health, scope, body, receive, send)

    async def _answer_in_turn(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        """Answer a sign-in when one of its threads is free; no thread waits, and no client that has gone."""
        if self._signing_in >= MOST_SIGNING_IN:
            busy = "Too many people are signing in at the moment."
            problem = Problem(503, busy, remedy="Try again in a few seconds.")
            await self._refuse(problem, scope, receive, send)
            return
        self._signing_in += 1
        leaving = asyncio.ensure_future(disconnected(receive))
        turn = asyncio.ensure_future(self._turns.acquire())
        try:
            await asyncio.wait({leaving, turn}, return_when=asyncio.FIRST_COMPLETED)
            if not leaving.done():
                leaving.cancel()
                await _answer(self._sign_in, scope, body, receive, send)
        finally:
            leaving.cancel()
            if not turn.cancel():
                self._turns.release()
            self._signing_in -= 1

    async def _refuse(self, problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {"Cache-Control": "no-store", **problem.headers}
        headers |= self._guard.headers_for(scope["method"], scope["path"], origin="", referrer="")
        body = document(problem.status, problem.detail, problem.remedy)
        await Response(body, problem.status, headers, MEDIA_TYPE)(scope, receive, send)

    def close(self) -> None:
        """Release the threads, each after its current answer."""
        for flask in (self._flask, self._health, self._sign_in):
            flask.executor.shutdown(wait=False)


async def _answer(flask: Any, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
    """Answer a request in a thread of `flask`; its `body` was already read."""
    receive = _body_first(body, receive)
    await flask(scope, receive, _unless_there_is_more(scope, send))
    if _REST in scope:
        await _send_rest(scope[_REST], receive, send)


async def _whole_body(receive: Receive) -> bytes | None:
    """Return a request's body, whose size and time `Connection` limits; None if the client disconnected.

    Otherwise each slow client would tie up a worker thread.
    """
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += cast(bytes, message.get("body", b""))
        if not message.get("more_body", False):
            return body


def _body_first(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that returns the whole body at once, then later messages."""
    parts = [body]

    async def receive_next() -> Message:
        if parts:
            return {"type": "http.request", "body": parts.pop(), "more_body": False}
        return await receive()

    return receive_next


class _Rest(NamedTuple):
    """The rest of an answer."""

    chunks: Iterator[bytes]
    close: Callable[[], None]


def _beginnings_of(app: Flask, ends_s: dict[int, float]) -> Any:
    """Return `app` with each answer limited to its beginning; the rest is put into the scope.

    While a thread answers a request, `ends_s` has the end of its time limit, by the monotonic clock.
    """
    settings = parts_of(app).settings

    def beginning(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.errors"] = sys.stderr
        most_s = most_seconds(environ["REQUEST_METHOD"], settings)
        ends_s[id(environ)] = monotonic() + most_s
        rest = None
        try:
            with request_limit(most_s):
                answer = app(environ, start_response)
            rest = _Rest(iter(answer), getattr(answer, "close", lambda: None))
            ahead = 0
            for chunk in rest.chunks:
                yield chunk
                ahead += len(chunk)
                if ahead >= _MOST_AHEAD_BYTES:
                    environ["asgi.scope"][_REST] = rest
                    return
        finally:
            del ends_s[id(environ)]
            if rest is not None and _REST not in environ["asgi.scope"]:
                rest.close()

    return beginning


def _unless_there_is_more(scope: Scope, send: Send) -> Send:
    """Return a `send` that leaves out the end of an answer that has more to send."""

    async def send_beginning(message: Message) -> None:
        is_end = message["type"] == "http.response.body" and not message.get("more_body")
        if not (is_end and _REST in scope):
            await send(message)

    return send_beginning


async def _send_rest(rest: _Rest, receive: Receive, send: Send) -> None:
    """Send the rest of an answer at the client's pace, until the client has gone."""
    gone = asyncio.ensure_future(disconnected(receive))
    try:
        while not gone.done() and (chunk := await asyncio.to_thread(next, rest.chunks, None)) is not None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        rest.close()
