"""Sends requested ranges of stored bytes by RFC 9110, and stops if the client disconnects."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from frametally.actions.problems import Problem
from frametally.errors import FrametallyError, Retryable
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally_web.requests.native import SEND_FILE, disconnected

_TAGS = re.compile(r'\*|(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_TAG_LIST = re.compile(rf"[ \t,]*(?:{_TAGS.pattern})(?:[ \t]*,[ \t]*(?:{_TAGS.pattern})?)*[ \t]*")
_RANGE = re.compile(r"([0-9]*)-([0-9]*)")
_MOST_DIGITS = 18
"""Most digits of a byte's position."""


class WholeObject(NamedTuple):
    """The whole object."""

    status: Literal[200] = 200


class BytePart(NamedTuple):
    """The bytes from `first_byte` up to, but not including, `next_byte`."""

    first_byte: int
    next_byte: int
    status: Literal[206] = 206


class NoBytes(NamedTuple):
    """No bytes: the client has them (304) or wants another version (412), or the range is too late (416)."""

    status: Literal[304, 412, 416]


WantedBytes = WholeObject | BytePart | NoBytes


def select_bytes(method: str, headers: Headers, *, etag: str, size_bytes: int) -> WantedBytes:
    """Return the requested part; `etag` is the object's strong tag in quotes.

    Headers that cannot be read are ignored, as are dates, since the object has none.
    """
    if_match = _tags(headers, "if-match")
    if if_match is not None and "*" not in if_match and etag not in if_match:
        return NoBytes(412)
    if_none_match = _tags(headers, "if-none-match")
    if if_none_match is not None and {"*", etag, f"W/{etag}"} & if_none_match:
        return NoBytes(304)
    range_headers = headers.getlist("range")
    if method != "GET" or len(range_headers) != 1:
        return WholeObject()
    if_range = headers.getlist("if-range")
    if if_range and [value.strip() for value in if_range] != [etag]:
        return WholeObject()
    return _part(range_headers[0], size_bytes)


def _part(header: str, size_bytes: int) -> WantedBytes:
    unit, _, ranges = header.partition("=")
    ranges_text = [text.strip(" \t") for text in ranges.split(",")]
    ranges_text = [text for text in ranges_text if text]
    match = _RANGE.fullmatch(ranges_text[0]) if len(ranges_text) == 1 else None
    if unit.strip(" \t").lower() != "bytes" or match is None or not any(match.groups()):
        return WholeObject()  # also for several ranges, which no player requests
    first, last = (_number(digits) for digits in match.groups())
    if first is None:
        length = min(last or 0, size_bytes)
        return BytePart(size_bytes - length, size_bytes) if length else NoBytes(416)
    if last is not None and last < first:
        return WholeObject()
    if first >= size_bytes:
        return NoBytes(416)
    return BytePart(first, size_bytes if last is None else min(last + 1, size_bytes))


def _number(digits: str) -> int | None:
    if not digits:
        return None
    shortened = digits.lstrip("0") or "0"
    return int(shortened) if len(shortened) <= _MOST_DIGITS else 10**_MOST_DIGITS


def _tags(headers: Headers, name: str) -> set[str] | None:
    """Return the tags in a header, or None if it is missing or not a list of tags."""
    text = ", ".join(headers.getlist(name))
    return set(_TAGS.findall(text)) if _TAG_LIST.fullmatch(text) else None


_LOG = logging.getLogger("frametally_web")
_FIRST_BYTES = 128 * 1024
"""Size of the first read: a client that seeks needs the first bytes soon, and often no more."""
_MOST_BYTES = 2 * 1024 * 1024
"""Size of later reads; at most twice as much is in memory for one client."""


