"""Uploads to a running dashboard by tus 1.0; the same command continues an interrupted upload."""

from __future__ import annotations

import base64
import http.client
import json
import netrc
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec

from frametally.errors import FrametallyError, Misconfigured, Poison, Retryable
from frametally.process.retrying import Patience, a_few_times
from frametally.settings.access import is_api_token
from frametally_videos.commands.upload_clip import Clip, ClipReader, Moved, Unconfirmed, Uploaded, UploadNotes
from frametally_videos.upload_refusals import WOULD_MOVE_COUNTS

_TIMEOUT_S = 120.0
_SEND_BYTES = 2**18
_REFUSED = {400, 413, 415, 422, 460}
"""Statuses by which a server refuses this file permanently."""


class DashboardAnswer(NamedTuple):
    """An answer of the server."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def problem(self) -> str:
        """The server's explanation and remedy."""
        said = self.document
        return " ".join(str(said[part]) for part in ("detail", "remedy") if said.get(part))

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object in the body, empty if there is none."""
        try:
            document = json.loads(self.body)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}


class Dashboard:
    """A dashboard, through one connection that is opened again after each failure."""

    def __init__(self, url: str) -> None:
        """Read the URL without connecting.

        Raises:
            Misconfigured: It is not the URL of a dashboard.
        """
        try:
            parts = urlsplit(url)
            self._host, self._port = parts.hostname or "", parts.port
        except ValueError:
            parts, self._host = urlsplit(""), ""
        if parts.scheme not in ("http", "https") or not self._host or parts.query or parts.fragment:
            raise Misconfigured(
                "--url is not the address of a dashboard: use one such as http://127.0.0.1:5001"
            )
        self._secure = parts.scheme == "https"
        self.folder = parts.path.rstrip("/")
        port = "" if self._port is None else f":{self._port}"
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.url = f"{parts.scheme}://{host}{port}{self.folder}"
        self._login = _login(self._host, parts.username, parts.password)
        self._connection: http.client.HTTPConnection | None = None

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        body: ClipReader | None = None,
    ) -> DashboardAnswer:
        """Send a request for a path below the dashboard's; return the answer, whatever its status.

        Raises:
            Retryable: There is no connection, or it broke.
            Misconfigured: The server's certificate is not trusted.
        """
        length_bytes = body.left_bytes if body else 0
        length_header = {"Content-Length": str(length_bytes)} if method in ("POST", "PATCH") else {}
        try:
            connection = self._connect()
            try:
                connection.request(
                    method, self.folder + path, body, length_header | self._login | dict(headers or {})
                )
            except (BrokenPipeError, ConnectionResetError):
                if body is None:
                    raise
                # The server may have sent its reason before it disconnected.
            return _read(connection)
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise Misconfigured(
                f"{self.url}: its certificate is not trusted ({error.verify_message}): set SSL_CERT_FILE "
                "to the certificate file of its authority"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Retryable(
                f"{self.url} is not responding ({_reason(error)}): check that the dashboard is running there"
            ) from error
        except BaseException:
            self.close()  # the connection is unusable after half a request
            raise

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            self._connection = kind(self._host, self._port, timeout=_TIMEOUT_S, blocksize=_SEND_BYTES)
        return self._connection


def fault(server: Dashboard, answer: DashboardAnswer, name: str) -> FrametallyError:
    """Return the error for an unsuccessful answer about the upload of the file `name`."""
    status, detail = answer.status, answer.problem
    if status == 401:
        return Misconfigured(
            f"{server.url} requires a password, or a token in its place: write it into ~/.netrc, or into "
            "--url (https://USER:PASSWORD@HOST)"
        )
    if 300 <= status < 400:
        elsewhere = answer.headers.get("location", "another address")[:200]
        return Misconfigured(f"{server.url} has moved to {elsewhere}: give that address as --url")
    if status in _REFUSED and answer.document.get("parameter") == "move_counts":
        return Unconfirmed(f"{name}: {detail}")
    if status in _REFUSED:
        return Poison(f"{name}: {detail or f'refused (answer {status})'}")
    if status in (403, 405, 412, 421, 507):
        return Misconfigured(f"{server.url}: {detail or f'it takes no uploads (answer {status})'}")
    if status == 404:
        return Misconfigured(
            f"{server.url} does not accept uploads: check that it is the address of a dashboard of this "
            "version"
        )
    return Retryable(f"{server.url}: {detail or f'answer {status}'}")


def _read(connection: http.client.HTTPConnection) -> DashboardAnswer:
    with connection.getresponse() as response:
        headers = {name.lower(): value for name, value in response.getheaders()}
        answer = DashboardAnswer(response.status, headers, response.read())
    if answer.status >= 400:  # the server may not have read the whole body
        connection.close()
    return answer


def _login(host: str, user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        with suppress(OSError, netrc.NetrcParseError):
            entry = netrc.netrc().authenticators(host)
            user, password = (entry[0], entry[2]) if entry else (None, None)
    if user is None:
        return {}
    if is_api_token(password or ""):
        return {"Authorization": f"Bearer {password}"}
    pair = f"{unquote(user)}:{unquote(password or '')}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


PIECE_BYTES = 64 * 2**20
"""Bytes per request; each answer confirms that the bytes so far are on the server's disk."""

