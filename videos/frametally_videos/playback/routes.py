"""The native routes of stored videos: their bytes as they came, what a browser plays, their pictures."""

from __future__ import annotations

import asyncio
import re
from typing import NamedTuple
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from werkzeug.datastructures import MultiDict

from frametally.ports.object_store import ObjectStore
from frametally_videos.library_answers import original_of, playable_of
from frametally_videos.playback.stored_bytes import send_stored
from frametally_videos.playback.stored_video import find_video
from frametally_videos.ports.video_catalogue import Artifact, VideoCatalogue, VideoRow
from frametally_web.requests import query
from frametally_web.requests.native import NativeRoute
from frametally_web.requests.problems import Problem

_FOR_EVER = "private, max-age=31536000, immutable"
_ASK_AGAIN = "private, no-cache"
_PICTURES = {"poster": "poster", "sprite": "sprite", "sprite.vtt": "sprite_vtt"}
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
            NativeRoute(f"{at}/original", ("GET",), self.original),
            NativeRoute(f"{at}/playable", ("GET",), self.playable),
            NativeRoute(f"{at}/enhanced", ("GET",), self.enhanced),
            *(NativeRoute(f"{at}/{name}", ("GET",), self.picture) for name in _PICTURES),
            NativeRoute("/processed_videos/{video_id}", ("GET",), self.processed),
        ]

    async def original(self, request: Request) -> Response:
        """Answer with the bytes as they came, to be kept as a file of its own name.

        Raises:
            Problem: 404, 412, 416.
        """
        row = await self._row(request)
        found = _stored(row, original_of(row))
        headers = {"Content-Disposition": _attachment(row.record.file_name)}
        return await self._send(request, found, headers)

    async def playable(self, request: Request) -> Response:
        """Answer with what a browser plays.

        Raises:
            Problem: 404, also where no browser plays the video; 412, 416.
        """
        row = await self._row(request)
        found = playable_of(row)
        if found is None:
            raise await self._not_yet(row)
        return await self._send(request, _stored(row, found), {})

    async def enhanced(self, request: Request) -> Response:
        """Answer with a video that is better to look at: that of a recipe, or else the newest.

        Raises:
            Problem: 404, there is none such; 412, 416.
        """
        row = await self._row(request, "recipe")
        recipe = query.read_one(MultiDict(request.query_params), "recipe")
        made = [one for one in row.artifacts if one.kind == "enhanced"]
        found = [one for one in made if recipe in (None, one.recipe)]
        if not found:
            raise Problem(
                404,
                "There is no enhanced video of this recipe."
                if recipe
                else "Nothing enhanced was made of it.",
                remedy="Ask for the derivatives of the video, or have it enhanced.",
            )
        return await self._send(request, _stored(row, found[-1]), {})

    async def processed(self, request: Request) -> Response:
        """Answer with the best that there is to play: it may be another the next time.

        Raises:
            Problem: As `playable`.
        """
        row = await self._row(request)
        found = row.artifact("enhanced") or playable_of(row)
        if found is None:
            raise await self._not_yet(row)
        return await self._send(request, _stored(row, found), {"Cache-Control": _ASK_AGAIN})

    async def picture(self, request: Request) -> Response:
        """Answer with a picture of the video, or with what tells its parts.

        Raises:
            Problem: 404, there is none yet; 412, 416.
        """
        row = await self._row(request)
        name = request.url.path.rpartition("/")[2]
        kind = _PICTURES[name]
        found = next((one for one in row.artifacts if one.kind == kind), None)
        if found is None:
            raise Problem(
                404, f"The video has no {name} yet.", remedy="It is made soon after the video has come."
            )
        return await self._send(request, _stored(row, found), {})

    async def _not_yet(self, row: VideoRow) -> Problem:
        """Return the 404 of a video that no browser plays, with how far it is that one may."""
        facts = row.record.facts
        jobs = await asyncio.to_thread(self._catalogue.jobs, row.record.id)
        making = next((job for job in reversed(jobs) if job.kind == "playable"), None)
        said = f" What browsers play is {making.state}." if making else ""
        why = f" {making.reason}" if making and making.state == "failed" and making.reason else ""
        return Problem(
            404,
            f"{facts.why_not or 'No browser plays this video.'}{said}{why}",
            remedy=f"Ask again once it is made, or download /api/v1/videos/{row.record.id}/original, "
            "and play it by a program.",
        )

    async def _row(self, request: Request, asked: str = "v") -> VideoRow:
        query.check_known(request.query_params, [asked])
        return await find_video(self._catalogue, request.path_params["video_id"])

    async def _send(self, request: Request, stored: _Stored, headers: dict[str, str]) -> Response:
        is_named = stored.version in (request.query_params.get("v"), request.query_params.get("recipe"))
        return await send_stored(
            request,
            self._store,
            stored.key,
            size_bytes=stored.size_bytes,
            etag=f'"{stored.version}"',
            media_type=stored.media_type,
            headers={"Cache-Control": _FOR_EVER if is_named else _ASK_AGAIN, **headers},
        )


def _stored(row: VideoRow, made: Artifact) -> _Stored:
    """Return what lies in the store; the original, which no recipe made, by its own bytes."""
    version = made.recipe or row.record.sha256
    return _Stored(made.key, made.size_bytes, made.content_type, version)


def _attachment(file_name: str) -> str:
    """Return the Content-Disposition of a file to be kept: its name for all, then as it is (RFC 8187)."""
    plain = _PLAIN.sub("_", file_name) or "video"
    encoded = quote(file_name or "video", safe="!#$&+-.^_`|~", errors="replace")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
