"""The interface between the dashboard and a plug-in, in both directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp
from werkzeug.datastructures import MultiDict

from frametally.settings.loading import Settings
from frametally_web.access.seen_index import DashboardPorts
from frametally_web.access.visitors import Visitor
from frametally_web.books.reader import BooksReader
from frametally_web.charts.answers import Counts
from frametally_web.requests.endpoints import Route


@dataclass(frozen=True, kw_only=True)
class WebContext:
    """The dashboard as a plug-in's hook `web` gets it.

    Attributes:
        settings: Of the process.
        ports: What may be read, of the sources that the visitor may see.
        books: What the store and the log say, read in the background.
        counts: Answers a chart's counts for the parameters of `/api/v1/counts`.
        image_url: Returns the address of a stored frame's picture, by its key.
        listener: Returns what lets a WebSocket's visitor in or raises `Problem`, by the route's path.
        remedy: What to do where this dashboard changes nothing; None where it may.
        parts: What the caller of `create_app` gave plug-ins to work on, by name.
    """

    settings: Settings
    ports: DashboardPorts
    books: BooksReader
    counts: Callable[[MultiDict[str, str]], Counts]
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
        routes: Those of its API, as `Routes.of` returns them for its handlers.
        blueprints: Its pages that need more than a template.
        sockets: WebSockets, by the path that they are at, or by `""` for all paths that no other has.
        start: Begins what it does beside requests, once the server listens.
        close: Ends that.
    """

    routes: Sequence[Route] = ()
    blueprints: Sequence[Blueprint] = ()
    sockets: Mapping[str, ASGIApp] = field(default_factory=dict)
    start: Callable[[], None] = _nothing
    close: Callable[[], None] = _nothing
