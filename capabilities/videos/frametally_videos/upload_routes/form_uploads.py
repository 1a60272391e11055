"""Handles uploads by a form, whose file goes straight into the store; if interrupted, nothing of it stays."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from frametally.errors import FrametallyError
from frametally_videos.answers import AcceptedFile, AcceptedVideo
from frametally_videos.records import UploadRecord, VideoFields
from frametally_videos.upload_fields import is_of_another_kind, read_fields, read_file_name
from frametally_videos.upload_refusals import FieldRefused
from frametally_videos.upload_routes import upload_answers
from frametally_videos.upload_routes.form_reader import FilePart, FormReader
from frametally_videos.upload_routes.request_body import Gone, Turn, read_body
from frametally_videos.upload_routes.tus_headers import field_problem
from frametally_videos.upload_routes.upload_intake import Intake, take_in
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
"""The most bytes of a form besides its file."""


FORMS = Routes("Videos", right="correct", native=True)
REFUSED = (403, 409, 413, 415, 422, 429, 507)

_FILE: Parameter[str | None] = text(
    "file",
    "The video; `video` means the same.",
    "",
    {"type": "string", "contentMediaType": "application/octet-stream"},
    required=True,
)
_CLIENT = text(
    "client_id",
    "The client that the video belongs to: 1 to 64 of `A-Za-z0-9_-`, but not `stream`.",
    "chris-01",
    text_schema(64),
)
FIELDS = (
    text("name", "Name of the video; default: the file's name.", "Gate, morning", text_schema(255)),
    text(
        "source",
        "Name of the camera; default: the file's name without its extension.",
        "gate",
        text_schema(255),
    ),
    text(
        "start_time",
        "ISO 8601 time of the first frame; default: from the file.",
        "2026-05-01T08:00:00",
    ),
    text("timezone", "IANA time zone of times without an offset.", "Europe/Berlin"),
    text("last_modified_ms", "When the file was last changed on its own machine.", "", {"type": "integer"}),
    _CLIENT,
    text("roi", "The region of interest, as JSON.", '{"x": 100, "y": 100, "width": 500, "height": 300}'),
    text(
        "calibration",
        "Points with their coordinates in metres, as JSON; `calibrate_coordinates` means the same.",
        '{"points": [[0, 0], [100, 100]]}',
    ),
    text(
        "move_counts",
        "`true` moves the counts of the same bytes to this source and time; default: refuse with 409.",
        "",
        {"type": "boolean"},
    ),
)
_SUCCESS = {200: "These bytes have already been uploaded.", 201: "The video is accepted."}


class FormRoutes:
    """Handlers of uploads by a form."""

    def __init__(self, place: UploadPlace) -> None:
        """Receive uploads at `place`."""
        self._place = place

    @FORMS.route(
        "POST videos/upload",
        "Upload a video as a form.",
        answer=AcceptedVideo,
        statuses=REFUSED,
        success=_SUCCESS,
        form=(_FILE, *FIELDS),
    )
    async def upload_video(self, request: Request) -> Response:
        """Receive a video with its fields."""
        return await self._upload(request, lambda accepted, _: upload_answers.tell_video(accepted))

    @FORMS.route(
        "POST upload",
        "Upload a video as a form of two parts.",
        answer=AcceptedFile,
        statuses=REFUSED,
        success=_SUCCESS,
        at_root=True,
        form=(_FILE, _CLIENT),
    )
    async def upload_file(self, request: Request) -> Response:
        """Receive a video, and answer only with its ID."""
        return await self._upload(
            request, lambda accepted, fields: upload_answers.tell_file(accepted, fields.client_id)
        )

    async def _upload(self, request: Request, tell: Callable[[Accepted, VideoFields], Answer]) -> Response:
        length = request.headers.get("Content-Length", "")
        length_bytes = int(length) if length.isascii() and length.isdigit() else 0
        self._place.limits.check_length(length_bytes - _BESIDE_THE_FILE_BYTES)
        reader = FormReader(request.headers.get("Content-Type", ""))
        await self._place.run(self._place.limits.check_room, length_bytes)
        try:
            upload, sha256 = await self._receive(request, reader)
        except Gone as error:
            raise Problem(400, "The client closed the connection.", remedy="Send the form again.") from error
        note_target(upload_id=upload.id, name=upload.file_name)
        accepted = await self._place.accepting.until_done(upload, sha256)
        note_target(video_id=accepted.video.id, moved=accepted.remark if upload.fields.move_counts else None)
        body = msgspec.json.encode(tell(accepted, upload.fields))
        return Response(
            body,
            200 if accepted.known else 201,
            {"Cache-Control": "no-store", "Location": f"/api/v1/videos/{accepted.video.id}"},
            "application/json",
        )

    async def _receive(self, request: Request, reader: FormReader) -> tuple[UploadRecord, str | None]:
        """Receive the whole form; return its upload and the hash of its bytes. If interrupted, nothing stays.

        Raises:
            Gone: The client has disconnected.
            Problem: The form cannot be accepted.
            Retryable: A server is not available.
        """
        place, body = self._place, read_body(request, Turn())
        first = b""
        async for data in body:
            first = reader.feed(data)
            if reader.file is not None:
                break
        upload = await self._begin(reader, reader.file or reader.end())

        async def file_bytes() -> AsyncIterator[bytes]:
            yield first
            async for data in body:
                yield reader.feed(data)

        try:
            intake = await place.open_intake(upload)
            await take_in(file_bytes(), intake, place.executor)
            reader.end()
            await place.run(intake.flush)
            if not intake.position:
                raise Problem(415, "The file is empty, so it is not a video.", remedy="Choose a video file.")
            upload = await place.run(self._note_received, intake, _fields_of(reader))
        except BaseException:
            with suppress(FrametallyError):  # leftovers are removed when they expire
                await place.run(abort_upload, place.ports, upload, "it was cut")
            raise
        return upload, intake.hashing.hexdigest() if intake.hashing else None

    async def _begin(self, reader: FormReader, part: FilePart) -> UploadRecord:
        if is_of_another_kind(part.content_type):
            raise Problem(
                415,
                f"Its type is {part.content_type:.80}, which is not a video type.",
                remedy="Choose a video file.",
            )
        fields = _fields_of(reader)
        try:
            file_name = read_file_name(part.file_name)
        except FieldRefused as refusal:
            raise field_problem(refusal) from refusal
        owner = visitor().name
        return await self._place.run(
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

    def _note_received(self, intake: Intake, fields: VideoFields) -> UploadRecord:
        ports = self._place.ports
        upload = keep_upload(ports, intake.upload, length_bytes=intake.position, fields=fields)
        note_end(ports, upload, "received")
        return upload


def _fields_of(reader: FormReader) -> VideoFields:
    try:
        return read_fields(reader.fields)
    except FieldRefused as refusal:
        raise field_problem(refusal) from refusal
