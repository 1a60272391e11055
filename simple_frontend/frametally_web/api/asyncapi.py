"""The AsyncAPI 3 description of `/api/events` and the WebSockets, made from their message records."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import msgspec

import frametally_web
from frametally.actions.answers import Answer
from frametally.plugins import hooks
from frametally_web.books.answers import Books

_REFERENCE = "#/components/schemas/{name}"
_WEBSOCKET = {"ws": {"method": "GET", "bindingVersion": "0.1.0"}}


class NewCounts(Answer, frozen=True, kw_only=True):
    """The counts have changed: ask for them again.

    Attributes:
        version: Another one than before; answers of counts carry theirs as `Frametally-Counts-Version`.
    """

    version: str


class Message(NamedTuple):
    """A kind of message: its name, its data, and when it is sent."""

    name: str
    data: type[msgspec.Struct]
    summary: str


class Operation(NamedTuple):
    """A message on a channel: its name, its sender (the server can `send` or `receive`), and its meaning."""

    name: str
    action: Literal["send", "receive"]
    summary: str
    messages: Sequence[Message]


class AsyncChannel(NamedTuple):
    """A channel: its name, its address and the address's parameters, its purpose, and its messages."""

    name: str
    address: str
    title: str
    description: str
    operations: Sequence[Operation]
    parameters: Mapping[str, Any] = MappingProxyType({})

    def described(self) -> dict[str, Any]:
        """Return the channel as AsyncAPI describes a WebSocket."""
        messages = [message for operation in self.operations for message in operation.messages]
        return {
            "address": self.address,
            "title": self.title,
            "description": self.description,
            **({"parameters": {**self.parameters}} if self.parameters else {}),
            "messages": _references(messages, "components"),
            "bindings": _WEBSOCKET,
        }


class AsyncChannels(NamedTuple):
    """The result of a plug-in's hook `channels`: its WebSockets, and its news for `/api/events`."""

    channels: Sequence[AsyncChannel]
    events: Sequence[Message] = ()


_EVENTS = (
    Message("index", NewCounts, "The version of the counts: at the start, and after each publication."),
    Message("status", Books, "The books, as in `/api/v1/status`: at the start, and when they change."),
)


@functools.cache
def describe_messages() -> dict[str, Any]:
    """Return the AsyncAPI document, ready to be written as JSON."""
    parts: list[AsyncChannels] = [*hooks("channels")]
    events = [*_EVENTS, *(message for part in parts for message in part.events)]
    channels = [channel for part in parts for channel in part.channels]
    operations = [(channel.name, operation) for channel in channels for operation in channel.operations]
    kinds = [*events, *(message for _, operation in operations for message in operation.messages)]
    _, schemas = msgspec.json.schema_components([kind.data for kind in kinds], ref_template=_REFERENCE)
    for schema in schemas.values():
        schema["description"] = inspect.cleandoc(schema.get("description", "")).partition("\n\nAttributes:")[
            0
        ]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "frametally",
            "version": frametally_web.API_VERSION,
            "description": "Server-sent events and WebSockets. Each message carries the whole state of "
            "its subject, so a missed message loses nothing.",
            "license": {"name": "MIT", "url": "https://opensource.org/license/mit"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "events": {
                "address": "/api/v1/events",
                "title": "What changed",
                "description": "`text/event-stream`, requested with GET; lines that begin with `:` "
                "only keep the connection open. A stream ends after some minutes, and "
                "browsers connect again.",
                "messages": _references(events, "components"),
            },
            **{channel.name: channel.described() for channel in channels},
        },
        "operations": {
            "tell": _operation("send", "events", "The server reports changes.", events),
            **{
                operation.name: _operation(operation.action, name, operation.summary, operation.messages)
                for name, operation in operations
            },
        },
        "components": {
            "messages": {
                kind.name: {
                    "name": kind.name,
                    "summary": kind.summary,
                    "payload": {"$ref": _REFERENCE.format(name=kind.data.__name__)},
                }
                for kind in kinds
            },
            "schemas": dict(sorted(schemas.items())),
        },
    }


def codes(because: Mapping[int, str]) -> str:
    """Return the codes and reasons for closing a WebSocket, as one sentence."""
    return f"Closed with code: {'; '.join(f'{code}: {why}' for code, why in because.items())}."


def _references(kinds: Sequence[Message], where: str) -> dict[str, Any]:
    return {kind.name: {"$ref": f"#/{where}/messages/{kind.name}"} for kind in kinds}


def _operation(action: str, channel: str, summary: str, kinds: Sequence[Message]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [*_references(kinds, f"channels/{channel}").values()],
    }
