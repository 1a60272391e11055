"""Reads, checks and writes the headers of tus 1.0."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from email.utils import formatdate
from functools import wraps
from typing import Any, NamedTuple, TypeVar, cast

import msgspec
from starlette.datastructures import Headers

from frametally.actions.problems import Problem
from frametally_videos.records import UploadRecord, VideoFields
from frametally_videos.upload_fields import (
    is_of_another_kind,
    read_fields,
    read_file_name,
    read_sha256,
)
from frametally_videos.upload_refusals import CHECKSUM_MISMATCH, FieldRefused
from frametally_videos.uploads.acceptance import Accepted

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,expiration,checksum,termination"
BYTES_TYPE = "application/offset+octet-stream"
NO_STORE = {"Cache-Control": "no-store", "Tus-Resumable": VERSION}
CHECKSUMS: dict[str, Callable[[bytes], Any]] = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}

_HandlerT = TypeVar("_HandlerT", bound=Callable[..., Any])
_WHOLE = re.compile(r"[0-9]{1,18}")
_NOT_FIELDS = ("filename", "sha256", "filetype", "type", "relativePath", "relative_path")


class Announced(NamedTuple):
    """A file as announced when its upload is created."""

    length_bytes: int
    file_name: str
    fields: VideoFields
    sha256: str | None


class Checksum(NamedTuple):
    """The hash of a request's bytes."""

    algorithm: str
    digest: bytes

    def check(self, data: bytes) -> None:
        """Refuse bytes with another hash. Raises `Problem`: 460."""
        if CHECKSUMS[self.algorithm](data).digest() != self.digest:
            raise Problem(
                CHECKSUM_MISMATCH,
                "The bytes do not match their checksum; none of them were stored.",
                remedy="Send them again.",
            )


def check_version(headers: Headers) -> None:
    """Refuse other versions of the protocol. Raises `Problem`: 412."""
    if headers.get("Tus-Resumable") != VERSION:
        problem = Problem(
            412,
            f"This server supports tus {VERSION}, but Tus-Resumable is {headers.get('Tus-Resumable')!r:.40}.",
            remedy=f"Send Tus-Resumable: {VERSION}.",
        )
        problem.headers["Tus-Version"] = VERSION
        raise problem


def check_type(headers: Headers) -> None:
    """Refuse bytes without the right content type. Raises `Problem`: 415."""
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != BYTES_TYPE:
        raise Problem(
            415, f"The request has the type {kind or 'of no type'!r:.80}.", remedy=f"Send it as {BYTES_TYPE}."
        )


def read_announced(headers: Headers) -> Announced:
    """Return the file that a creation announces. Raises `Problem`: 400 or 415."""
    length_bytes = read_number(headers, "Upload-Length")
    metadata = _read_metadata(headers.get("Upload-Metadata", ""))
    kind = metadata.get("filetype") or metadata.get("type") or ""
    if is_of_another_kind(kind):
        raise Problem(
            415, f"Its type is {kind:.80}, which is not a video type.", remedy="Choose a video file."
        )
    if not length_bytes:
        raise Problem(415, "The file is empty, so it is not a video.", remedy="Choose a video file.")
    try:
        fields = read_fields({name: text for name, text in metadata.items() if name not in _NOT_FIELDS})
        file_name = read_file_name(metadata.get("filename") or fields.name or "video")
        sha256 = read_sha256(metadata["sha256"]) if metadata.get("sha256") else None
    except FieldRefused as refusal:
        raise field_problem(refusal) from refusal
    return Announced(length_bytes, file_name, fields, sha256)


def read_number(headers: Headers, name: str) -> int:
    """Return the whole number in a header. Raises `Problem`: 400."""
    text = headers.get(name, "")
    if not _WHOLE.fullmatch(text):
        raise Problem(
            400, f"{name} is {text!r:.40}; it must be a number of bytes.", remedy="See docs/api.md."
        )
    return int(text)


