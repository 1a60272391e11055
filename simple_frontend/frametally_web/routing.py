"""Finds and answers native routes, with the same headers and problems as all routes."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import Receive, Scope, Send
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from frametally.errors import FrametallyError
from frametally_accounts.gate import Gate
from frametally_web.access.visitors import NOBODY, set_visitor
from frametally_web.requests.change import AskedChange
from frametally_web.requests.native import NativeRoute
from frametally_web.requests.problems import MEDIA_TYPE, Problem, document, problem_of
from frametally_web.security import Guard
from frametally_web.translations.texts import COOKIE, language_for

_LOG = logging.getLogger("frametally_web")


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
        try:
            answer = await self._answer(request, place, route, change)
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
        self, request: Request, place: _Place, route: NativeRoute | None, change: AskedChange | None
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
            await asyncio.to_thread(self._gate.audit.begin, change)
        return await route.handler(request)

    def _change_of(self, request: Request, place: _Place, route: NativeRoute | None) -> AskedChange | None:
        if route is None:
            return None
        parts = request.path_params
        if request.method == "POST" and "PATCH" in place.methods:  # it may stand for another method
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
    accepted = parse_accept_header(request.headers.get("Accept-Language"), LanguageAccept)
    language = language_for(request.cookies.get(COOKIE, ""), accepted)
    body = document(problem.status, problem.detail, problem.remedy, problem.fault, language)
    headers = {"Cache-Control": "no-store", "Content-Language": language, **problem.headers}
    if problem.status == 405:
        headers["Allow"] = ", ".join(place.methods)
    return Response(body, problem.status, headers, MEDIA_TYPE)
