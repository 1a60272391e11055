"""Handles uploads by a form, whose file goes straight into the store; if interrupted, nothing of it stays."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import NamedTuple

import msgspec
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request
from starlette.responses import Response

from frametally.actions.answers import Answer
from frametally.actions.calls import note_target
from frametally.actions.endpoints import Routes
from frametally.actions.parameters import Parameter, text, text_schema
from frametally.actions.problems import Problem, bad_parameter
from frametally.errors import FrametallyError
from frametally_videos.answers import AcceptedFile, AcceptedVideo
from frametally_videos.records import UploadRecord, VideoFields
from frametally_videos.upload_fields import MOST_JSON_BYTES, is_of_another_kind, read_fields, read_file_name
from frametally_videos.upload_refusals import FieldRefused
from frametally_videos.upload_routes import upload_answers
from frametally_videos.upload_routes.request_body import Gone, Turn, read_body
from frametally_videos.upload_routes.tus_headers import field_problem
from frametally_videos.upload_routes.upload_intake import Intake, take_in
from frametally_videos.upload_routes.upload_place import UploadPlace
from frametally_videos.uploads.acceptance import Accepted
from frametally_videos.uploads.receiving import abort_upload, begin_upload, keep_upload, note_end
from frametally_web.access.visitors import visitor

FILE_PARTS = ("file", "video")
_MOST_FIELDS = 32
_BACKSLASHED = re.compile(r"\\.")
# Browsers' escapes for characters that would end a quoted name.
_ESCAPED = (("%22", '"'), ("%0D", "\r"), ("%0A", "\n"))


class FilePart(NamedTuple):
    """A form's data about its file, without the bytes."""

    name: str
    file_name: str
    content_type: str


class FormReader:
    """Reads one form; every error is a `Problem`."""

    def __init__(self, content_type: str) -> None:
        """Expect a form with this `Content-Type`.

        Raises:
            Problem: 415, it is not a multipart form.
        """
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not boundary:
            raise Problem(
                415,
                f"The request has the type {kind.decode(errors='replace') or 'of no type'!r:.80}.",
                remedy="Send a form as multipart/form-data, with the video in its part `file`.",
            )
        self.file: FilePart | None = None
        self.fields: dict[str, str] = {}
        self._is_whole = False
        self._headers: dict[str, str] = {}
        self._header_name = self._header_value = b""
        self._field: tuple[str, bytearray] | None = None
        self._is_in_file = False
        self._bytes: list[bytes] = []
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._add_header_name,
                    "on_header_value": self._add_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._add_data,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise _no_form(error) from error

    def feed(self, data: bytes) -> bytes:
        """Read the next bytes of the form; return those of the file among them.

        Raises:
            Problem: 400, it is not a form, or has unknown parts.
        """
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _no_form(error) from error
        parts, self._bytes = self._bytes, []
        return b"".join(parts)

    def end(self) -> FilePart:
        """Return the form's data about its file. Raises `Problem` 400 if data or the file is missing."""
        if not self._is_whole:
            raise Problem(400, "The form is incomplete.", remedy="Send it again.")
        if self.file is None:
            raise bad_parameter("file", "The form has no file.", remedy="Send the video in its part `file`.")
        return self.file

    def _begin_part(self) -> None:
        self._headers = {}
        self._header_name = self._header_value = b""

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        name = self._header_name.decode("latin-1").lower()
        self._headers[name] = self._header_value.decode("latin-1")
        self._header_name = self._header_value = b""

    def _end_headers(self) -> None:
        disposition = self._headers.get("content-disposition", "")
        if _BACKSLASHED.sub("", disposition).count('"') % 2:
            raise Problem(
                400,
                f"The form has a name without its closing quotation mark: {disposition!r:.120}.",
                remedy="Write a line break in a name as %0D%0A.",
            )
        _, options = parse_options_header(disposition)
        name = _text(options.get(b"name", b""))
        file_name = options.get(b"filename")
        if file_name is None:
            if name in self.fields or len(self.fields) >= _MOST_FIELDS:
                raise bad_parameter(name, "The form has this field twice.", remedy="Send it only once.")
            if name in FILE_PARTS:
                raise bad_parameter(
                    name, "This is not a file.", remedy="Send the video as a file, with its name."
                )
            self._field = (name, bytearray())
            return
        if name not in FILE_PARTS:
            raise bad_parameter(
                name,
                f"The form has no file part named {name!r:.40}.",
                remedy="Send the video in the part `file`.",
            )
        if self.file is not None:
            raise bad_parameter(name, "The form has two files.", remedy="Send each video in its own form.")
        text = _text(file_name)
        for escaped, character in _ESCAPED:
            text = text.replace(escaped, character)
        self.file = FilePart(name, text, self._headers.get("content-type", ""))
        self._is_in_file = True

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_in_file:
            self._bytes.append(data[start:end])
        elif self._field is not None:
            name, value = self._field
            value += data[start:end]
            if len(value) > MOST_JSON_BYTES:
                raise bad_parameter(
                    name, f"It is larger than {MOST_JSON_BYTES // 1024} kB.", remedy="Send less data."
                )

    def _end_part(self) -> None:
        if self._field is not None:
            name, value = self._field
            self.fields[name] = _text(bytes(value))
        self._field = None
        self._is_in_file = False

    def _end(self) -> None:
        self._is_whole = True


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Problem(400, "The form has text that is not UTF-8.", remedy="Send it as UTF-8.") from error


def _no_form(error: Exception) -> Problem:
    return Problem(
        400, f"The form cannot be read: {str(error)[:120]}.", remedy="Send it again, as multipart/form-data."
    )


_BESIDE_THE_FILE_BYTES = 1_000_000
"""The most bytes of a form besides its file."""


FORMS = Routes("Videos", right="correct", native=True)
REFUSED = (409, 413, 415, 422, 429, 507)

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
