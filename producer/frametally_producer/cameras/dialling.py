"""Connections to cameras: a name is looked up once, checked, and connected to at that very address."""

from __future__ import annotations

import socket
import ssl

from frametally.cameras.addresses import AllowedPlaces
from frametally.cameras.dialling import PlaceAway, connect
from frametally_producer.cameras.failures import CameraAway

CONNECT_S = 2.0
"""A camera that comes back is there at the next try; so no try may last long."""


def dial(host: str, port: int, allowed: AllowedPlaces, *, by_tls: bool = False) -> socket.socket:
    """Connect to `host`, which is allowed to be where it is.

    By TLS, what is sent is hidden; whom it is sent to is not known: cameras have certificates of their own.

    Raises:
        Poison: It is where no camera may be.
        CameraAway: It is not there.
    """
    try:
        connection = connect(host, port, allowed, timeout_s=CONNECT_S)
    except PlaceAway as error:
        raise CameraAway(str(error)) from error
    return _secured(connection, host) if by_tls else connection


def _secured(connection: socket.socket, host: str) -> socket.socket:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return context.wrap_socket(connection, server_hostname=host)
    except OSError as error:
        connection.close()
        raise CameraAway("does not speak TLS there: try rtsp:// or http://") from error
