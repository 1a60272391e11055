"""Handles the native routes of stored videos: originals, playable versions, pictures, and single frames."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from frametally import keys
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import Args, check_known, header, text, text_schema
from frametally.actions.problems import Problem
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.settings.loading import Settings
from frametally_videos.catalogue.catalogue_rows import Artifact, VideoRow
from frametally_videos.catalogue.video_catalogue import VideoCatalogue
from frametally_videos.library.enhancements import ENHANCEMENT_FIELDS, read_enhancement
from frametally_videos.library.video_looks import frame_picture
from frametally_videos.library_answers import original_of, playable_of
from frametally_videos.playback.stored_bytes import send_stored
from frametally_videos.routes import FILE, VIDEO, find_video
from frametally_videos.upload_refusals import FieldRefused, Refused
from frametally_web.proof.picture_links import WIDTH, smaller

PLAYBACK = Routes("Videos", native=True)

_RANGE = (
    header("Range", "One range of bytes: `bytes=0-99`.", text_schema(), "bytes=0-99"),
    header("If-Range", "`ETag` of the part that you already have.", text_schema()),
    header("If-None-Match", "`ETag` of the copy that you keep.", text_schema()),
)
_PLAYED = {
    200: "The whole file.",
    206: "The requested range.",
    304: "The client already has the current version.",
}
_RECIPE = text("recipe", "Which version; default: the newest.", "", text_schema(8))
_VERSION = text("v", "As in the link: another picture has another address.")
_KEPT = "The browser already has the current version."
_FOR_EVER = "private, max-age=31536000, immutable"
_ASK_AGAIN = "private, no-cache"
_PICTURES = {"poster": "poster", "sprite": "sprite", "sprite.vtt": "sprite_vtt"}
_PLAIN = re.compile(r"[^A-Za-z0-9._ -]")
_POSITION = text(
    "position_s", "Seconds after its first frame; default: 0.", "0", {"type": "number", "minimum": 0}
)
_FIELDS = tuple(text(name, "As in `Enhancement`.") for name in ENHANCEMENT_FIELDS)
_MOST_AT_ONCE = 2
"""Frames to decode at once, each in a process."""
_RETRY_AFTER_S = 1


class PlaybackRoutes:
    """Sends stored videos that the catalogue lists, and decodes a few frames at a time."""

    def __init__(self, settings: Settings, store: ObjectStore, catalogue: VideoCatalogue) -> None:
        """Serve videos from this store and catalogue."""
        self._settings = settings
        self._store = store
        self._catalogue = catalogue
        self._at_work = 0

    @PLAYBACK.route(
        "GET videos/{video_id}/original",
        "Download the uploaded video.",
        VIDEO,
        *_RANGE,
        operation="video_original",
        media_types=("video/mp4", "application/octet-stream"),
        statuses=(416,),
        success=_PLAYED,
    )
    async def original(self, request: Request) -> Response:
        row = await self._row(request)
        headers = {"Content-Disposition": _attachment(row.record.file_name)}
        return await self._send(request, row, original_of(row), headers)

    @PLAYBACK.route(
        "GET videos/{video_id}/playable",
        "Play a video: the original, or a version for browsers; a 404 answer shows its progress.",
        VIDEO,
        *_RANGE,
        operation="video_playable",
        media_types=("video/mp4",),
        statuses=(416,),
        success=_PLAYED,
    )
    async def playable(self, request: Request) -> Response:
        row = await self._row(request)
        artifact = playable_of(row)
        if artifact is None:
            raise await self._not_yet(row)
        return await self._send(request, row, artifact)

    @PLAYBACK.route(
        "GET videos/{video_id}/enhanced",
        "Play an enhanced version: that of a recipe, or the newest.",
        VIDEO,
        _RECIPE,
        *_RANGE,
        operation="video_enhanced",
        media_types=("video/mp4",),
        statuses=(416,),
        success=_PLAYED,
    )
    async def enhanced(self, request: Request) -> Response:
        row = await self._row(request, "recipe")
        recipe = request.query_params.get("recipe") or None
        artifacts = [artifact for artifact in row.artifacts if artifact.kind == "enhanced"]
        matches = [match for match in artifacts if recipe in (None, match.recipe)]
        if not matches:
            raise Problem(
                404,
                "This recipe has no enhanced version." if recipe else "The video has no enhanced version.",
                remedy="List the derivatives of the video, or enhance it first.",
            )
        return await self._send(request, row, matches[-1])

    @PLAYBACK.route(
        "GET processed_videos/{file_id}",
        "Play the newest enhanced version, else the playable one, by the ID from the upload.",
        FILE,
        *_RANGE,
        operation="processed_video",
        media_types=("video/mp4",),
        statuses=(416,),
        success=_PLAYED,
        at_root=True,
    )
    async def processed(self, request: Request) -> Response:
        """Answer with the best version, which may change later."""
        row = await self._row(request)
        artifact = row.artifact("enhanced") or playable_of(row)
        if artifact is None:
            raise await self._not_yet(row)
        return await self._send(request, row, artifact, {"Cache-Control": _ASK_AGAIN})

    @PLAYBACK.route(
        "GET videos/{video_id}/frame",
        "Show one frame of a video, original or enhanced.",
        VIDEO,
        _POSITION,
        *_FIELDS,
        operation="video_frame",
        media_types=("image/jpeg",),
        statuses=(422, 429),
    )
    async def frame(self, request: Request) -> Response:
        check_known(request.query_params, ["position_s", *ENHANCEMENT_FIELDS])
        row = await find_video(self._catalogue, request.path_params["video_id"])
        args = Args(request.query_params.multi_items())
        fields = {field.name: field.read(args) for field in _FIELDS}
        if self._at_work >= _MOST_AT_ONCE:
            problem = Problem(
                429,
                "Too many other frames are being decoded.",
                remedy="Try again in a second, as Retry-After says.",
            )
            problem.headers = {"Retry-After": str(_RETRY_AFTER_S)}
            raise problem
        self._at_work += 1
        try:
            jpeg = await asyncio.to_thread(
                frame_picture,
                self._settings,
                keys.original_key(row.record.id),
                _number(_POSITION.read(args) or "0"),
                read_enhancement(fields),
            )
        except FieldRefused as error:
            raise Problem(400, error.reason, remedy=error.remedy, parameter=error.field) from error
        except Refused as error:
            raise Problem(error.status, error.reason, remedy=error.remedy) from error
        finally:
            self._at_work -= 1
        return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    @PLAYBACK.route(
        "GET videos/{video_id}/sprite.vtt",
        "List the moment of each picture of the sprite.",
        VIDEO,
        _VERSION,
        operation="video_sprite_vtt",
        media_types=("text/vtt",),
        success={200: "The moment of each picture.", 304: _KEPT},
    )
    @PLAYBACK.route(
        "GET videos/{video_id}/sprite",
        "Return a hundred small pictures of a video in one.",
        VIDEO,
        _VERSION,
        operation="video_sprite",
        media_types=("image/jpeg",),
        success={200: "A hundred small pictures of the video in one.", 304: _KEPT},
    )
    @PLAYBACK.route(
        "GET videos/{video_id}/poster",
        "Show a picture of the video.",
        VIDEO,
        _VERSION,
        WIDTH,
        operation="video_poster",
        media_types=("image/jpeg",),
        success={200: "A picture of the video.", 304: _KEPT},
    )
    async def picture(self, request: Request) -> Response:
        """Answer with a picture of the video, or with the times of the sprite's tiles."""
        name = request.url.path.rpartition("/")[2]
        row = await self._row(request, *(["v", "w"] if name == "poster" else ["v"]))
        kind = _PICTURES[name]
        artifact = next((candidate for candidate in row.artifacts if candidate.kind == kind), None)
        if artifact is None:
            raise Problem(
                404, f"The video has no {name} yet.", remedy="frametally makes it soon after the upload."
            )
        if width := WIDTH.read(Args(request.query_params.multi_items())):
            caching = _FOR_EVER if request.query_params.get("v") == artifact.recipe else _ASK_AGAIN
            with suppress(ObjectMissing):  # sending the whole one below reports it
                jpeg = await asyncio.to_thread(self._smaller, artifact.key, int(width))
                return Response(jpeg, media_type=artifact.content_type, headers={"Cache-Control": caching})
        return await self._send(request, row, artifact)

    def _smaller(self, key: str, width_px: int) -> bytes:
        return smaller(self._store.get(key), width_px)

    async def _not_yet(self, row: VideoRow) -> Problem:
        """Return the 404 problem of a video that browsers cannot play yet, with the state of that version."""
        facts = row.record.facts
        jobs = await asyncio.to_thread(self._catalogue.jobs, row.record.id)
        playable_job = next((job for job in reversed(jobs) if job.kind == "playable"), None)
        state_text = f" The version for browsers is {playable_job.state}." if playable_job else ""
        reason = (
            f" {playable_job.reason}"
            if playable_job and playable_job.state == "failed" and playable_job.reason
            else ""
        )
        return Problem(
            404,
            f"{facts.why_not or 'No browser plays this video.'}{state_text}{reason}",
            remedy="Try again when that version is ready, or download "
            f"/api/v1/videos/{row.record.id}/original and play it with another program.",
        )

    async def _row(self, request: Request, *parameters: str) -> VideoRow:
        check_known(request.query_params, parameters or ("v",))
        names = request.path_params
        return await find_video(self._catalogue, names.get("video_id") or names["file_id"])

    async def _send(
        self,
        request: Request,
        row: VideoRow,
        artifact: Artifact,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Response:
        version = artifact.recipe or row.record.sha256  # originals have no recipe
        is_named = version in (request.query_params.get("v"), request.query_params.get("recipe"))
        return await send_stored(
            request,
            self._store,
            artifact.key,
            size_bytes=artifact.size_bytes,
            etag=f'"{version}"',
            media_type=artifact.content_type,
            headers={"Cache-Control": _FOR_EVER if is_named else _ASK_AGAIN, **headers},
        )


def _attachment(file_name: str) -> str:
    """Return the Content-Disposition of a download: the name in ASCII, then the exact name (RFC 8187)."""
    plain = _PLAIN.sub("_", file_name) or "video"
    encoded = quote(file_name or "video", safe="!#$&+-.^_`|~", errors="replace")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan  # not a position
