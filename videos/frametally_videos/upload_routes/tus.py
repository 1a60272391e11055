"""Uploads by tus 1.0: creation, creation-with-upload, expiration, checksum, termination.

How far an upload has come is what the store keeps, so it goes on after a cut, a reload, and a killed server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from frametally.errors import FrametallyError, Poison
from frametally_videos.records import UploadRecord
from frametally_videos.settings import VideoSettings
from frametally_videos.upload_refusals import WOULD_MOVE_COUNTS
from frametally_videos.upload_routes import tus_headers, upload_answers
from frametally_videos.upload_routes.accepting import refused_problem
from frametally_videos.upload_routes.intake import Intake, take_in
from frametally_videos.upload_routes.request_body import Gone, another_is_here, read_body
from frametally_videos.upload_routes.upload_place import UploadPlace
from frametally_videos.upload_routes.upload_turns import Turn
from frametally_videos.uploads.acceptance import Accepted
from frametally_videos.uploads.receiving import (
    abort_upload,
    begin_upload,
    can_be_confirmed,
    confirm_move,
    keep_upload,
    note_end,
)
from frametally_web.access.visitors import visitor
from frametally_web.requests.change import note_target
from frametally_web.requests.native import NativeRoute
from frametally_web.requests.problems import Problem

_UPLOADS, _UPLOAD = "/api/uploads", "/api/uploads/{upload_id}"
_MOST_CHECKED_BYTES = 16 * 2**20
"""Bytes with a checksum are held back until they are known to be right."""

_NO_STORE = {"Cache-Control": "no-store", "Tus-Resumable": tus_headers.VERSION}


class TusRoutes:
    """The handlers of uploads by tus."""

    def __init__(self, place: UploadPlace) -> None:
        """Take them in there."""
        self._place = place
        self._ports = place.ports

    def routes(self) -> list[NativeRoute]:
        """Return the native routes."""
        return [
            NativeRoute(_UPLOADS, ("OPTIONS",), self.options),
            NativeRoute(_UPLOADS, ("POST",), _answered(self.create), writes=True),
            NativeRoute(_UPLOAD, ("OPTIONS",), self.options),
            NativeRoute(_UPLOAD, ("GET",), self.tell),
            NativeRoute(_UPLOAD, ("HEAD",), _answered(self.head)),
            NativeRoute(_UPLOAD, ("PATCH",), _answered(self.patch), writes=True),
            NativeRoute(_UPLOAD, ("DELETE",), _answered(self.terminate), writes=True),
            NativeRoute(_UPLOAD, ("POST",), _answered(self.override), writes=True),
        ]

    async def options(self, _: Request) -> Response:
        """Tell what this server can do."""
        return Response(
            status_code=204,
            headers={
                "Tus-Resumable": tus_headers.VERSION,
                "Tus-Version": tus_headers.VERSION,
                "Tus-Extension": tus_headers.EXTENSIONS,
                "Tus-Max-Size": str(self._place.limits.most_bytes),
                "Tus-Checksum-Algorithm": ",".join(tus_headers.CHECKSUMS),
            },
        )

    async def create(self, request: Request) -> Response:
        """Begin an upload, with its first bytes if some are there."""
        tus_headers.check_version(request.headers)
        length_bytes = tus_headers.read_number(request.headers, "Upload-Length")
        self._place.limits.check_length(length_bytes)
        announced = tus_headers.read_announced(request.headers)
        has_bytes = "Content-Type" in request.headers and _body_length(request) != 0
        if has_bytes:
            tus_headers.check_type(request.headers)
        await self._place.run(self._place.limits.check_room, length_bytes)
        owner = visitor().name
        upload = await self._place.run(
            self._place.limits.admit,
            announced.fields.client_id or "",
            lambda: begin_upload(self._ports, kind="resumable", owner=owner, **announced._asdict()),
        )
        note_target(upload_id=upload.id, name=upload.file_name)
        headers = {"Location": f"{request.url.path.rstrip('/')}/{upload.id}"}
        if not has_bytes:
            return Response(status_code=201, headers=headers | _state_headers(upload, 0))
        async with self._place.turns.take(upload.id) as turn:
            answer = await self._receive(request, turn, upload, 0)
        answer.status_code = 201
        answer.headers.update(headers)
        return answer

    async def head(self, request: Request) -> Response:
        """Tell how far an upload has come."""
        tus_headers.check_version(request.headers)
        upload_id = request.path_params["upload_id"]
        upload, row = await self._place.find(upload_id)
        if upload is None or (row is not None and row.state in ("accepted", "refused", "aborted")):
            ended = _ended(upload_answers.tell_ended(row) if row is not None else None)
            headers = {**_NO_STORE, "Upload-Offset": str(ended.offset), "Upload-Length": str(ended.length)}
            headers |= {"Frametally-Video": str(ended.video_id), "Frametally-Known": _word(ended.known)}
            return Response(headers=headers)
        if upload.kind != "resumable" or upload.length_bytes is None:
            raise _unknown()
        said = {"Upload-Metadata": tus_headers.metadata_of(upload)}
        if self._place.accepting.has(upload.id):
            return Response(headers=_state_headers(upload, upload.length_bytes) | said)
        async with self._place.turns.take(upload.id):
            if await self._place.is_whole(upload):
                self._place.accepting.begin(upload)
                return Response(headers=_state_headers(upload, upload.length_bytes) | said)
            self._check_not_expired(upload)
            intake = await self._place.open_intake(upload)
            self._place.keep_hashing(intake)
            return Response(headers=_state_headers(upload, intake.position) | said)

    async def patch(self, request: Request) -> Response:
        """Take in bytes from where an upload stands; or the word that it may move counts."""
        tus_headers.check_version(request.headers)
        tus_headers.check_type(request.headers)
        offset = tus_headers.read_number(request.headers, "Upload-Offset")
        confirms = tus_headers.read_confirmation(request.headers)
        upload = await self._find(request, refused_too=confirms)
        if self._place.accepting.has(upload.id):
            return await self._accept(upload, None)
        await self._place.run(self._place.limits.readmit, upload)
        async with self._place.turns.take(upload.id) as turn:
            # Who was at it before may have ended it.
            upload = await self._find(request, refused_too=confirms)
            if confirms:
                upload = await self._place.run(confirm_move, self._ports, upload)
            return await self._receive(request, turn, upload, offset)

    async def terminate(self, request: Request) -> Response:
        """Remove an upload that is under way."""
        tus_headers.check_version(request.headers)
        upload = await self._find(request, refused_too=True)
        async with self._place.turns.take(upload.id):
            row = await self._place.run(self._ports.catalogue.upload, upload.id)
            is_refused = row is not None and can_be_confirmed(upload, row)
            if self._place.accepting.has(upload.id) or (
                not is_refused and await self._place.is_whole(upload)
            ):
                raise Problem(
                    409, "All of its bytes are there: it becomes a video.", remedy="Remove that video."
                )
            await self._place.run(abort_upload, self._ports, upload, "its client ended it")
            self._place.forget_hashing(upload.id)
        return Response(status_code=204, headers=_NO_STORE)

    async def override(self, request: Request) -> Response:
        """Do what a client that knows no PATCH and no DELETE means by POST."""
        meant = {"PATCH": self.patch, "DELETE": self.terminate, "HEAD": self.head}
        method = request.headers.get("X-HTTP-Method-Override", "").upper()
        if method not in meant:
            raise Problem(
                405,
                "POST is not possible here.",
                remedy="Ask by PATCH, or say so by X-HTTP-Method-Override.",
            )
        return await meant[method](request)

    async def tell(self, request: Request) -> Response:
        """Tell how an upload stands, or how it ended, without disturbing it."""
        upload, row = await self._place.find(request.path_params["upload_id"])
        if upload is None or (row is not None and row.state in ("accepted", "refused", "aborted")):
            if row is None or row.state not in ("accepted", "refused", "aborted"):
                raise _unknown()
            return _json(upload_answers.tell_ended(row))
        intake = self._place.receiving.get(upload.id)
        if self._place.accepting.has(upload.id):
            return _json(upload_answers.tell_under_way(upload, upload.length_bytes or 0, is_whole=True))
        if intake is not None:
            return _json(upload_answers.tell_under_way(upload, intake.position, is_whole=False))
        if await self._place.is_whole(upload):
            if not self._place.turns.has(upload.id):
                self._place.accepting.begin(upload)
            return _json(upload_answers.tell_under_way(upload, upload.length_bytes or 0, is_whole=True))
        intake = await self._place.open_intake(upload)
        self._place.keep_hashing(intake)
        return _json(upload_answers.tell_under_way(upload, intake.position, is_whole=False))

    def _check_not_expired(self, upload: UploadRecord) -> None:
        if upload.expires_at_ms <= self._ports.now_ms():
            raise _over("it was left for too long")

    async def _find(self, request: Request, *, refused_too: bool = False) -> UploadRecord:
        """Return the upload that is asked for; `refused_too`: also one that was refused and is kept.

        Raises:
            Problem: 404, 410, or how it was refused.
        """
        upload, row = await self._place.find(request.path_params["upload_id"])
        if refused_too and upload is not None and row is not None and can_be_confirmed(upload, row):
            return upload
        if upload is None or (row is not None and row.state in ("accepted", "refused", "aborted")):
            _ended(upload_answers.tell_ended(row) if row is not None else None)
            raise Problem(410, "This upload is over: it became a video.", remedy="Upload another file anew.")
        if upload.kind != "resumable":
            raise _unknown()
        return upload

    async def _receive(self, request: Request, turn: Turn, upload: UploadRecord, offset: int) -> Response:
        length_bytes = upload.length_bytes or 0
        if await self._place.is_whole(upload):
            _check_offset(offset, length_bytes)
            return await self._accept(upload, None)
        self._check_not_expired(upload)
        intake = await self._place.open_intake(upload)
        _check_offset(offset, intake.position)
        if (_body_length(request) or 0) > length_bytes - offset:
            raise Problem(
                400,
                f"More comes than the {length_bytes} bytes that were announced.",
                remedy="Send the file as it was when its upload began.",
            )
        await self._take_in(request, turn, intake, length_bytes)
        upload = await self._place.run(keep_upload, self._ports, upload)
        if intake.position < length_bytes:
            self._place.keep_hashing(intake)
            return Response(status_code=204, headers=_state_headers(upload, intake.position))
        return await self._accept(upload, intake.hashing.hexdigest() if intake.hashing else None)

    async def _take_in(self, request: Request, turn: Turn, intake: Intake, length_bytes: int) -> None:
        """Take in a request's bytes, and make durable what came of them, however it ends."""
        checksum = tus_headers.read_checksum(request.headers)
        if checksum is not None and (_body_length(request) or 0) > _MOST_CHECKED_BYTES:
            raise Problem(
                413,
                f"With a checksum at most {_MOST_CHECKED_BYTES} bytes may come at once.",
                remedy="Send smaller pieces, or leave the checksum out.",
            )
        body = read_body(request, turn, idle_s=self._ports.settings.part(VideoSettings).upload_idle_s)
        body = _no_more_than(body, length_bytes - intake.position)
        if checksum is not None:
            body = _checked(body, checksum)
        self._place.receiving[intake.upload.id] = intake
        try:
            await take_in(body, intake, self._place.executor)
        except (Problem, Gone, FrametallyError) as error:
            await self._keep_what_came(intake)
            if isinstance(error, Gone):
                raise Problem(400, "The client has hung up.", remedy="Go on from there.") from error
            if isinstance(error, Poison):  # another server has taken in bytes of it meanwhile
                raise another_is_here() from error
            raise
        finally:
            self._place.receiving.pop(intake.upload.id, None)
        await self._place.run(intake.flush)

    async def _keep_what_came(self, intake: Intake) -> None:
        try:
            await self._place.run(intake.flush)
        except FrametallyError:  # what is durable stays; the answer tells of the first error
            self._place.forget_hashing(intake.upload.id)
        else:
            self._place.keep_hashing(intake)

    async def _accept(self, upload: UploadRecord, sha256: str | None) -> Response:
        """Make a video of what was received, and tell which it became."""
        self._place.forget_hashing(upload.id)
        accepting = self._place.accepting
        if not accepting.has(upload.id):
            await self._place.run(note_end, self._ports, upload, "received")
        try:
            accepted = await accepting.until_done(upload, sha256)
        except Problem as problem:
            if problem.status == WOULD_MOVE_COUNTS:  # by tus, 409 is another offset: clients would send on
                problem.status = 422
            raise
        note_target(video_id=accepted.video.id, moved=accepted.remark if upload.fields.move_counts else None)
        return Response(status_code=204, headers=_accepted_headers(upload, accepted))


