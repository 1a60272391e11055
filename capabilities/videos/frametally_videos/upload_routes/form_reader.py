"""Reads a multipart form while it arrives: keeps the fields, and passes on the file's bytes at once."""

from __future__ import annotations

import re
from typing import NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from frametally_videos.upload_fields import MOST_JSON_BYTES
from frametally_web.requests.problems import Problem, bad_parameter

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
        """Return the form's data about its file. Raises `Problem`: 400, it is incomplete or has no file."""
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
