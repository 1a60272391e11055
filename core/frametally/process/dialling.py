"""Connections to what may be where it is: looked up once, checked, and connected to at that address."""

from __future__ import annotations

import socket

from frametally.errors import Retryable
from frametally.process.allowed_addresses import AllowedPlaces


class PlaceAway(Retryable):
    """Nothing answers there for now."""


def connect(host: str, port: int, allowed: AllowedPlaces, *, timeout_s: float) -> socket.socket:
    """Connect to `host`, which is allowed to be where it is: to the very addresses that were checked.

    Raises:
        Poison: It is where nothing of its kind may be.
        PlaceAway: It is not there.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise PlaceAway(f"no address is known of {host}: check the name") from error
    places = list(dict.fromkeys(str(one[4][0]) for one in found))
    allowed.check(host, places)
    failure: OSError | None = None
    for place in places:
        try:
            return socket.create_connection((place, port), timeout_s)
        except OSError as error:
            failure = error
    reason = failure.strerror if failure is not None and failure.strerror else str(failure)
    raise PlaceAway(f"does not answer at {host}:{port} ({reason.lower()})")