class StoredBytes(Response):
    """Sends an object or a part of it: the first bytes are given, the rest is read while sending."""

    def __init__(
        self,
        store: ObjectStore,
        key: str,
        part: BytePart,
        first: bytes,
        *,
        status: int,
        headers: Mapping[str, str],
        media_type: str,
    ) -> None:
        """Send `part`, which begins with the bytes `first`."""
        super().__init__(status_code=status, headers=dict(headers), media_type=media_type)
        self.headers["Content-Length"] = str(part.next_byte - part.first_byte)
        self._store = store
        self._key = key
        self._part = part
        self._first = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response; if the store fails midway, it ends early, so that the client asks again."""
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        await send(start)
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        disconnection = asyncio.ensure_future(disconnected(receive))
        data, position = self._first, self._part.first_byte + len(self._first)
        is_file = self._store.url.startswith("file:")
        send_file = scope.get("extensions", {}).get(SEND_FILE) if is_file else None
        try:
            while not disconnection.done():
                is_end = position >= self._part.next_byte
                next_data = None if send_file or is_end else self._read(position, 2 * len(data))
                await send({"type": "http.response.body", "body": data, "more_body": not is_end})
                if is_end:
                    return
                if send_file:
                    file = Path(unquote(urlsplit(self._store.address(self._key)).path))
                    position += await send_file(file, position, self._part.next_byte)
                data = await (next_data or self._read(position, _FIRST_BYTES))
                position += len(data)
        except FrametallyError as error:
            _LOG.warning("%s: sent up to byte %d, then: %s", scope["path"], position, error)
        finally:
            disconnection.cancel()

    def _read(self, position: int, most: int) -> asyncio.Future[bytes]:
        """Start to read the next bytes, while the current ones are sent."""
        until = min(position + min(most, _MOST_BYTES), self._part.next_byte)
        data = asyncio.ensure_future(asyncio.to_thread(_read_whole, self._store, self._key, position, until))
        data.add_done_callback(lambda task: task.cancelled() or task.exception())  # it may never be awaited
        return data


async def send_stored(
    request: Request,
    store: ObjectStore,
    key: str,
    *,
    size_bytes: int,
    etag: str,
    media_type: str,
    headers: Mapping[str, str],
) -> Response:
    """Return the response to a request for an object: all of it, the requested part, or no bytes.

    `etag` is in quotes and changes whenever the bytes do; `headers` go with every response for these bytes.

    Raises:
        Problem: 404, the object does not exist; 412, it is another version; 416, the range is past its end.
        Retryable: The store is not available.
    """
    headers = {"Accept-Ranges": "bytes", "ETag": etag, **headers}
    selection = select_bytes(request.method, request.headers, etag=etag, size_bytes=size_bytes)
    if isinstance(selection, NoBytes):
        return _nothing(selection, headers, size_bytes)
    part = selection if isinstance(selection, BytePart) else BytePart(0, size_bytes)
    if isinstance(selection, BytePart):
        headers["Content-Range"] = f"bytes {part.first_byte}-{part.next_byte - 1}/{size_bytes}"
    try:
        first = await asyncio.to_thread(_first_of, request.method, store, key, part)
    except ObjectMissing as error:
        raise Problem(
            404,
            "The store no longer has this file.",
            remedy="It was deleted; upload the video again if you still need it.",
        ) from error
    return StoredBytes(
        store, key, part, first, status=selection.status, headers=headers, media_type=media_type
    )


def _nothing(selection: NoBytes, headers: Mapping[str, str], size_bytes: int) -> Response:
    if selection.status == 304:
        return Response(status_code=304, headers=dict(headers))
    if selection.status == 416:
        problem = Problem(
            416,
            f"The file has {size_bytes} bytes, so the range begins after its end.",
            remedy="Choose a range that starts before the end.",
        )
        problem.headers = {"Accept-Ranges": "bytes", "Content-Range": f"bytes */{size_bytes}"}
        raise problem
    raise Problem(412, "The file has changed since you read it.", remedy="Send the request without If-Match.")


def _first_of(method: str, store: ObjectStore, key: str, part: BytePart) -> bytes:
    if method != "HEAD":
        return _read_whole(store, key, part.first_byte, min(part.first_byte + _FIRST_BYTES, part.next_byte))
    if store.head(key) is None:
        raise ObjectMissing(f"no object {key!r} in {store.url}")
    return b""


def _read_whole(store: ObjectStore, key: str, first_byte: int, next_byte: int) -> bytes:
    data = store.get_range(key, first_byte, next_byte) if first_byte < next_byte else b""
    if len(data) != next_byte - first_byte:
        raise Retryable(f"{key} has {len(data)} of {next_byte - first_byte} bytes from byte {first_byte} on")
    return data
