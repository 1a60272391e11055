"""The headers of tus 1.0: read, checked, and refused as the protocol has it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, NamedTuple

import msgspec
from starlette.datastructures import Headers

from frametally_videos.records import UploadRecord, VideoFields
from frametally_videos.upload_fields import (
    is_of_another_kind,
    read_fields,
    read_file_name,
    read_sha256,
)
from frametally_videos.upload_refusals import CHECKSUM_MISMATCH, FieldRefused
from frametally_web.requests.problems import Problem

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,expiration,checksum,termination"
BYTES_TYPE = "application/offset+octet-stream"
CHECKSUMS: dict[str, Callable[[bytes], Any]] = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}

_WHOLE = re.compile(r"[0-9]{1,18}")
_NOT_FIELDS = ("filename", "sha256", "filetype", "type", "relativePath", "relative_path")


class Announced(NamedTuple):
    """What a creation says of the file that is to come."""

    length_bytes: int
    file_name: str
    fields: VideoFields
    sha256: str | None


class Checksum(NamedTuple):
    """What the bytes of a request hash to."""

    algorithm: str
    digest: bytes

    def check(self, data: bytes) -> None:
        """Refuse other bytes. Raises `Problem`: 460."""
        if CHECKSUMS[self.algorithm](data).digest() != self.digest:
            raise Problem(
                CHECKSUM_MISMATCH,
                "The bytes that came are not those that their checksum is of; none of them was kept.",
                remedy="Send them again.",
            )


def check_version(headers: Headers) -> None:
    """Refuse another version of the protocol. Raises `Problem`: 412."""
    if headers.get("Tus-Resumable") != VERSION:
        problem = Problem(
            412,
            f"It speaks no tus {VERSION}: Tus-Resumable is {headers.get('Tus-Resumable')!r:.40}.",
            remedy=f"Send Tus-Resumable: {VERSION}.",
        )
        problem.headers["Tus-Version"] = VERSION
        raise problem


def check_type(headers: Headers) -> None:
    """Refuse bytes that do not say what they are. Raises `Problem`: 415."""
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != BYTES_TYPE:
        raise Problem(
            415, f"What was sent is {kind or 'of no type'!r:.80}.", remedy=f"Send it as {BYTES_TYPE}."
        )


def read_announced(headers: Headers) -> Announced:
    """Return what a creation says. Raises `Problem`: 400 or 415."""
    length_bytes = read_number(headers, "Upload-Length")
    said = _read_metadata(headers.get("Upload-Metadata", ""))
    kind = said.get("filetype") or said.get("type") or ""
    if is_of_another_kind(kind):
        raise Problem(
            415, f"It says that it is {kind:.80}, which is no video.", remedy="Choose a video file."
        )
    if not length_bytes:
        raise Problem(415, "It is empty, which is no video.", remedy="Choose a video file.")
    try:
        fields = read_fields({name: text for name, text in said.items() if name not in _NOT_FIELDS})
        file_name = read_file_name(said.get("filename") or fields.name or "video")
        sha256 = read_sha256(said["sha256"]) if said.get("sha256") else None
    except FieldRefused as refusal:
        raise field_problem(refusal) from refusal
    return Announced(length_bytes, file_name, fields, sha256)


def read_number(headers: Headers, name: str) -> int:
    """Return a header that is a whole number. Raises `Problem`: 400."""
    text = headers.get(name, "")
    if not _WHOLE.fullmatch(text):
        raise Problem(
            400, f"{name} is {text!r:.40}, and has to be a number of bytes.", remedy="See docs/api.md."
        )
    return int(text)


def read_confirmation(headers: Headers) -> bool:
    """Return whether a piece says that its upload may move counts. Raises `Problem`: 400."""
    said = _read_metadata(headers.get("Upload-Metadata", ""))
    try:
        return read_fields({name: text for name, text in said.items() if name == "move_counts"}).move_counts
    except FieldRefused as refusal:
        raise field_problem(refusal) from refusal


def read_checksum(headers: Headers) -> Checksum | None:
    """Return the checksum of a request's bytes; None if it has none. Raises `Problem`: 400."""
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
            f"Upload-Checksum is {text!r:.80}, which is none.",
            remedy=f"Send one of {', '.join(CHECKSUMS)}, a space, and the hash in Base64.",
        )
    return Checksum(algorithm, digest)


def expires_of(upload: UploadRecord) -> str:
    """Return when an upload expires, as a header has it."""
    return formatdate(upload.expires_at_ms / 1000, usegmt=True)


def metadata_of(upload: UploadRecord) -> str:
    """Return what was said at an upload's creation, as a header has it."""
    said: dict[str, object] = {"filename": upload.file_name, "sha256": upload.sha256}
    said |= msgspec.to_builtins(upload.fields)
    return ",".join(
        f"{key} {base64.b64encode(_as_text(value).encode()).decode()}"
        for key, value in said.items()
        if value is not None
    )


def field_problem(refusal: FieldRefused) -> Problem:
    """Return what is told of a field that cannot be."""
    detail = f"{refusal.place}: {refusal.reason}" if refusal.place else refusal.reason
    return Problem(400, detail, remedy=refusal.remedy, parameter=refusal.field)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _read_metadata(text: str) -> dict[str, str]:
    said: dict[str, str] = {}
    for pair in filter(None, (one.strip() for one in text.split(","))):
        key, _, value = pair.partition(" ")
        if key in said:
            raise _bad_metadata(f"{key!r:.40} stands twice")
        try:
            said[key] = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise _bad_metadata(f"{key!r:.40} is not in Base64, or no UTF-8") from error
    return said


def _bad_metadata(why: str) -> Problem:
    return Problem(
        400,
        f"Upload-Metadata cannot be read: {why}.",
        remedy="Send keys, each with a space and its value in Base64, with commas between them.",
    )
