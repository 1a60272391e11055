"""The right that each route needs. A route that has none here is refused to everybody.

This module has those of the mission; endpoints, pages and other routes of plug-ins name theirs. Routes are
written by method and path, with `{}` for each part that is any; what is under `/api/v1/` is as under `/api/`,
HEAD is as GET, and WebSockets have `WS` for a method.
"""

from __future__ import annotations

import re

from frametally.plugins import Right, hooks, plugins
from frametally_web.access.visitors import Visitor
from frametally_web.endpoints.parameters import Endpoint

_OPEN = """
GET /sign-in
POST /sign-in
GET /sign-in/once/{}
POST /sign-in/once/{}
GET /sign-in/password
POST /sign-in/password
GET /sign-in/sessions
POST /sign-in/sessions
POST /sign-out
GET /healthz
GET /metrics
GET /static/{}
GET /api/docs
GET /docs
GET /redoc
GET /openapi.json
GET /api/openapi.json
GET /api/asyncapi.json
GET /api/postman.json
"""

_LOOK = """
GET /
GET /books
GET /data
GET /embed
GET /api/models
GET /api/labels
GET /api/sources
GET /api/catalogue
GET /api/counts
GET /api/summary
GET /api/differences
GET /api/heatmap
GET /api/evidence
GET /api/frames
GET /api/frames/boxes
GET /api/frames/image
GET /api/objects
GET /api/gap
GET /api/export
GET /api/runs
GET /api/status
GET /api/dead-letters
GET /api/events
"""

_RUN = """
GET /audit
GET /api/audit
POST /api/embeds
"""

_PART = re.compile(r"\{[^{}]*\}|<[^<>]*>")

_ROUTES: dict[Right, str] = {"open": _OPEN, "look": _LOOK, "run": _RUN}


def route_of(method: str, path: str) -> str:
    """Return a route as the table has it; `path` is as Flask or Starlette writes it."""
    rest = path.removeprefix("/api/v1/")
    return f"{method} {_PART.sub('{}', path if rest == path else f'/api/{rest}')}"


_ENDPOINTS: dict[str, Endpoint] = {
    route_of(one.method, one.address): one for endpoints in hooks("endpoints") for one in endpoints
}
_OF_PLUGINS: dict[str, Right] = {
    **{route: one.right for route, one in _ENDPOINTS.items()},
    **{f"GET {page.path}": page.right for plugin in plugins() for page in plugin.pages},
    **{route: right for plugin in plugins() for route, right in plugin.other_routes.items()},
}

RIGHTS: dict[str, Right] = {
    route: right for right, routes in _ROUTES.items() for route in routes.split("\n") if route
} | _OF_PLUGINS
"""The right by route, such as `GET /api/videos/{}`."""


BY_SOURCE = frozenset(
    [
        *(f"GET {path}" for path in ("/", "/data", "/embed")),
        *(
            f"GET /api/{path}"
            for path in (
                *("models", "labels", "sources", "catalogue", "counts", "summary", "differences", "heatmap"),
                *("evidence", "frames", "frames/boxes", "frames/image", "objects", "gap", "export"),
            )
        ),
        *(route for route, one in _ENDPOINTS.items() if one.by_source),
        *(f"GET {page.path}" for plugin in plugins() for page in plugin.pages if page.by_source),
    ]
)
"""Routes that answer of some sources as if there were no others: all that who sees some alone has."""


_CHANGES_NOTHING = frozenset(route for route, one in _ENDPOINTS.items() if one.only_computes)
"""Routes that are asked as those are that change something, and only work something out."""


def is_for(one: Visitor, route: str) -> bool:
    """Return whether there is a route of the table, such as `GET /videos`, for who asks."""
    right = RIGHTS.get(route)
    if right is None:
        return False
    return right == "open" or (one.may(right) and (not one.sources or route in BY_SOURCE))


def is_change(method: str, path: str) -> bool:
    """Return whether a route changes anything; whatever is not known to change nothing does."""
    reads = method in ("GET", "HEAD", "OPTIONS", "WS")
    return not reads and route_of(method, path) not in _CHANGES_NOTHING


def right_of(method: str, path: str) -> Right | None:
    """Return the right that a route needs (see `route_of`); None: nobody has said, so nobody has it."""
    found = RIGHTS.get(route_of(method, path))
    return RIGHTS.get(route_of("GET", path)) if found is None and method == "HEAD" else found
