"""Connections to cameras: a name is looked up once, checked, and connected to at that very address."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from frametally.errors import Misconfigured
from frametally.process.allowed_addresses import AddressRefused, AllowedPlaces
from frametally.process.dialling import PlaceAway, connect
from frametally_live.cameras.failures import CameraAway, PlaceRefused

CONNECT_S = 2.0
"""A camera that comes back is there at the next try; so no try may last long."""
_CA_SETTING = "FRAMETALLY_LIVE_CA_FILE"


def dial(
    host: str, port: int, allowed: AllowedPlaces, *, by_tls: bool = False, ca_file: Path | None = None
) -> socket.socket:
    """Connect to `host`, which is allowed to be where it is.

    By TLS, what is sent is hidden. Whom it is sent to is known with a `ca_file` alone: without one nothing is
    checked, as cameras have certificates of their own.

    Raises:
        PlaceRefused: It is where no camera may be by now; a name may mean something else soon.
        CameraAway: It is not there, or not who it says it is.
        Misconfigured: `ca_file` cannot be read.
    """
    try:
        connection = connect(host, port, allowed, timeout_s=CONNECT_S)
    except AddressRefused as error:
        raise PlaceRefused(str(error)) from error
    except PlaceAway as error:
        raise CameraAway(str(error)) from error
    return _secured(connection, host, ca_file) if by_tls else connection


def _secured(connection: socket.socket, host: str, ca_file: Path | None) -> socket.socket:
    try:
        return _context(ca_file).wrap_socket(connection, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        connection.close()
        raise CameraAway(
            f"has a certificate that is not trusted ({error.verify_message}): add the authority that it is "
            f"from to {_CA_SETTING}, and give the camera's address by the name in it"
        ) from error
    except Misconfigured:
        connection.close()
        raise
    except OSError as error:
        connection.close()
        raise CameraAway("does not speak TLS there: try rtsp:// or http://") from error


def _context(ca_file: Path | None) -> ssl.SSLContext:
    if ca_file is not None:
        try:
            return ssl.create_default_context(cafile=str(ca_file))
        except OSError as error:
            raise Misconfigured(
                f"{_CA_SETTING}: {ca_file} cannot be read as certificates ({error.strerror}); name a PEM file"
            ) from error
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
