"""Declares an action once, at the method that answers it: a route of the API, and a command."""

from __future__ import annotations

import importlib
import re
import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal, NamedTuple, TypedDict, TypeVar, Unpack, cast

import msgspec

from frametally.actions.calls import Sent
from frametally.actions.parameters import Parameter
from frametally.plugins import Right

Method = Literal["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"]
READS = ("GET", "HEAD", "OPTIONS")
"""The HTTP methods that change nothing, on any route."""
_PART = re.compile(r"\{[^{}]*\}|<[^<>]*>")
HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A route of the API, as its handler declares it.

    Attributes:
        name: Name of the handler, unless another is given.
        method: HTTP method.
        path: Path after `/api/v1/`, or after `/` if `at_root`; `{name}` for a variable part.
        summary: Its answer, in words.
        parameters: In query, path and headers; all other parameters are refused unless `native`.
        handler: The function that answers it.
        answer: The record that it returns; None if that is not JSON of ours.
        media_types: Types of its answer, the usual one first; empty if there is no content.
        body: The form of its JSON body; None without one.
        form: The parts of its form body.
        sends: The type of the bytes in its body.
        statuses: Statuses of its problems that its other attributes do not imply; see `problems`.
        success: Successful answers in words, by status, if there is more than 200.
        tag: Its group in the description.
        right: The required role.
        by_source: Whether visitors who see only some sources may use it.
        only_computes: Whether it changes nothing, whatever its method is.
        native: Whether Starlette answers, in the event loop: streams, and bodies of any length.
        at_root: Whether it is not under `/api/v1`.
        hidden: Whether the description leaves it out, because it stands for another.
        tells_version: Whether its answer names the state of the counts behind it.
        is_kept: Whether its answer is cached until that state changes.
        frees: Whether it frees space, or stops what fills the disk: on a full disk it may use the reserve of
            the data folder, as the commands do that `CommandEntry.frees` names.
    """

    name: str
    method: Method
    path: str
    summary: str
    parameters: tuple[Parameter[Any], ...]
    handler: Callable[..., Any]
    answer: type[msgspec.Struct] | None
    media_types: tuple[str, ...]
    body: type[msgspec.Struct] | None
    tag: str
    right: Right
    by_source: bool
    native: bool
    at_root: bool
    form: tuple[Parameter[Any], ...] = ()
    sends: str = ""
    statuses: tuple[int, ...] = ()
    success: Mapping[int, str] = field(default_factory=dict)
    only_computes: bool = False
    hidden: bool = False
    tells_version: bool = False
    is_kept: bool = False
    frees: bool = False

    @property
    def address(self) -> str:
        """Its whole path, as in a client's request."""
        return f"/{self.path}" if self.at_root else f"/api/v1/{self.path}"

    @property
    def holder(self) -> Callable[[Any], object]:
        """The class whose method answers it."""
        name = self.handler.__qualname__.partition(".")[0]
        holder: Callable[[Any], object] = getattr(sys.modules[self.handler.__module__], name)
        return holder

    @property
    def changes(self) -> bool:
        """Whether it changes anything; it does unless it is known not to."""
        return self.method not in READS and not self.only_computes

    @cached_property
    def reads_counts(self) -> bool:
        """Whether all that it reads of the index has to be of one moment."""
        return self.is_kept or self.tells_version or "model" in self.in_query

    @property
    def in_query(self) -> tuple[str, ...]:
        """Names of the parameters in the query."""
        return tuple(parameter.name for parameter in self.parameters if parameter.place == "query")

    @property
    def problems(self) -> set[int]:
        """Statuses of its problems: those of all routes, those of a variable path or a JSON body, its own."""
        of_path = {404} if "{" in self.path else set()
        of_body = {413, 415} if self.body is not None else set()
        return {400, 401, 403, 405, 503, *of_path, *of_body, *self.statuses}

    @property
    def streams(self) -> bool:
        """Whether its answer continues for as long as a client listens."""
        return self.media_types == ("text/event-stream",)


