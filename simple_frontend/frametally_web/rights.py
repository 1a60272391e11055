"""The right that each route needs: the one table of them. A route that is not in it is refused to everybody.

Routes are written by method and path, with `{}` for each part that is any; what is under `/api/v1/` is as
under `/api/`, HEAD is as GET, and WebSockets have `WS` for a method.
"""

from __future__ import annotations

import re
from typing import Literal

from frametally_accounts.rights import Role
from frametally_web.visitors import Visitor

Right = Role | Literal["open"]
"""What an account's role must include; `open`: nothing, also where there is nobody."""

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
GET /jobs
GET /lines
GET /live
GET /traffic
GET /videos
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
GET /api/crossings
GET /api/crossings/objects
GET /api/movements
GET /api/movements/visits
GET /api/zones
GET /api/speeds
GET /api/paths
GET /api/traffic
GET /api/traffic/file
GET /api/sources/{}/drawing
GET /api/sources/{}/frame
GET /api/videos
GET /api/videos/{}
GET /api/videos/{}/derivatives
GET /api/videos/{}/jobs
GET /api/videos/{}/metadata
GET /api/videos/{}/quality
GET /api/videos/{}/original
GET /api/videos/{}/playable
GET /api/videos/{}/enhanced
GET /api/videos/{}/poster
GET /api/videos/{}/sprite
GET /api/videos/{}/sprite.vtt
GET /api/videos/{}/frame
GET /api/videos/{}/detections
GET /processed_videos/{}
GET /metadata/{}.json
GET /internal/metadata-extraction-status/{}
GET /internal/video-enhancement-status/{}
GET /api/jobs
GET /api/streams
GET /api/streams/{}
GET /api/cameras
GET /alerts
GET /api/alerts
WS /ws/stream
WS /ws/{}
"""

_CORRECT = """
GET /lines/edit
PUT /api/sources/{}/drawing
POST /api/calibrations/try
PATCH /api/videos/{}
POST /api/videos/{}/retry
POST /api/videos/{}/jobs
DELETE /api/videos/{}/derivatives/{}
POST /api/jobs/{}/cancel
POST /api/jobs/{}/retry
POST /api/streams
DELETE /api/streams/{}
POST /api/streams/{}/pause
POST /api/streams/{}/resume
POST /api/streams/{}/seek
POST /api/stream/start
POST /api/stream/stop
OPTIONS /api/uploads
POST /api/uploads
OPTIONS /api/uploads/{}
GET /api/uploads/{}
HEAD /api/uploads/{}
PATCH /api/uploads/{}
DELETE /api/uploads/{}
POST /api/uploads/{}
POST /api/videos/upload
POST /upload
"""

_RUN = """
GET /audit
GET /api/audit
DELETE /api/videos/{}
POST /api/cameras
POST /api/embeds
POST /api/alerts/rules
DELETE /api/alerts/rules/{}
POST /api/alerts/reports
DELETE /api/alerts/reports/{}
DELETE /api/cameras/{}
POST /api/cameras/{}/start
POST /api/cameras/{}/stop
"""

_PART = re.compile(r"\{[^{}]*\}|<[^<>]*>")

_ROUTES: dict[Right, str] = {"open": _OPEN, "look": _LOOK, "correct": _CORRECT, "run": _RUN}

RIGHTS: dict[str, Right] = {
    route: right for right, routes in _ROUTES.items() for route in routes.split("\n") if route
}
"""The right by route, such as `GET /api/videos/{}`."""


BY_SOURCE = frozenset(
    f"GET {path}"
    for path in (
        *("/", "/data", "/embed", "/lines/edit"),
        *("/api/models", "/api/labels", "/api/sources", "/api/catalogue", "/api/counts", "/api/summary"),
        *("/api/differences", "/api/heatmap", "/api/evidence", "/api/frames", "/api/frames/boxes"),
        *("/api/frames/image", "/api/objects", "/api/gap", "/api/export"),
        *("/api/sources/{}/drawing", "/api/sources/{}/frame"),
    )
) | {"PUT /api/sources/{}/drawing", "POST /api/calibrations/try"}
"""Routes that answer of some sources as if there were no others: all that who sees some alone has."""


_CHANGES_NOTHING = frozenset({"POST /api/calibrations/try"})
"""Routes that are asked as those are that change something, and only work something out."""


def is_for(one: Visitor, route: str) -> bool:
    """Return whether there is a route of the table, such as `GET /videos`, for who asks."""
    right = RIGHTS[route]
    return right == "open" or (one.may(right) and (not one.sources or route in BY_SOURCE))


def is_change(method: str, path: str) -> bool:
    """Return whether a route changes anything; whatever is not known to change nothing does."""
    reads = method in ("GET", "HEAD", "OPTIONS", "WS")
    return not reads and route_of(method, path) not in _CHANGES_NOTHING


def route_of(method: str, path: str) -> str:
    """Return a route as the table has it; `path` is as Flask or Starlette writes it."""
    rest = path.removeprefix("/api/v1/")
    return f"{method} {_PART.sub('{}', path if rest == path else f'/api/{rest}')}"


def right_of(method: str, path: str) -> Right | None:
    """Return the right that a route needs (see `route_of`); None: nobody has said, so nobody has it."""
    found = RIGHTS.get(route_of(method, path))
    return RIGHTS.get(route_of("GET", path)) if found is None and method == "HEAD" else found
