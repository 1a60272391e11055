"""The native routes of stored videos: their bytes as they came, what a browser plays, their pictures."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from frametally import keys
from frametally.ports.object_store import ObjectStore
from frametally.ports.video_catalogue import VideoCatalogue, VideoRow
from frametally_web.playback.sending import send_stored
from frametally_web.playback.stored import find_video
from frametally_web.requests import query
from frametally_web.requests.native import NativeRoute
from frametally_web.requests.problems import Problem

_FOR_EVER = "private, max-age=31536000, immutable"
_ASK_AGAIN = "private, no-cache"
_PICTURES = {"poster": "poster", "sprite": "sprite", "sprite.vtt": "sprite_vtt"}
_VERSION = re.compile(r"-([0-9a-f]{8})\.")
_PLAIN = re.compile(r"[^A-Za-z0-9._ -]")


class _Stored(NamedTuple):
    """An object that can be sent. `version` changes with its bytes."""

    key: str
    size_bytes: int
    media_type: str
    version: str


class PlaybackRoutes:
    """Sends what the store has of videos; which there are, the catalogue says."""

    def __init__(self, store: ObjectStore, catalogue: VideoCatalogue) -> None:
        """Read from these."""
        self._store = store
        self._catalogue = catalogue

    def routes(self) -> list[NativeRoute]:
        """Return them."""
        at = "/api/videos/{video_id}"
        return [
            NativeRoute(f"{at}/original", ("GET",), self.original, media=True),
            NativeRoute(f"{at}/playable", ("GET",), self.playable, media=True),
            *(NativeRoute(f"{at}/{name}", ("GET",), self.picture, media=True) for name in _PICTURES),
            NativeRoute("/processed_videos/{video_id}", ("GET",), self.processed, media=True),
        ]

    async def original(self, request: Request) -> Response:
        """Answer with the bytes as they came, to be kept as a file of its own name.

        Raises:
            Problem: 404, 412, 416.
        """
        row = await self._row(request)
        found = _original_of(row)
        headers = {"Content-Disposition": _attachment(row.record.file_name)}
        return await self._send(request, found, headers)

    async def playable(self, request: Request) -> Response:
        """Answer with what a browser plays.

        Raises:
            Problem: 404, also where no browser plays the video; 412, 416.
        """
        return await self._send(request, _playable_of(await self._row(request)), {})

    async def processed(self, request: Request) -> Response:
        """Answer with the best that there is to play: it may be another the next time.

        Raises:
            Problem: As `playable`.
        """
        found = _playable_of(await self._row(request))
        return await self._send(request, found, {"Cache-Control": _ASK_AGAIN})

    async def picture(self, request: Request) -> Response:
        """Answer with a picture of the video, or with what tells its parts.

        Raises:
            Problem: 404, there is none yet; 412, 416.
        """
        row = await self._row(request)
        name = request.url.path.rpartition("/")[2]
        kind = _PICTURES[name]
        found = next((one for one in row.previews if one.kind == kind), None)
        if found is None:
            raise Problem(
                404, f"The video has no {name} yet.", remedy="It is made soon after the video has come."
            )
        version = _VERSION.search(found.key)
        stored = _Stored(
            found.key, found.size_bytes, found.content_type, version[1] if version else found.key
        )
        return await self._send(request, stored, {})

    async def _row(self, request: Request) -> VideoRow:
        query.check_known(request.query_params, ["v"])
        return await find_video(self._catalogue, request.path_params["video_id"])

    async def _send(self, request: Request, stored: _Stored, headers: dict[str, str]) -> Response:
        is_named = request.query_params.get("v") == stored.version
        return await send_stored(
            request,
            self._store,
            stored.key,
            size_bytes=stored.size_bytes,
            etag=f'"{stored.version}"',
            media_type=stored.media_type,
            headers={"Cache-Control": _FOR_EVER if is_named else _ASK_AGAIN, **headers},
        )


def _original_of(row: VideoRow) -> _Stored:
    media_type = row.record.facts.content_type
    if not media_type.startswith(("video/", "audio/")):
        media_type = "application/octet-stream"
    key = keys.original_key(row.record.id)
    return _Stored(key, row.record.size_bytes, media_type, row.record.sha256)


def _playable_of(row: VideoRow) -> _Stored:
    facts = row.record.facts
    if not facts.plays_in_browsers:
        raise Problem(
            404,
            facts.why_not or "No browser plays this video.",
            remedy=f"Download it from /api/v1/videos/{row.record.id}/original, and play it by a program.",
        )
    return _original_of(row)


def _attachment(file_name: str) -> str:
    """Return the Content-Disposition of a file to be kept: its name for all, then as it is (RFC 8187)."""
    plain = _PLAIN.sub("_", file_name) or "video"
    encoded = quote(file_name or "video", safe="!#$&+-.^_`|~", errors="replace")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
