"""Asking a running dashboard: its address, who we are there, and what its answers mean."""

from __future__ import annotations

import base64
import http.client
import json
import netrc
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from frametally.errors import FrametallyError, Misconfigured, Poison, Retryable
from frametally.settings.access import is_api_token
from frametally_videos.commands.upload_clip import ClipReader, Unconfirmed

_TIMEOUT_S = 120.0
_SEND_BYTES = 2**18
_REFUSED = {400, 413, 415, 422, 460}
"""Statuses by which a server says that this file is not taken, now or later."""


class DashboardAnswer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def problem(self) -> str:
        """What is wrong, and what to do about it, in the server's words."""
        said = self.said
        return " ".join(str(said[part]) for part in ("detail", "remedy") if said.get(part))

    @property
    def said(self) -> dict[str, Any]:
        """Its JSON; empty where it has none."""
        try:
            said = json.loads(self.body)
        except ValueError:
            return {}
        return said if isinstance(said, dict) else {}


class Dashboard:
    """A dashboard, by one connection that is opened anew after each fault."""

    def __init__(self, url: str) -> None:
        """Name it; nothing is asked yet.

        Raises:
            Misconfigured: It is no URL of a dashboard.
        """
        try:
            parts = urlsplit(url)
            self._host, self._port = parts.hostname or "", parts.port
        except ValueError:
            parts, self._host = urlsplit(""), ""
        if parts.scheme not in ("http", "https") or not self._host or parts.query or parts.fragment:
            raise Misconfigured("--url is no address of a dashboard: give one such as http://127.0.0.1:5001")
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
        """Ask for a path below the dashboard's own, and return the answer, whatever its status.

        Raises:
            Retryable: The connection was not made, or was cut.
            Misconfigured: Its certificate is not trusted.
        """
        length_bytes = body.left_bytes if body else 0
        sent = {"Content-Length": str(length_bytes)} if method in ("POST", "PATCH") else {}
        try:
            connection = self._connect()
            try:
                connection.request(method, self.folder + path, body, sent | self._login | dict(headers or {}))
            except (BrokenPipeError, ConnectionResetError):
                if body is None:
                    raise
                # It may have said why it hung up before all was sent.
            return _read(connection)
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise Misconfigured(
                f"{self.url}: its certificate is not trusted ({error.verify_message}): name the file of its "
                "authority by SSL_CERT_FILE"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Retryable(
                f"{self.url} does not answer ({_reason(error)}): does the dashboard run there?"
            ) from error
        except BaseException:
            self.close()  # what was half sent cannot be followed by anything
            raise

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            self._connection = kind(self._host, self._port, timeout=_TIMEOUT_S, blocksize=_SEND_BYTES)
        return self._connection


def fault(server: Dashboard, answer: DashboardAnswer, name: str) -> FrametallyError:
    """Return what an answer that is no success means for the upload of the file `name`."""
    status, said = answer.status, answer.problem
    if status == 401:
        return Misconfigured(
            f"{server.url} wants a password, or a token in its place: "
            "write it into ~/.netrc, or into --url (https://USER:PASSWORD@HOST)"
        )
    if 300 <= status < 400:
        elsewhere = answer.headers.get("location", "another address")[:200]
        return Misconfigured(f"{server.url} is at {elsewhere}: give that as --url")
    if status in _REFUSED and answer.said.get("parameter") == "move_counts":
        return Unconfirmed(f"{name}: {said}")
    if status in _REFUSED:
        return Poison(f"{name}: {said or f'refused (answer {status})'}")
    if status in (403, 405, 412, 421, 507):
        return Misconfigured(f"{server.url}: {said or f'it takes no uploads (answer {status})'}")
    if status == 404:
        return Misconfigured(
            f"{server.url} takes no uploads: is that a dashboard's address, and of this version?"
        )
    return Retryable(f"{server.url}: {said or f'answer {status}'}")


def _read(connection: http.client.HTTPConnection) -> DashboardAnswer:
    with connection.getresponse() as response:
        headers = {name.lower(): value for name, value in response.getheaders()}
        answer = DashboardAnswer(response.status, headers, response.read())
    if answer.status >= 400:  # it may not have read what was sent
        connection.close()
    return answer


def _login(host: str, user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        with suppress(OSError, netrc.NetrcParseError):
            found = netrc.netrc().authenticators(host)
            user, password = (found[0], found[2]) if found else (None, None)
    if user is None:
        return {}
    if is_api_token(password or ""):
        return {"Authorization": f"Bearer {password}"}
    pair = f"{unquote(user)}:{unquote(password or '')}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
