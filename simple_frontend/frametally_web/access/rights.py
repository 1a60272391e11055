"""The right that each route needs. frametally refuses a route without a right.

API handlers declare the rights of their routes, plug-ins those of their pages and sockets; this module has
the rest. Routes are written by method and path, with `{}` for each variable part; `/api/v1/` counts as
`/api/`, HEAD as GET, and WebSockets have the method `WS`.
"""

from __future__ import annotations

from collections.abc import Iterable

from frametally.actions.endpoints import READS, Endpoint, route_of
from frametally.plugins import Right, plugins
from frametally_web.access.visitors import Visitor

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
GET /dead-letters
GET /embed
GET /footage
GET /history
"""

_RUN = "GET /models"

_ROUTES: dict[Right, str] = {"open": _OPEN, "look": _LOOK, "run": _RUN}


class Rights:
    """The table of rights.

    Attributes:
        by_route: The right by route, such as `GET /api/videos/{}`.
        by_source: Routes for visitors who see only some sources; they answer as if these were all.
        freeing: Routes that may use the reserve of the data folder on a full disk.
    """

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        """Take the rights of the API's endpoints, of the mission's other routes, and of plug-ins."""
        declared = {route_of(endpoint.method, endpoint.address): endpoint for endpoint in endpoints}
        pages = [page for plugin in plugins() for page in plugin.pages]
        self.by_route: dict[str, Right] = {
            **{route: right for right, routes in _ROUTES.items() for route in routes.split("\n") if route},
            **{route: endpoint.right for route, endpoint in declared.items()},
            **{f"GET {page.path}": page.right for page in pages},
            **{route: right for plugin in plugins() for route, right in plugin.other_routes.items()},
        }
        self.by_source = frozenset(
            [
                *(f"GET {path}" for path in ("/", "/data", "/embed", "/history")),
                *(route for route, endpoint in declared.items() if endpoint.by_source),
                *(f"GET {page.path}" for page in pages if page.by_source),
            ]
        )
        self.freeing = frozenset(route for route, endpoint in declared.items() if endpoint.frees)
        self._computing = frozenset(route for route, endpoint in declared.items() if endpoint.only_computes)

    def is_for(self, visitor: Visitor, route: str) -> bool:
        """Return whether this visitor may use a route of the table, such as `GET /videos`."""
        right = self.by_route.get(route)
        if right is None:
            return False
        return right == "open" or (visitor.may(right) and (not visitor.sources or route in self.by_source))

    def is_change(self, method: str, path: str) -> bool:
        """Return whether a route changes anything; it does unless it is known not to."""
        return method not in (*READS, "WS") and route_of(method, path) not in self._computing

    def right_of(self, method: str, path: str) -> Right | None:
        """Return the right that a route needs (see `route_of`); None if it has no right, so it is refused."""
        right = self.by_route.get(route_of(method, path))
        return self.by_route.get(route_of("GET", path)) if right is None and method == "HEAD" else right
