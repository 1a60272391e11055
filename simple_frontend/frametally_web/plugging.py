"""The interface between the dashboard and a plug-in, in both directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from flask import Blueprint
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp

from frametally.actions.endpoints import Route
from frametally_web.access.visitors import Visitor
from frametally_web.books.context import ActionContext


@dataclass(frozen=True, kw_only=True)
class WebContext(ActionContext):
    """The dashboard as seen by a plug-in's hook `web`; `parts` are from the caller of `create_app`.

    Attributes:
        listener: Returns a check, by a route's path, that admits a WebSocket's visitor or raises `Problem`.
    """

    listener: Callable[[str], Callable[[HTTPConnection], Visitor]]


def _nothing() -> None:
    """Start or close nothing."""


@dataclass(frozen=True, kw_only=True)
class WebPart:
    """A plug-in's additions to one application.

    Attributes:
        routes: Its native routes, as `Routes.bind` returns them for its handlers.
        blueprints: Its pages that need more than a template.
        sockets: WebSockets by path; `""` has all other paths.
        start: Starts its background work, once the server listens.
        close: Ends that work.
    """

    routes: Sequence[Route] = ()
    blueprints: Sequence[Blueprint] = ()
    sockets: Mapping[str, ASGIApp] = field(default_factory=dict)
    start: Callable[[], None] = _nothing
    close: Callable[[], None] = _nothing
