"""Reads a camera over HTTP; every connection, redirects included, goes to an allowed address."""

from __future__ import annotations

import http.client
import io
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import KW_ONLY, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from frametally.process.allowed_addresses import AddressRefused, AllowedPlaces, CameraAddress, read_address
from frametally_live.cameras.camera_access import CameraAway, CameraLogin, PlaceRefused, dial, told_status

SILENT_S = 5.0
"""Silence after which a camera is unavailable."""


class _Plain(http.client.HTTPConnection):
    def __init__(self, host: str, *, visitor: HttpVisitor, **options: Any) -> None:
        super().__init__(host, **options)
        self._visitor = visitor

    def connect(self) -> None:
        self.sock = self._visitor.connect(self.host, self.port, by_tls=False)


class _ByTls(_Plain):
    default_port = http.client.HTTPS_PORT

    def connect(self) -> None:
        self.sock = self._visitor.connect(self.host, self.port, by_tls=True)


class _Handler(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Opens urllib's requests over our own connections."""

    def __init__(self, visitor: HttpVisitor) -> None:
        super().__init__()
        self._visitor = visitor

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_Plain, visitor=self._visitor), req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_ByTls, visitor=self._visitor), req)


class _Digest(urllib.request.HTTPDigestAuthHandler):
    """Signs in once: it does not retry after a refusal, because that might lock the user out."""

    def http_error_401(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any) -> Any:
        return _asked_anew(fp, partial(super().http_error_401, req, fp, code, msg, headers))

    def http_error_auth_reqed(self, auth_header: str, host: str, req: Any, headers: Any) -> Any:
        if req.get_header(self.auth_header) is not None:
            return None
        try:
            return super().http_error_auth_reqed(auth_header, host, req, headers)
        except (ValueError, LookupError):  # another scheme, or malformed
            return None


class _Basic(urllib.request.HTTPBasicAuthHandler):
    """Reports an unknown answer by its status."""

    def http_error_401(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any) -> Any:
        return _asked_anew(fp, partial(super().http_error_401, req, fp, code, msg, headers))

    def http_error_auth_reqed(self, authreq: str, host: str, req: Any, headers: Any) -> Any:
        try:
            return super().http_error_auth_reqed(authreq, host, req, headers)
        except ValueError:
            return None


def _asked_anew(before: Any, ask: Callable[[], Any]) -> Any:
    """Repeat a request; close the answer that the new one replaces."""
    try:
        answer = ask()
    except BaseException:
        before.close()
        raise
    if answer is not None:
        before.close()
    return answer


class HttpStream(io.RawIOBase):
    """A camera's answer, in the form of a file without seek for FFmpeg.

    Attributes:
        content_type: Its media type in lowercase, without parameters; empty if it names none.
        failure: Why the stream stopped, if it fell silent.
    """

    def __init__(self, name: str, answer: http.client.HTTPResponse) -> None:
        super().__init__()
        self.name = name
        is_named = "Content-Type" in answer.headers
        self.content_type = answer.headers.get_content_type() if is_named else ""
        self.failure: CameraAway | None = None
        self._answer = answer

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` received bytes; none at the end, or once the camera is unavailable."""
        try:
            return self._answer.read1(size)
        except TimeoutError:
            self.failure = _silence()
            return b""
        except (OSError, http.client.HTTPException, ValueError):
            return b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """End the connection."""
        self._answer.close()
        super().close()


@contextmanager
def _failures_named() -> Iterator[None]:
    """Raise `CameraAway` for failures of the connection; refusals keep their status."""
    try:
        yield
    except (urllib.error.HTTPError, CameraAway):
        raise
    except TimeoutError:
        raise _silence() from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        # A library's message may repeat what was sent.
        raise CameraAway(f"does not answer with valid HTTP ({type(error).__name__})") from None


def _silence() -> CameraAway:
    return CameraAway(f"sent nothing for {SILENT_S:g} s")


@dataclass
class HttpVisitor:
    """Sends HTTP requests to a camera, and follows its redirects and playlists."""

    address: CameraAddress
    allowed: AllowedPlaces
    login: CameraLogin | None
    _: KW_ONLY
    source: str
    ca_file: Path | None
    is_stranger: bool = False
    """Whether the device is not added yet: it may not redirect, nor get the password in clear text."""

    def __post_init__(self) -> None:
        """Prepare without connecting; the password is for this address only."""
        self.refused: PlaceRefused | None = None
        self._sockets: list[socket.socket] = []
        self._is_cut = False
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        if self.login is not None:
            root = f"{self.address.scheme}://{self.address.place}/"
            passwords.add_password(None, root, self.login.user, self.login.password.get_secret_value())
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            _Handler(self),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
            *([] if self.is_stranger else [urllib.request.HTTPRedirectHandler()]),
            *([] if self.login is None else [_Digest(passwords)]),
            *([] if self.login is None or self.is_stranger else [_Basic(passwords)]),
        ):
            self._opener.add_handler(handler)
        self._opener.addheaders = [("User-Agent", "frametally")]

    def connect(self, host: str, port: int, *, by_tls: bool) -> socket.socket:
        """Connect to an allowed address; see `dial`."""
        if self._is_cut:
            raise CameraAway("was disconnected")
        connection = dial(host, port, self.allowed, by_tls=by_tls, ca_file=self.ca_file)
        connection.settimeout(SILENT_S)
        self._sockets = [open_socket for open_socket in self._sockets if open_socket.fileno() >= 0]
        self._sockets.append(connection)
        if self._is_cut:  # closed while it connected
            self.cut()
        return connection

    def open(self, url: str) -> HttpStream:
        """Request `url`.

        Raises:
            PlaceRefused: The address is not allowed, or is not an HTTP address.
            CameraAway: The camera cannot be read.
        """
        try:
            is_http = read_address(url).scheme in ("http", "https")
        except AddressRefused as error:
            raise PlaceRefused(str(error)) from error
        if not is_http:
            raise PlaceRefused(f"{url[:200]!r} is not an HTTP address")
        try:
            with _failures_named():
                return HttpStream(url, self._opener.open(url, timeout=SILENT_S))
        except urllib.error.HTTPError as error:
            with error:
                raise self.refusal_of(error.code, str(error.reason)) from None

    def post(self, request: urllib.request.Request, most_bytes: int) -> tuple[int, bytes]:
        """Return the status and the body of the answer to a request, whatever its status.

        Raises:
            PlaceRefused: The address is not allowed.
            CameraAway: There is no answer, or it is longer than `most_bytes`.
        """
        with _failures_named():
            try:
                answer = self._opener.open(request, timeout=SILENT_S)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                body: bytes = answer.read(most_bytes + 1)
        if len(body) > most_bytes:
            raise CameraAway(f"sends an answer of more than {most_bytes >> 10} KiB")
        return answer.status, body

    def refusal_of(self, status: int, phrase: str = "") -> CameraAway:
        """Return the meaning of a status; see `told_status`."""
        return told_status(status, phrase, has_login=self.login is not None, source=self.source)

    def open_referred(self, url: str, flags: int, options: dict[str, str]) -> HttpStream:
        """Open an address from a playlist, as FFmpeg requests it; remembers refused addresses."""
        del flags, options
        try:
            return self.open(url)
        except PlaceRefused as error:
            self.refused = error
            raise
        except CameraAway as error:
            raise FileNotFoundError(str(error)) from None

    def close(self) -> None:
        """End all connections, and free them."""
        self.cut()
        for connection in self._sockets:
            connection.close()

    def cut(self) -> None:
        """End all connections, from any thread."""
        self._is_cut = True
        for connection in self._sockets:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
