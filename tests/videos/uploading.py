"""A client of uploads, header by header: tus as its specification has it, and forms as browsers send them."""

from __future__ import annotations

import base64
import http.client
import json
import uuid
from typing import Any, NamedTuple
from urllib.parse import urlsplit

VERSION = {"Tus-Resumable": "1.0.0"}
BYTES = {**VERSION, "Content-Type": "application/offset+octet-stream"}
UPLOADS = "/api/v1/uploads"


class Answered(NamedTuple):
    """Status, headers by their names in small letters, and the body, read if it is JSON."""

    status: int
    headers: dict[str, str]
    body: Any


def ask(
    url: str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> Answered:
    """Ask once, by a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        said = answer.read()
    finally:
        connection.close()
    named = {name.lower(): value for name, value in answer.getheaders()}
    is_json = "json" in named.get("content-type", "")
    return Answered(answer.status, named, json.loads(said) if said and is_json else said)


def metadata(**said: str) -> dict[str, str]:
    """What is said of a file, as a header."""
    pairs = [f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items()]
    return {"Upload-Metadata": ",".join(pairs)} if pairs else {}


def create(url: str, length: int, *, body: bytes | None = None, **said: str) -> Answered:
    """Begin an upload."""
    headers = {**(VERSION if body is None else BYTES), "Upload-Length": str(length), **metadata(**said)}
    return ask(url, "POST", UPLOADS, body, headers)


def begin(url: str, length: int, **said: str) -> str:
    """Begin an upload, and return its path."""
    named = {"filename": "clip.mp4", **said}
    headers = {**VERSION, "Upload-Length": str(length), **metadata(**named)}
    answer = ask(url, "POST", UPLOADS, headers=headers)
    assert answer.status == 201, answer
    return answer.headers["location"]


def patch(url: str, path: str, offset: int, data: bytes, **headers: str) -> Answered:
    """Send bytes of an upload."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(url, "PATCH", path, data, {**BYTES, "Upload-Offset": str(offset), **named})


def head(url: str, path: str) -> Answered:
    """Ask where an upload stands."""
    return ask(url, "HEAD", path, headers=VERSION)


def upload(url: str, data: bytes, **said: str) -> Answered:
    """Upload all by tus; the answer to the last bytes."""
    return patch(url, begin(url, len(data), **said), 0, data)


def form_of(data: bytes, file_name: str = "clip.mp4", part: str = "file", **fields: str) -> tuple[bytes, str]:
    """A form with a file and fields, the fields behind it; and its content type."""
    boundary = uuid.uuid4().hex
    quoted = file_name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    lines = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{part}"; filename="{quoted}"\r\n'
        f"Content-Type: video/mp4\r\n\r\n".encode(),
        data,
        b"\r\n",
    ]
    for name, value in fields.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        lines.append(f"{head}{value}\r\n".encode())
    return b"".join([*lines, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"


def send_form(url: str, data: bytes, *, path: str = "/api/videos/upload", **form: str) -> Answered:
    """Upload by a form."""
    body, content_type = form_of(data, **form)
    return ask(url, "POST", path, body, {"Content-Type": content_type})
