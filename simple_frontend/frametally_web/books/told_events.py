"""What `/api/events` tells, in AsyncAPI 3, made from the records of its events."""

from __future__ import annotations

import functools
import inspect
from typing import Any, NamedTuple

import msgspec

import frametally_web
from frametally_web.books.answers import Books
from frametally_web.requests.answers import Answer

_REFERENCE = "#/components/schemas/{name}"


class NewCounts(Answer, frozen=True, kw_only=True):
    """The counts have changed: what was asked of them is to be asked again.

    Attributes:
        version: Another one than before; answers of counts carry theirs as `Frametally-Counts-Version`.
    """

    version: str


class NewVideos(Answer, frozen=True, kw_only=True):
    """Something has changed that the library of videos shows.

    Attributes:
        version: Another one than before.
    """

    version: str


class _Kind(NamedTuple):
    """A kind of event: its name on the stream, its data, when it comes."""

    event: str
    data: type[Answer]
    summary: str


_KINDS = (
    _Kind("index", NewCounts, "The version of the counts: at the beginning, and after each publication."),
    _Kind(
        "status", Books, "The books, as `/api/v1/status` has them: at the beginning, and when they change."
    ),
    _Kind(
        "videos", NewVideos, "The version of the library of videos: at the beginning, and when it changes."
    ),
)


@functools.cache
def describe_events() -> dict[str, Any]:
    """Return the AsyncAPI document, ready to be written as JSON."""
    _, schemas = msgspec.json.schema_components([kind.data for kind in _KINDS], ref_template=_REFERENCE)
    for schema in schemas.values():
        schema["description"] = inspect.cleandoc(schema.get("description", "")).partition("\n\nAttributes:")[
            0
        ]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "frametally",
            "version": frametally_web.API_VERSION,
            "description": "Server-sent events. Each carries the whole state of its kind: whoever missed "
            "one has lost nothing. A stream ends after some minutes, and browsers connect again.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "events": {
                "address": "/api/v1/events",
                "title": "What changed",
                "description": "`text/event-stream`, asked for by GET; lines that begin with `:` say "
                "that it is still there.",
                "messages": {kind.event: {"$ref": f"#/components/messages/{kind.event}"} for kind in _KINDS},
            }
        },
        "operations": {
            "tell": {
                "action": "send",
                "channel": {"$ref": "#/channels/events"},
                "summary": "The server tells what changed.",
                "messages": [{"$ref": f"#/channels/events/messages/{kind.event}"} for kind in _KINDS],
            }
        },
        "components": {
            "messages": {
                kind.event: {
                    "name": kind.event,
                    "summary": kind.summary,
                    "payload": {"$ref": _REFERENCE.format(name=kind.data.__name__)},
                }
                for kind in _KINDS
            },
            "schemas": dict(sorted(schemas.items())),
        },
    }
