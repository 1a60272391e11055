"""Access to cameras: passwords, connections to allowed addresses only, and reasons for failures.

A host name is resolved once and checked, and frametally connects to exactly that address. Log-ins come only
from the settings, by source; no displayed text contains a password.
"""

from __future__ import annotations

import re
import socket
import ssl
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from frametally import keys
from frametally.errors import FrametallyError, Misconfigured
from frametally.process.allowed_addresses import AddressRefused, AllowedPlaces, PlaceAway, connect
from frametally.settings.fields import SecretStr


class CameraAway(FrametallyError):
    """The camera cannot be read now; frametally tries again.

    Attributes:
        refuses_login: Whether it refuses the password; frametally then tries less often, to avoid a lockout.
    """

    def __init__(self, reason: str, *, refuses_login: bool = False) -> None:
        """Store the reason as one clause, without the camera's name."""
        super().__init__(reason)
        self.refuses_login = refuses_login


class PlaceRefused(CameraAway):
    """A redirect, a playlist or a host name currently leads to a forbidden address."""

    def __init__(self, reason: str) -> None:
        """Store the reason why no connection is made."""
        super().__init__(f"leads to an address that is not allowed: {reason}")


def told_status(status: int, phrase: str, *, has_login: bool, source: str) -> CameraAway:
    """Return what an RTSP or HTTP status means, for people."""
    if status == _UNAUTHORIZED and not has_login:
        return CameraAway(
            "requires a user name and password: set "
            f'FRAMETALLY_LIVE_LOGINS={{"{source}": "<user>:<password>"}}',
            refuses_login=True,
        )
    if status in (_UNAUTHORIZED, _FORBIDDEN):
        return CameraAway(
            f"refuses the user name or password ({status}): check the entry for {source} in "
            "FRAMETALLY_LIVE_LOGINS",
            refuses_login=True,
        )
    if status == _NOT_FOUND:
        return CameraAway("does not know this path (404): check the address")
    if status // 100 == _REDIRECTS:
        return CameraAway(f"redirects to another address ({status}): use that one instead")
    return CameraAway(f"answers {status} {phrase[:100]}".rstrip())


_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _REDIRECTS = 401, 403, 404, 3


_SETTING = "FRAMETALLY_LIVE_LOGINS"
_EXAMPLE = '{"gate-1": "user:password"}'
_IN_URL = re.compile(r"(?<=://)[^/@\s]*@")


class CameraLogin(NamedTuple):
    """The user name and password for a camera."""

    user: str
    password: SecretStr

    @property
    def in_url(self) -> str:
        """The log-in in the form of a URL, which is never shown."""
        return f"{quote(self.user, safe='')}:{quote(self.password.get_secret_value(), safe='')}"


def without_login(text: str) -> str:
    """Return `text` without the user and password of a URL."""
    return _IN_URL.sub("", text)


def login_of(logins: SecretStr, source: str, host: str = "") -> CameraLogin | None:
    """Return the log-in of a source's camera, or else of its host, from `FRAMETALLY_LIVE_LOGINS`, or None.

    Raises:
        Misconfigured: The setting is not JSON of that form; the message repeats none of it.
    """
    by_slug = logins_by_slug(logins)
    login_text = by_slug.get(source, by_slug.get(keys.slug(host)) if host else None)
    if login_text is None:
        return None
    user, colon, password = login_text.partition(":")
    if not colon or not user:
        raise Misconfigured(f"{_SETTING}: the entry for {source} must have the form user:password")
    return CameraLogin(user, SecretStr(password))


def logins_by_slug(logins: SecretStr) -> dict[str, str]:
    """Return the log-ins by the slug of source or host. Raises as `login_of` does."""
    text = logins.get_secret_value()
    if not text.strip():
        return {}
    try:
        by_source = msgspec.json.decode(text.encode(), type=dict[str, str])
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise Misconfigured(f"{_SETTING} must be JSON of the form {_EXAMPLE}") from None
    return {keys.slug(name): login for name, login in by_source.items()}


CONNECT_S = 2.0
"""Limit of one attempt, so that a camera that comes back is read soon."""
_CA_SETTING = "FRAMETALLY_LIVE_CA_FILE"


def dial(
    host: str, port: int, allowed_places: AllowedPlaces, *, by_tls: bool = False, ca_file: Path | None = None
) -> socket.socket:
    """Connect to `host` if its address is allowed.

    TLS encrypts the connection. The camera's certificate is checked only with a `ca_file`, because cameras
    have self-signed certificates.

    Raises:
        PlaceRefused: No camera may be at the address that the name has now.
        CameraAway: The camera is not there, or its certificate is not trusted.
        Misconfigured: `ca_file` cannot be read.
    """
    try:
        connection = connect(host, port, allowed_places, timeout_s=CONNECT_S)
    except AddressRefused as error:
        raise PlaceRefused(str(error)) from error
    except PlaceAway as error:
        raise CameraAway(str(error)) from error
    return _secured(connection, host, ca_file) if by_tls else connection


def _secured(connection: socket.socket, host: str, ca_file: Path | None) -> socket.socket:
    try:
        return camera_trust(ca_file).wrap_socket(connection, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        connection.close()
        raise CameraAway(
            f"has a certificate that is not trusted ({error.verify_message}): add its authority "
            f"to {_CA_SETTING}, and use the host name of the certificate in the camera's address"
        ) from error
    except Misconfigured:
        connection.close()
        raise
    except OSError as error:
        connection.close()
        raise CameraAway("does not use TLS on this port: try rtsp:// or http://") from error


def camera_trust(ca_file: Path | None) -> ssl.SSLContext:
    """Return a client's TLS context; without a `ca_file` it checks no certificate. Raises as `dial` does."""
    if ca_file is not None:
        try:
            return ssl.create_default_context(cafile=str(ca_file))
        except OSError as error:
            raise Misconfigured(
                f"{_CA_SETTING}: {ca_file} cannot be read as certificates ({error.strerror}); set it to a "
                "PEM file"
            ) from error
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