_UPLOADS = "/api/v1/uploads"
_TUS = {"Tus-Resumable": "1.0.0"}
_BYTES = "application/offset+octet-stream"
_CONFIRMED = "move_counts dHJ1ZQ=="
"""`true` in Base64."""


@dataclass
class TusUploader:
    """Uploads files to one dashboard, one after another."""

    server: Dashboard
    notes: UploadNotes
    patience: Patience
    should_stop: Callable[[], bool]

    def __post_init__(self) -> None:
        """Check that the dashboard accepts uploads.

        Raises:
            Misconfigured: The server does not respond, or does not accept uploads.
        """
        try:
            answer = a_few_times(lambda: self.server.ask("OPTIONS", _UPLOADS), tries=4)
        except Retryable as error:
            raise Misconfigured(f"{error}") from error
        if answer.status >= 300 or "1.0.0" not in answer.headers.get("tus-version", ""):
            raise fault(self.server, answer if answer.status >= 300 else answer._replace(status=404), "")

    def upload(self, clip: Clip, on_move: Moved) -> Uploaded:
        """Upload a file, waiting while the dashboard is not available.

        Raises:
            Poison: The dashboard refuses this file; the message has the reason.
            Misconfigured: The dashboard does not accept uploads.
            GivenUp: The command was stopped; the same call continues.
        """
        mark = self.notes.mark_of(clip, self.server.url)
        try:
            uploaded = self.patience.until_done(
                f"uploading {clip.file_name}", lambda: self._go_on(clip, mark, on_move)
            )
        except Unconfirmed:  # the next call may confirm it
            raise
        except Poison:
            self._give_up(mark)
            raise
        self.notes.forget(mark)
        return uploaded

    def _give_up(self, mark: str) -> None:
        """Remove an upload that can never succeed; a refused one is already gone."""
        path = self.notes.get(mark)
        if path is not None:
            with suppress(FrametallyError):  # it expires
                self.server.ask("DELETE", path, _TUS)
        self.notes.forget(mark)

    def _go_on(self, clip: Clip, mark: str, on_move: Moved) -> Uploaded:
        path = self.notes.get(mark)
        answer = self._where_it_stands(path, clip) if path else None
        if answer is None:
            path = self._begin(clip)
            self.notes.put(mark, path)
            offset = 0
        elif "frametally-video" in answer.headers:
            return self._uploaded(answer, path)
        else:
            offset = _offset(answer)
        assert path is not None  # noqa: S101 - for the type checker
        on_move(offset)
        with clip.open(offset) as file:
            while True:
                clip.check(file)
                piece = ClipReader(
                    file,
                    at_byte=offset,
                    next_byte=min(offset + PIECE_BYTES, clip.size_bytes),
                    moved=on_move,
                    should_stop=self.should_stop,
                )
                stands = {"Upload-Offset": str(offset), "Content-Type": _BYTES}
                if clip.fields.move_counts:  # the upload may have begun without it
                    stands["Upload-Metadata"] = _CONFIRMED
                answer = self.server.ask("PATCH", path, _TUS | stands, body=piece)
                if answer.status != 204:
                    error = self._fault(answer, path, clip)
                    if clip.fields.move_counts and isinstance(error, Unconfirmed):
                        self.notes.forget(mark)
                        error = self._begins_anew(clip)
                    raise error
                if "frametally-video" in answer.headers:
                    return self._uploaded(answer, path)
                if offset == clip.size_bytes:
                    raise Retryable(
                        f"{self.server.url}: {clip.file_name} is uploaded, but is not a video yet"
                    )
                offset = _offset(answer)
                file.seek(offset)

    def _begin(self, clip: Clip) -> str:
        answer = self.server.ask(
            "POST",
            _UPLOADS,
            _TUS | {"Upload-Length": str(clip.size_bytes), "Upload-Metadata": _metadata(clip)},
        )
        if answer.status != 201:
            raise fault(self.server, answer, clip.file_name)
        # Only the path, since a proxy may use another host name.
        path = urlsplit(answer.headers.get("location", "")).path.removeprefix(self.server.folder)
        if not path.startswith("/"):
            raise Misconfigured(
                f"{self.server.url} did not say where to upload to: check that it is the address of a "
                "dashboard"
            )
        return path

    def _where_it_stands(self, path: str, clip: Clip) -> DashboardAnswer | None:
        """Return the answer with an upload's offset, or None if it must start again."""
        answer = self.server.ask("HEAD", path, _TUS)
        if answer.status == 200:
            return answer
        error = self._fault(answer, path, clip)
        if clip.fields.move_counts and isinstance(error, Unconfirmed):  # its bytes wait for the confirmation
            return answer._replace(headers={"upload-offset": str(clip.size_bytes)})
        if answer.status in (404, 410) and not isinstance(error, Poison):
            return None
        raise error

    def _fault(self, answer: DashboardAnswer, path: str, clip: Clip) -> FrametallyError:
        """Return the error for an answer; if the upload has ended, ask for its result."""
        if answer.status in (404, 410):
            document = self.server.ask("GET", path).document
            if document.get("state") == "refused":
                line = f"{clip.file_name}: {document.get('reason')} {document.get('remedy')}"
                return (Unconfirmed if document.get("status") == WOULD_MOVE_COUNTS else Poison)(line)
            return self._begins_anew(clip)
        if answer.status in (409, 423):
            return Retryable(
                f"{self.server.url}: {clip.file_name} is at another position, or another program is "
                "uploading it"
            )
        return fault(self.server, answer, clip.file_name)

    def _begins_anew(self, clip: Clip) -> Retryable:
        return Retryable(f"{self.server.url}: the upload of {clip.file_name} has ended; starting again")

    def _uploaded(self, answer: DashboardAnswer, path: str | None) -> Uploaded:
        video_id = answer.headers["frametally-video"]
        video, upload = {}, {}
        with suppress(FrametallyError):  # it is uploaded; its page shows what is missing
            video = self.server.ask("GET", f"/api/v1/videos/{video_id}").document
            upload = self.server.ask("GET", path).document if path else {}
        is_known = answer.headers.get("frametally-known") == "true"
        return Uploaded(
            video_id,
            is_known,
            video.get("state") == "needs_time",
            video.get("time_is_guess") is True,
            str(upload.get("reason") or ""),
        )


def _offset(answer: DashboardAnswer) -> int:
    text = answer.headers.get("upload-offset", "")
    if not text.isdecimal():
        raise Retryable(f"an answer without Upload-Offset ({answer.status})")
    return int(text)


def _metadata(clip: Clip) -> str:
    def pairs() -> Iterator[tuple[str, str]]:
        yield "filename", clip.file_name
        for name, value in msgspec.to_builtins(clip.fields).items():
            yield name, json.dumps(value) if isinstance(value, dict | bool) else str(value)

    return ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in pairs())