def read_confirmation(headers: Headers) -> bool:
    """Return whether a request confirms that its upload may move counts. Raises `Problem`: 400."""
    metadata = _read_metadata(headers.get("Upload-Metadata", ""))
    try:
        return read_fields(
            {name: text for name, text in metadata.items() if name == "move_counts"}
        ).move_counts
    except FieldRefused as refusal:
        raise field_problem(refusal) from refusal


def read_checksum(headers: Headers) -> Checksum | None:
    """Return the checksum of a request's bytes, or None if it has none. Raises `Problem`: 400."""
    text = headers.get("Upload-Checksum")
    if text is None:
        return None
    algorithm, _, value = text.strip().partition(" ")
    try:
        digest = base64.b64decode(value, validate=True)
    except binascii.Error:
        digest = b""
    if algorithm not in CHECKSUMS or not digest:
        raise Problem(
            400,
            f"Upload-Checksum is {text!r:.80}, which is not valid.",
            remedy=f"Send one of {', '.join(CHECKSUMS)}, a space, and the hash in Base64.",
        )
    return Checksum(algorithm, digest)


def metadata_of(upload: UploadRecord) -> str:
    """Return the metadata of an upload as the value of a header."""
    metadata: dict[str, object] = {"filename": upload.file_name, "sha256": upload.sha256}
    metadata |= msgspec.to_builtins(upload.fields)
    return ",".join(
        f"{key} {base64.b64encode(_as_text(value).encode()).decode()}"
        for key, value in metadata.items()
        if value is not None
    )


def field_problem(refusal: FieldRefused) -> Problem:
    """Return the problem of an invalid field."""
    detail = f"{refusal.place}: {refusal.reason}" if refusal.place else refusal.reason
    return Problem(400, detail, remedy=refusal.remedy, parameter=refusal.field)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _read_metadata(text: str) -> dict[str, str]:
    metadata: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        key, _, value = pair.partition(" ")
        if key in metadata:
            raise _bad_metadata(f"{key!r:.40} appears twice")
        try:
            metadata[key] = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise _bad_metadata(f"{key!r:.40} is not in Base64, or not UTF-8") from error
    return metadata


def _bad_metadata(reason: str) -> Problem:
    return Problem(
        400,
        f"Upload-Metadata cannot be read: {reason}.",
        remedy="Send keys separated by commas, each followed by a space and its value in Base64.",
    )


def state_of(upload: UploadRecord, offset: int) -> dict[str, str]:
    """Return the headers with an upload's position."""
    return {
        **NO_STORE,
        "Upload-Offset": str(offset),
        "Upload-Length": str(upload.length_bytes),
        "Upload-Expires": formatdate(upload.expires_at_ms / 1000, usegmt=True),
    }


def accepted_of(upload: UploadRecord, accepted: Accepted) -> dict[str, str]:
    """Return the headers with the video of an upload."""
    return {
        **NO_STORE,
        "Upload-Offset": str(upload.length_bytes),
        "Frametally-Video": accepted.video.id,
        "Frametally-Known": word(accepted.known),
        "Frametally-Remark": word(bool(accepted.remark)),
    }


def word(true: bool) -> str:
    """Return a boolean as the value of a header."""
    return "true" if true else "false"


def check_offset(offset: int, position: int) -> None:
    """Refuse bytes for a position other than the upload's. Raises `Problem`: 409."""
    if offset != position:
        problem = Problem(
            409,
            f"The upload is at byte {position}, but Upload-Offset is {offset}.",
            remedy="Send a HEAD request to get its offset, and continue from there.",
        )
        problem.headers["Upload-Offset"] = str(position)
        raise problem


def of_protocol(handler: _HandlerT) -> _HandlerT:
    """Decorate a route's method so that its problems have the protocol's version, as all answers must."""

    @wraps(handler)
    async def answer(*args: Any) -> Any:
        try:
            return await handler(*args)
        except Problem as problem:
            problem.headers.setdefault("Tus-Resumable", VERSION)
            raise

    return cast(_HandlerT, answer)