class Route(NamedTuple):
    """A route of one application: its endpoint, and the bound method that answers it."""

    endpoint: Endpoint
    handler: Callable[..., Any]


class _Options(TypedDict, total=False):
    """The options of a declaration besides path, summary and parameters; see `Endpoint`."""

    operation: str
    answer: type[msgspec.Struct]
    media_types: tuple[str, ...]
    body: type[msgspec.Struct] | Sent[Any]
    form: tuple[Parameter[Any], ...]
    sends: str
    statuses: tuple[int, ...]
    success: Mapping[int, str]
    right: Right
    by_source: bool
    only_computes: bool
    at_root: bool
    hidden: bool
    tells_version: bool
    is_kept: bool
    frees: bool


class Routes:
    """A group of routes: decorates their handlers, which are methods of one or several classes.

    ::

        ALERTS = Routes("Alerts")


        class AlertRoutes:
            @ALERTS.route("GET alerts", "Rules, channels, and what was sent.", STATE, BEFORE)
            def alerts(self, args: Args) -> answers.Alerts: ...

    A handler gets the query and the path's parts, reads each by its `Parameter.read`, and returns the
    answer's record, or a `Reply`; a `native` handler is async and gets the `Request`.
    """

    def __init__(
        self,
        tag: str,
        *,
        right: Right = "look",
        by_source: bool = False,
        native: bool = False,
        at_root: bool = False,
    ) -> None:
        """Begin a group; these options apply to each route that does not override them."""
        self._shared = {
            "tag": tag,
            "right": right,
            "by_source": by_source,
            "native": native,
            "at_root": at_root,
        }
        self.endpoints: list[Endpoint] = []

    def route(
        self, place: str, summary: str, *parameters: Parameter[Any], **options: Unpack[_Options]
    ) -> Callable[[HandlerT], HandlerT]:
        """Declare the decorated method as the handler of `place`, such as `GET alerts/rules/{name}`."""

        def declare(handler: HandlerT) -> HandlerT:
            method, path = place.split(" ")
            declaration: dict[str, Any] = {**self._shared, **options}
            answers = typing.get_type_hints(handler)["return"]
            is_record = isinstance(answers, type) and issubclass(answers, msgspec.Struct)
            answer = declaration.setdefault("answer", answers if is_record else None)
            declaration.setdefault("media_types", ("application/json",) if answer is not None else ())
            body = declaration.pop("body", None)
            self.endpoints.append(
                Endpoint(
                    name=declaration.pop("operation", handler.__name__),
                    method=cast(Method, method),
                    path=path,
                    summary=summary,
                    parameters=parameters,
                    handler=handler,
                    body=body.form if isinstance(body, Sent) else body,
                    **declaration,
                )
            )
            return handler

        return declare

    def bind(self, *holders: object) -> list[Route]:
        """Return the routes of one application: each endpoint bound to the holder whose class declares it."""
        return [
            Route(endpoint, endpoint.handler.__get__(holder))
            for endpoint in self.endpoints
            for holder in holders
            if vars(type(holder)).get(endpoint.handler.__name__) is endpoint.handler
        ]


def endpoints_in(modules: Iterable[str]) -> Iterator[Endpoint]:
    """Yield the actions that some modules declare, in this order; import them."""
    for name in modules:
        for group in vars(importlib.import_module(name)).values():
            if isinstance(group, Routes):
                yield from (endpoint for endpoint in group.endpoints if endpoint.handler.__module__ == name)


@lru_cache(maxsize=1000)
def route_of(method: str, path: str) -> str:
    """Return a route as in the table of rights; `path` is as Flask or Starlette writes it."""
    rest = path.removeprefix("/api/v1/")
    return f"{method} {_PART.sub('{}', path if rest == path else f'/api/{rest}')}"
