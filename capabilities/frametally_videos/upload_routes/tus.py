"""Handles uploads by tus 1.0: creation, creation-with-upload, expiration, checksum, termination.

The store keeps an upload's position, so that it can continue after an interruption, a reload or a killed
server.
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from frametally.actions.calls import note_target
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import UUID, header, in_path, text_schema
from frametally.actions.problems import Problem
from frametally.errors import FrametallyError, Poison
from frametally_videos.answers import UploadProgress
from frametally_videos.catalogue.catalogue_rows import UploadRow
from frametally_videos.records import UploadRecord
from frametally_videos.routes import SOME_VIDEO
from frametally_videos.upload_refusals import WOULD_MOVE_COUNTS
from frametally_videos.upload_routes import tus_headers, upload_answers
from frametally_videos.upload_routes.form_uploads import FIELDS, REFUSED
from frametally_videos.upload_routes.request_body import (
    MOST_CHECKED_BYTES,
    Gone,
    Turn,
    another_is_here,
    body_length,
    checked,
    no_more_than,
    read_body,
)
from frametally_videos.upload_routes.upload_intake import Intake, take_in
from frametally_videos.upload_routes.upload_place import UploadPlace, refused_problem
from frametally_videos.uploads.receiving import (
    abort_upload,
    begin_upload,
    can_be_confirmed,
    confirm_move,
    keep_upload,
    note_end,
    refusal_in,
)
from frametally_web.access.visitors import visitor
from frametally_web.translations.readers import request_language

UPLOADS = Routes("Videos", right="correct", native=True)

_UPLOAD = in_path("upload_id", "The last part of the `Location`.", SOME_VIDEO, UUID)
_PROTOCOL = header("Tus-Resumable", "`1.0.0`.", {"type": "string", "enum": ["1.0.0"]}, "1.0.0", required=True)
_METADATA = ", ".join(f"`{field.name}`" for field in FIELDS)


class TusRoutes:
    """Handlers of uploads by tus."""

    def __init__(self, place: UploadPlace) -> None:
        """Receive uploads at `place`."""
        self._place = place
        self._ports = place.ports

    @UPLOADS.route("OPTIONS uploads/{upload_id}", "The same as for all uploads.", _UPLOAD, hidden=True)
    @UPLOADS.route(
        "OPTIONS uploads",
        "List the supported parts of tus 1.0.",
        operation="options_uploads",
        success={204: "`Tus-Version`, `Tus-Extension`, `Tus-Max-Size` and `Tus-Checksum-Algorithm`."},
    )
    async def options(self, _: Request) -> Response:
        """Answer with the supported parts of tus."""
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

    @UPLOADS.route(
        "POST uploads",
        "Begin an upload that can continue after an interruption (tus 1.0).",
        _PROTOCOL,
        header(
            "Upload-Length",
            "Size of the file in bytes.",
            {"type": "integer", "minimum": 1},
            "1048576",
            required=True,
        ),
        header(
            "Upload-Metadata",
            f"Pairs of a name and a Base64 value, separated by commas: `filename`, `sha256`, {_METADATA}.",
            text_schema(),
            "filename Z2F0ZS5tcDQ=",
        ),
        operation="post_uploads",
        statuses=(*REFUSED, 412),
        success={201: "`Location` is where the upload continues, `Upload-Expires` until when it can."},
        sends=tus_headers.BYTES_TYPE,
    )
    @tus_headers.of_protocol
    async def create(self, request: Request) -> Response:
        """Begin an upload, with its first bytes if the request has any."""
        tus_headers.check_version(request.headers)
        length_bytes = tus_headers.read_number(request.headers, "Upload-Length")
        self._place.limits.check_length(length_bytes)
        announced = tus_headers.read_announced(request.headers)
        has_bytes = "Content-Type" in request.headers and body_length(request) != 0
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
            return Response(status_code=201, headers=headers | tus_headers.state_of(upload, 0))
        async with self._place.turns.take(upload.id) as turn:
            answer = await self._receive(request, turn, upload, 0)
        answer.status_code = 201
        answer.headers.update(headers)
        return answer

    @UPLOADS.route(
        "GET uploads/{upload_id}",
        "Return the progress or the result of an upload.",
        _UPLOAD,
        operation="upload",
        answer=UploadProgress,
        statuses=(410,),
    )
    async def tell(self, request: Request) -> Response:
        """Answer with the progress or the result of an upload, without interrupting it."""
        upload, row = await self._place.find(request.path_params["upload_id"])
        if row is not None and row.is_over:
            return _json(upload_answers.tell_ended(row, request_language(request)))
        if upload is None:
            raise _unknown()
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

    @UPLOADS.route(
        "HEAD uploads/{upload_id}",
        "Return how many bytes are stored: `Upload-Offset`.",
        _UPLOAD,
        _PROTOCOL,
        operation="head_upload",
        statuses=(410, 412),
    )
    @tus_headers.of_protocol
    async def head(self, request: Request) -> Response:
        """Answer with the position or the result of an upload."""
        tus_headers.check_version(request.headers)
        upload_id = request.path_params["upload_id"]
        upload, row = await self._place.find(upload_id)
        if row is not None and row.is_over:
            _check_accepted(row)
            headers = {
                **tus_headers.NO_STORE,
                "Upload-Offset": str(row.length_bytes or 0),
                "Upload-Length": str(row.length_bytes),
                "Frametally-Video": row.video_id,
                "Frametally-Known": tus_headers.word(row.known),
            }
            return Response(headers=headers)
        if upload is None or upload.kind != "resumable" or upload.length_bytes is None:
            raise _unknown()
        metadata = {"Upload-Metadata": tus_headers.metadata_of(upload)}
        if self._place.accepting.has(upload.id):
            return Response(headers=tus_headers.state_of(upload, upload.length_bytes) | metadata)
        async with self._place.turns.take(upload.id):
            if await self._place.is_whole(upload):
                self._place.accepting.begin(upload)
                return Response(headers=tus_headers.state_of(upload, upload.length_bytes) | metadata)
            self._check_not_expired(upload)
            intake = await self._place.open_intake(upload)
            self._place.keep_hashing(intake)
            return Response(headers=tus_headers.state_of(upload, intake.position) | metadata)

    @UPLOADS.route(
        "PATCH uploads/{upload_id}",
        "Send the bytes from `Upload-Offset` on.",
        _UPLOAD,
        _PROTOCOL,
        header(
            "Upload-Offset",
            "Number of bytes that are already stored.",
            {"type": "integer", "minimum": 0},
            "0",
            required=True,
        ),
        header(
            "Upload-Metadata", "`move_counts dHJ1ZQ==` confirms that the upload moves counts.", text_schema()
        ),
        header(
            "Upload-Checksum",
            "`sha1` or `sha256` of these bytes, and Base64; 460 if it differs.",
            text_schema(),
        ),
        operation="patch_upload",
        statuses=(*REFUSED, 410, 412, 460),
        success={
            204: "The bytes are stored: `Upload-Offset`. After the last ones, `Frametally-Video` has the "
            "video's ID, and `Frametally-Known` says whether these bytes had already been uploaded."
        },
        sends=tus_headers.BYTES_TYPE,
    )
    @tus_headers.of_protocol
    async def patch(self, request: Request) -> Response:
        """Receive bytes at an upload's position, or the confirmation that it may move counts."""
        tus_headers.check_version(request.headers)
        tus_headers.check_type(request.headers)
        offset = tus_headers.read_number(request.headers, "Upload-Offset")
        confirms = tus_headers.read_confirmation(request.headers)
        upload = await self._find(request, refused_too=confirms)
        if self._place.accepting.has(upload.id):
            return await self._accept(upload, None)
        await self._place.run(self._place.limits.readmit, upload)
        async with self._place.turns.take(upload.id) as turn:
            # The previous request may have ended it.
            upload = await self._find(request, refused_too=confirms)
            if confirms:
                upload = await self._place.run(confirm_move, self._ports, upload)
            return await self._receive(request, turn, upload, offset)

    @UPLOADS.route(
        "DELETE uploads/{upload_id}",
        "End an upload, and delete its bytes.",
        _UPLOAD,
        _PROTOCOL,
        operation="delete_upload",
        statuses=(410, 412),
        success={204: "Nothing of the upload is kept."},
        frees=True,
    )
    @tus_headers.of_protocol
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
                    409,
                    "All of its bytes have arrived, so it will become a video.",
                    remedy="Delete that video instead.",
                )
            await self._place.run(abort_upload, self._ports, upload, "its client ended it")
            self._place.forget_hashing(upload.id)
        return Response(status_code=204, headers=tus_headers.NO_STORE)

    @UPLOADS.route("POST uploads/{upload_id}", "Stands for PATCH, DELETE and HEAD.", _UPLOAD, hidden=True)
    @tus_headers.of_protocol
    async def override(self, request: Request) -> Response:
        """Treat a POST as PATCH, DELETE or HEAD, for clients that lack these."""
        handlers = {"PATCH": self.patch, "DELETE": self.terminate, "HEAD": self.head}
        method = request.headers.get("X-HTTP-Method-Override", "").upper()
        if method not in handlers:
            raise Problem(
                405,
                "POST is not allowed here.",
                remedy="Use PATCH, or set X-HTTP-Method-Override to PATCH.",
            )
        return await handlers[method](request)

    def _check_not_expired(self, upload: UploadRecord) -> None:
        if upload.expires_at_ms <= self._ports.now_ms():
            raise _over("it was left unfinished for too long")

    async def _find(self, request: Request, *, refused_too: bool = False) -> UploadRecord:
        """Return the requested upload; with `refused_too`, also one that was refused but is kept.

        Raises:
            Problem: 404, 410, or the reason for its refusal.
        """
        upload, row = await self._place.find(request.path_params["upload_id"])
        if refused_too and upload is not None and row is not None and can_be_confirmed(upload, row):
            return upload
        if row is not None and row.is_over:
            _check_accepted(row)
            raise Problem(410, "This upload has ended and is now a video.", remedy="Upload another file.")
        if upload is None or upload.kind != "resumable":
            raise _unknown()
        return upload

    async def _receive(self, request: Request, turn: Turn, upload: UploadRecord, offset: int) -> Response:
        length_bytes = upload.length_bytes or 0
        intake = await self._place.open_intake(upload)
        if not 0 < intake.position < length_bytes and await self._place.is_whole(upload):
            tus_headers.check_offset(offset, length_bytes)
            return await self._accept(upload, None)
        self._check_not_expired(upload)
        tus_headers.check_offset(offset, intake.position)
        if (body_length(request) or 0) > length_bytes - offset:
            raise Problem(
                400,
                f"The upload has more bytes than the {length_bytes} that it announced.",
                remedy="Send the file as it was when its upload began.",
            )
        await self._take_in(request, turn, intake, length_bytes)
        upload = await self._place.run(keep_upload, self._ports, upload)
        if intake.position < length_bytes:
            self._place.keep_hashing(intake)
            return Response(status_code=204, headers=tus_headers.state_of(upload, intake.position))
        return await self._accept(upload, intake.hashing.hexdigest() if intake.hashing else None)

    async def _take_in(self, request: Request, turn: Turn, intake: Intake, length_bytes: int) -> None:
        """Receive a request's bytes, and make them durable however it ends."""
        checksum = tus_headers.read_checksum(request.headers)
        if checksum is not None and (body_length(request) or 0) > MOST_CHECKED_BYTES:
            raise Problem(
                413,
                f"A request with a checksum can have at most {MOST_CHECKED_BYTES} bytes.",
                remedy="Send less at a time, or leave the checksum out.",
            )
        body = read_body(request, turn)
        body = no_more_than(body, length_bytes - intake.position)
        if checksum is not None:
            body = checked(body, checksum)
        self._place.receiving[intake.upload.id] = intake
        try:
            await take_in(body, intake, self._place.executor)
        except (Problem, Gone, FrametallyError) as error:
            await self._keep_what_came(intake)
            if isinstance(error, Gone):
                raise Problem(
                    400, "The client closed the connection.", remedy="Continue from the stored offset."
                ) from error
            if isinstance(error, Poison):  # another server has received bytes in the meantime
                raise another_is_here() from error
            raise
        finally:
            self._place.receiving.pop(intake.upload.id, None)
        await self._place.run(intake.flush)

    async def _keep_what_came(self, intake: Intake) -> None:
        try:
            await self._place.run(intake.flush)
        except FrametallyError:  # durable bytes stay; the answer reports the first error
            self._place.forget_hashing(intake.upload.id)
        else:
            self._place.keep_hashing(intake)

    async def _accept(self, upload: UploadRecord, sha256: str | None) -> Response:
        """Make a video from a complete upload, and answer with its ID."""
        self._place.forget_hashing(upload.id)
        accepting = self._place.accepting
        if not accepting.has(upload.id):
            await self._place.run(note_end, self._ports, upload, "received")
        try:
            accepted = await accepting.until_done(upload, sha256)
        except Problem as problem:
            if problem.status == WOULD_MOVE_COUNTS:  # in tus, 409 is a wrong offset: clients would continue
                problem.status = 422
            raise
        note_target(video_id=accepted.video.id, moved=accepted.remark if upload.fields.move_counts else None)
        return Response(status_code=204, headers=tus_headers.accepted_of(upload, accepted))


def _check_accepted(row: UploadRow) -> None:
    """Raise the `Problem` of an upload that ended without becoming a video."""
    if row.state == "refused":
        problem = refused_problem(refusal_in(row))
        problem.status = 410
        raise problem
    if row.state == "aborted":
        raise _over(row.reason or "it was cancelled")


def _over(reason: str) -> Problem:
    return Problem(410, f"This upload has ended: {reason}.", remedy="Upload the file again.")


def _unknown() -> Problem:
    return Problem(404, "This upload does not exist.", remedy="Upload the file again.")


def _json(answer: UploadProgress) -> Response:
    return Response(
        msgspec.json.encode(answer), headers={"Cache-Control": "no-store"}, media_type="application/json"
    )