def _answered(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Return a handler whose problems tell the protocol's version, as all of its answers have to."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Problem as problem:
            problem.headers.setdefault("Tus-Resumable", tus_headers.VERSION)
            raise

    return answer


async def _no_more_than(body: AsyncIterator[bytes], most_bytes: int) -> AsyncIterator[bytes]:
    left = most_bytes
    async for data in body:
        if len(data) > left:
            raise Problem(
                400,
                "More comes than the bytes that were announced.",
                remedy="Send the file as it was when its upload began.",
            )
        left -= len(data)
        yield data


async def _checked(body: AsyncIterator[bytes], checksum: tus_headers.Checksum) -> AsyncIterator[bytes]:
    """Yield the body as a whole, once it is known to be right."""
    held = bytearray()
    async for data in body:
        held += data
        if len(held) > _MOST_CHECKED_BYTES:
            raise Problem(
                413, "Too much comes at once with a checksum.", remedy="Say how long it is: Content-Length."
            )
    checksum.check(bytes(held))
    yield bytes(held)


def _check_offset(offset: int, position: int) -> None:
    if offset != position:
        problem = Problem(
            409,
            f"The upload stands at byte {position}, and Upload-Offset is {offset}.",
            remedy="Ask by HEAD where it stands, and go on from there.",
        )
        problem.headers["Upload-Offset"] = str(position)
        raise problem


def _body_length(request: Request) -> int | None:
    """Return how many bytes a request has, as it says; None if it does not."""
    text = request.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _ended(ended: upload_answers.UploadTold | None) -> upload_answers.UploadTold:
    """Return how an upload ended, if it became a video. Raises `Problem` if it did not, or is unknown."""
    if ended is None or ended.state in ("receiving", "received"):
        raise _unknown()
    if ended.state == "refused":
        raise refused_problem(410, ended.reason or "It was refused.")
    if ended.state == "aborted":
        raise _over(ended.reason or "it was ended")
    return ended


def _over(why: str) -> Problem:
    return Problem(410, f"This upload is over: {why}.", remedy="Upload the file anew.")


def _unknown() -> Problem:
    return Problem(404, "There is no such upload.", remedy="Upload the file anew.")


def _state_headers(upload: UploadRecord, offset: int) -> dict[str, str]:
    return {
        **_NO_STORE,
        "Upload-Offset": str(offset),
        "Upload-Length": str(upload.length_bytes),
        "Upload-Expires": tus_headers.expires_of(upload),
    }


def _accepted_headers(upload: UploadRecord, accepted: Accepted) -> dict[str, str]:
    return {
        **_NO_STORE,
        "Upload-Offset": str(upload.length_bytes),
        "Frametally-Video": accepted.video.id,
        "Frametally-Known": _word(accepted.known),
        "Frametally-Remark": _word(bool(accepted.remark)),
    }


def _word(true: bool) -> str:
    return "true" if true else "false"


def _json(answer: upload_answers.UploadTold) -> Response:
    return Response(
        upload_answers.as_json(answer), headers={"Cache-Control": "no-store"}, media_type="application/json"
    )
