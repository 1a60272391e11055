"""What `/api/events` and the WebSockets tell, in AsyncAPI 3, made from the records of what they say."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

import frametally_web
from frametally_live.viewers import viewer_messages as live
from frametally_videos.sockets.client_messages import CLOSED_BECAUSE, Hello, JobTold, Ping, Pong, VideoTold
from frametally_web.books.answers import Books
from frametally_web.requests.answers import Answer

_REFERENCE = "#/components/schemas/{name}"
_WEBSOCKET = {"ws": {"method": "GET", "bindingVersion": "0.1.0"}}


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
    """A kind of message: its name, its data, when it comes."""

    name: str
    data: type[msgspec.Struct]
    summary: str


_EVENTS = (
    _Kind("index", NewCounts, "The version of the counts: at the beginning, and after each publication."),
    _Kind(
        "status", Books, "The books, as `/api/v1/status` has them: at the beginning, and when they change."
    ),
    _Kind(
        "videos", NewVideos, "The version of the library of videos: at the beginning, and when it changes."
    ),
)
_TOLD_CLIENTS = (
    _Kind("hello", Hello, "The first message: all videos and jobs of the client."),
    _Kind("job", JobTold, "A job that has changed, as it is now; twice a second at most."),
    _Kind("video", VideoTold, "A video that has changed, as it is now; twice a second at most."),
    _Kind("ping", Ping, "After 20 s (or what is set) in which there was nothing to tell."),
)
_HEARD = (_Kind("pong", Pong, "An answer to `ping`, which need not come."),)
_SHOWN = (
    _Kind(
        "frame",
        live.FrameShown,
        "A frame: binary, 4 bytes of length (the highest first), this, and the JPEG; with `format=json` "
        "this as text.",
    ),
    _Kind("state", live.StreamTold, "How it stands: at once, at every change, and every 5 s."),
)
_HEARD_OF_VIEWERS = (
    _Kind("ack", live.Ack, "A frame was drawn; from the first of these on at most two wait for that."),
    _Kind("pause", live.Pause, "No frames for now, for this viewer alone."),
    _Kind("resume", live.Resume, "Frames again."),
)


@functools.cache
def describe_messages() -> dict[str, Any]:
    """Return the AsyncAPI document, ready to be written as JSON."""
    kinds = _EVENTS + _TOLD_CLIENTS + _HEARD + _SHOWN + _HEARD_OF_VIEWERS
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
            "description": "Server-sent events and WebSockets. Each message carries the whole state of its "
            "kind or thing: whoever missed one has lost nothing.",
            "license": {"name": "MIT", "url": "https://opensource.org/license/mit"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "events": {
                "address": "/api/v1/events",
                "title": "What changed",
                "description": "`text/event-stream`, asked for by GET; lines that begin with `:` say "
                "that it is still there. A stream ends after some minutes, and browsers connect again.",
                "messages": _references(_EVENTS, "components"),
            },
            "client": {
                "address": "/ws/{client_id}",
                "title": "What becomes of a client's videos",
                "description": "A WebSocket for whoever uploads with a `client_id`; it is told of its own "
                f"videos alone. {_codes(CLOSED_BECAUSE)}",
                "parameters": {
                    "client_id": {
                        "description": "What the uploads name: 1 to 64 letters, digits, `-` and `_`, but "
                        "not `stream`.",
                        "examples": ["client-1234"],
                    }
                },
                "messages": _references(_TOLD_CLIENTS + _HEARD, "components"),
                "bindings": _WEBSOCKET,
            },
            "stream": {
                "address": "/ws/stream",
                "title": "Live frames and what is found in them",
                "description": "A WebSocket for one viewer of a video that is streamed, or of a camera: "
                "`/ws/stream?video_id=...` or `/ws/stream?source=...`, with `&format=json` frames as text. "
                f"{_codes(live.CLOSED_BECAUSE)}",
                "messages": _references(_SHOWN + _HEARD_OF_VIEWERS, "components"),
                "bindings": _WEBSOCKET,
            },
        },
        "operations": {
            "tell": _operation("send", "events", "The server tells what changed.", _EVENTS),
            "tell_client": _operation(
                "send", "client", "The server tells a client of its videos.", _TOLD_CLIENTS
            ),
            "hear_client": _operation("receive", "client", "All that a client may say.", _HEARD),
            "show": _operation("send", "stream", "The server shows frames.", _SHOWN),
            "hear_viewer": _operation("receive", "stream", "All that a viewer may say.", _HEARD_OF_VIEWERS),
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


def _codes(because: Mapping[int, str]) -> str:
    return f"Closed by code: {'; '.join(f'{code}: {why}' for code, why in because.items())}."


def _references(kinds: tuple[_Kind, ...], where: str) -> dict[str, Any]:
    return {kind.name: {"$ref": f"#/{where}/messages/{kind.name}"} for kind in kinds}


def _operation(action: str, channel: str, summary: str, kinds: tuple[_Kind, ...]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [*_references(kinds, f"channels/{channel}").values()],
    }
