"""Sends stored bytes as a client takes them, and reads no further once it has gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from frametally.errors import FrametallyError, Retryable
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally_videos.playback.byte_ranges import BytePart, NoBytes, wanted
from frametally_web.requests.native import disconnected
from frametally_web.requests.problems import Problem

_LOG = logging.getLogger("frametally_web")
_FIRST_BYTES = 128 * 1024
"""Read at first: who seeks wants the first of it soon, and often no more."""
_MOST_BYTES = 2 * 1024 * 1024
"""Read at once later; twice as much waits in memory for one client at most."""


class StoredBytes(Response):
    """An object of a store, or a part of it: what of the first is there already, the rest as it is taken."""

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
        """Send it; where the store fails on the way the client sees it cut short, and asks again."""
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        await send(start)
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        gone = asyncio.ensure_future(disconnected(receive))
        data, at = self._first, self._part.first_byte + len(self._first)
        try:
            while not gone.done():
                coming = self._read(at, 2 * len(data))
                await send({"type": "http.response.body", "body": data, "more_body": coming is not None})
                if coming is None:
                    return
                data = await coming
                at += len(data)
        except FrametallyError as error:
            _LOG.warning("%s: sent up to byte %d, then: %s", scope["path"], at, error)
        finally:
            gone.cancel()

    def _read(self, at: int, most: int) -> asyncio.Future[bytes] | None:
        """Begin to read what comes next while what there is goes out; None where that is the last."""
        until = min(at + min(most, _MOST_BYTES), self._part.next_byte)
        if at >= until:
            return None
        coming = asyncio.ensure_future(asyncio.to_thread(_read_whole, self._store, self._key, at, until))
        coming.add_done_callback(lambda done: done.cancelled() or done.exception())  # it may be left
        return coming


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
    """Return the answer to a request for an object: all of it, the part asked for, or why none of it.

    Args:
        request: Its conditions and its range are held to.
        store: Where the object lies.
        key: The object's.
        size_bytes: Its size.
        etag: Changes whenever its bytes do; in quotes.
        media_type: What it is.
        headers: Of every answer that speaks of these bytes.

    Raises:
        Problem: 404, the object is not there; 412, it is not the one that is meant.
        Retryable: The store is away.
    """
    headers = {"Accept-Ranges": "bytes", "ETag": etag, **headers}
    chosen = wanted(request.method, request.headers, etag=etag, size_bytes=size_bytes)
    if isinstance(chosen, NoBytes):
        return _nothing(chosen, headers, size_bytes)
    part = chosen if isinstance(chosen, BytePart) else BytePart(0, size_bytes)
    if isinstance(chosen, BytePart):
        headers["Content-Range"] = f"bytes {part.first_byte}-{part.next_byte - 1}/{size_bytes}"
    try:
        first = await asyncio.to_thread(_first_of, request.method, store, key, part)
    except ObjectMissing as error:
        raise Problem(
            404, "The store has it no more.", remedy="It was removed; upload the video again to have it here."
        ) from error
    return StoredBytes(store, key, part, first, status=chosen.status, headers=headers, media_type=media_type)


def _nothing(chosen: NoBytes, headers: Mapping[str, str], size_bytes: int) -> Response:
    if chosen.status == 304:
        return Response(status_code=304, headers=dict(headers))
    if chosen.status == 416:
        problem = Problem(
            416,
            f"It has {size_bytes} bytes, and none where the range begins.",
            remedy="Ask for a range that begins before its end.",
        )
        problem.headers = {"Accept-Ranges": "bytes", "Content-Range": f"bytes */{size_bytes}"}
        raise problem
    raise Problem(412, "Its bytes are others than those that are meant.", remedy="Ask without If-Match.")


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
