"""Uploads by a form: its file goes straight into the store; cut, nothing of it stays."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import Response

from frametally.errors import FrametallyError
from frametally_videos.answers import AcceptedFile, AcceptedVideo
from frametally_videos.records import UploadRecord, VideoFields
from frametally_videos.upload_fields import is_of_another_kind, read_fields, read_file_name
from frametally_videos.upload_refusals import FieldRefused
from frametally_videos.upload_routes import upload_answers
from frametally_videos.upload_routes.form_reader import FormReader
from frametally_videos.upload_routes.intake import Intake, take_in
from frametally_videos.upload_routes.request_body import Gone, Turn, read_body
from frametally_videos.upload_routes.tus_headers import field_problem
from frametally_videos.upload_routes.upload_place import UploadPlace
from frametally_videos.uploads.acceptance import Accepted
from frametally_videos.uploads.receiving import abort_upload, begin_upload, keep_upload, note_end
from frametally_web.access.visitors import visitor
from frametally_web.requests.answers import Answer
from frametally_web.requests.change import note_target
from frametally_web.requests.endpoints import Routes
from frametally_web.requests.parameters import Parameter, text, text_schema
from frametally_web.requests.problems import Problem

_BESIDE_THE_FILE_BYTES = 1_000_000
"""Most bytes of a form besides its file."""


FORMS = Routes("Videos", right="correct", native=True)
REFUSED = (403, 409, 413, 415, 422, 429, 507)

_FILE: Parameter[str | None] = text(
    "file",
    "The video; `video` is the same.",
    "",
    {"type": "string", "contentMediaType": "application/octet-stream"},
    required=True,
)
_CLIENT = text(
    "client_id", "Whose it is: 1 to 64 of `A-Za-z0-9_-`, but not `stream`.", "chris-01", text_schema(64)
)
FIELDS = (
    text("name", "What people call it; default: its file's name.", "Gate, morning", text_schema(255)),
    text("source", "Its camera's name; default: the stem of its file's name.", "gate", text_schema(255)),
    text(
        "start_time",
        "ISO 8601 moment of its first frame; default: the file's own.",
        "2026-05-01T08:00:00",
    ),
    text("timezone", "IANA name of the zone of times without an offset.", "Europe/Berlin"),
    text("last_modified_ms", "When the file was last changed on its own machine.", "", {"type": "integer"}),
    _CLIENT,
    text("roi", "The region that matters, as JSON.", '{"x": 100, "y": 100, "width": 500, "height": 300}'),
    text(
        "calibration",
        "Points with their metres, as JSON; `calibrate_coordinates` is the same.",
        '{"points": [[0, 0], [100, 100]]}',
    ),
    text(
        "move_counts",
        "`true` moves the counts of the same bytes to this source and time; default: 409.",
        "",
        {"type": "boolean"},
    ),
)
_SUCCESS = {200: "These bytes were there before.", 201: "It is accepted."}


class FormRoutes:
    """The handlers of uploads by a form."""

    def __init__(self, place: UploadPlace) -> None:
        """Take them in there."""
        self._place = place

    @FORMS.route(
        "POST videos/upload",
        "Takes a video as a form.",
        answer=AcceptedVideo,
        statuses=REFUSED,
        success=_SUCCESS,
        form=(_FILE, *FIELDS),
    )
    async def upload_video(self, request: Request) -> Response:
        """Take in a video with its fields."""
        return await self._upload(request, lambda accepted, _: upload_answers.tell_video(accepted))

    @FORMS.route(
        "POST upload",
        "Takes a video as a form of two parts.",
        answer=AcceptedFile,
        statuses=REFUSED,
        success=_SUCCESS,
        at_root=True,
        form=(_FILE, _CLIENT),
    )
    async def upload_file(self, request: Request) -> Response:
        """Take in a video, and answer only with its id."""
        return await self._upload(
            request, lambda accepted, fields: upload_answers.tell_file(accepted, fields.client_id)
        )

    async def _upload(self, request: Request, tell: Callable[[Accepted, VideoFields], Answer]) -> Response:
        length = request.headers.get("Content-Length", "")
        length_bytes = int(length) if length.isascii() and length.isdigit() else 0
        self._place.limits.check_length(length_bytes - _BESIDE_THE_FILE_BYTES)
        reader = FormReader(request.headers.get("Content-Type", ""))
        await self._place.run(self._place.limits.check_room, length_bytes)
        form = _Form(self._place, reader, request)
        try:
            await form.receive()
            upload, sha256 = form.received()
        except Gone as error:
            raise Problem(400, "The client has hung up.", remedy="Send the form again.") from error
        finally:
            if not form.is_whole:
                await form.abort()
        note_target(upload_id=upload.id, name=upload.file_name)
        accepted = await self._place.accepting.until_done(upload, sha256)
        note_target(video_id=accepted.video.id, moved=accepted.remark if upload.fields.move_counts else None)
        body = upload_answers.as_json(tell(accepted, upload.fields))
        return Response(
            body,
            200 if accepted.known else 201,
            {"Cache-Control": "no-store", "Location": f"/api/v1/videos/{accepted.video.id}"},
            "application/json",
        )


class _Form:
    """One form on its way into the store."""

    def __init__(self, place: UploadPlace, reader: FormReader, request: Request) -> None:
        self._place = place
        self._reader = reader
        self._body = read_body(request, Turn())
        self._upload: UploadRecord | None = None
        self._intake: Intake | None = None
        self.is_whole = False

    async def receive(self) -> None:
        """Take in the whole form.

        Raises:
            Gone: The client has hung up.
            Problem: It cannot be taken in.
            Retryable: A server is not available.
        """
        async for data in self._body:
            first = self._reader.feed(data)
            if self._reader.file is not None:
                await self._begin()
                break
        else:
            self._reader.check_whole()
            raise AssertionError("a whole form without a file was taken")
        intake = self._intake
        if intake is None:
            raise AssertionError("no intake was begun")
        await take_in(self._file_bytes(first), intake, self._place.executor)
        self._reader.check_whole()
        await self._place.run(intake.flush)
        if not intake.position:
            raise Problem(415, "It is empty, which is not a video.", remedy="Choose a video file.")
        fields = self._read_fields()
        await self._place.run(self._note_received, intake, fields)
        self.is_whole = True

    def received(self) -> tuple[UploadRecord, str | None]:
        """Return the upload's record, and the hash of its bytes."""
        if self._upload is None or self._intake is None:
            raise AssertionError("nothing was received")
        hashing = self._intake.hashing
        return self._upload, hashing.hexdigest() if hashing else None

    async def abort(self) -> None:
        """Remove all that has arrived."""
        if self._upload is not None:
            try:
                await self._place.run(abort_upload, self._place.ports, self._upload, "it was cut")
            except FrametallyError:  # the rest is removed when it expires
                return

    async def _begin(self) -> None:
        part = self._reader.file
        if part is None:
            raise AssertionError("no file has begun")
        if is_of_another_kind(part.content_type):
            raise Problem(
                415,
                f"It says that it is {part.content_type:.80}, which is not a video.",
                remedy="Choose a video file.",
            )
        fields = self._read_fields()
        try:
            file_name = read_file_name(part.file_name)
        except FieldRefused as refusal:
            raise field_problem(refusal) from refusal
        owner = visitor().name
        self._upload = await self._place.run(
            self._place.limits.admit,
            fields.client_id or "",
            lambda: begin_upload(
                self._place.ports,
                kind="form",
                length_bytes=None,
                file_name=file_name,
                fields=fields,
                owner=owner,
            ),
        )
        self._intake = await self._place.open_intake(self._upload)

    def _read_fields(self) -> VideoFields:
        try:
            return read_fields(self._reader.fields)
        except FieldRefused as refusal:
            raise field_problem(refusal) from refusal

    async def _file_bytes(self, first: bytes) -> AsyncIterator[bytes]:
        yield first
        async for data in self._body:
            yield self._reader.feed(data)

    def _note_received(self, intake: Intake, fields: VideoFields) -> None:
        ports = self._place.ports
        self._upload = keep_upload(ports, intake.upload, length_bytes=intake.position, fields=fields)
        note_end(ports, self._upload, "received")
