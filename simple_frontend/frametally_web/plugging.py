"""The interface between the dashboard and a plug-in, in both directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp

from frametally.actions.endpoints import Route
from frametally.actions.parameters import Args
from frametally.settings.loading import Settings
from frametally_web.access.seen_index import DashboardPorts
from frametally_web.access.visitors import Visitor
from frametally_web.books.reader import BooksReader
from frametally_web.charts.answers import Counts


@dataclass(frozen=True, kw_only=True)
class WebContext:
    """The dashboard as seen by a plug-in's hook `web`.

    Attributes:
        settings: The settings of this process.
        ports: The readable ports, limited to the sources that the visitor may see.
        books: The contents of the store and the log, read in the background.
        counts: Returns a chart's counts for the parameters of `/api/v1/counts`.
        image_url: Returns the address of a stored frame's picture, by its key.
        listener: Returns a check, by a route's path, that admits a WebSocket's visitor or raises `Problem`.
        remedy: What to do if this dashboard changes nothing; None if it may.
        parts: The parts for plug-ins from the caller of `create_app`, by name.
    """

    settings: Settings
    ports: DashboardPorts
    books: BooksReader
    counts: Callable[[Args], Counts]
    image_url: Callable[[str], str]
    listener: Callable[[str], Callable[[HTTPConnection], Visitor]]
    remedy: str | None
    parts: Mapping[str, Any]


def _nothing() -> None:
    """Start or close nothing."""


@dataclass(frozen=True, kw_only=True)
class WebPart:
    """A plug-in's additions to one application.

    Attributes:
        routes: Its API routes, as `Routes.of` returns them for its handlers.
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
