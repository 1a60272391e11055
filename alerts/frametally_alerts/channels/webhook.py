"""Webhooks: an alert is posted, signed; whoever answers is read as far as the status, and no longer.

The address is looked up once, checked and dialled: what a name means a moment later counts for nothing.
Redirects are not followed. Each try has an end, however slowly bytes come.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit

from frametally.errors import Misconfigured, Poison, Retryable
from frametally.files.names import one_line
from frametally.process.allowed_addresses import AllowedPlaces
from frametally.process.dialling import connect
from frametally.settings.loading import Settings
from frametally_alerts.channels.channel_urls import AlertChannel
from frametally_alerts.channels.wording import payload_of
from frametally_alerts.rules import AlertMessage
from frametally_alerts.settings import AlertSettings

SIGNATURE = "Frametally-Signature"
_CONNECT_S = 5.0
_TRY_S = 15.0
_AGAIN_LATER = (408, 425, 429)
_REFUSED = (400, 413, 415, 422)
"""Answers that are about this one message."""


def sign(secret: str, time_s: int, body: bytes) -> str:
    """Return the header's value: `t=<seconds since 1970>,v1=<HMAC-SHA256 of "<t>.<body>", in hex>`."""
    mac = hmac.new(secret.encode(), f"{time_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={time_s},v1={mac}"


def trust(settings: Settings) -> ssl.SSLContext:
    """Return whose certificates are trusted. Raises `Misconfigured`."""
    file = settings.part(AlertSettings).alert_ca_file
    try:
        return ssl.create_default_context(cafile=None if file is None else str(file))
    except OSError as error:
        raise Misconfigured(
            f"FRAMETALLY_ALERT_CA_FILE={file}: {error.strerror or error}; name a PEM file"
        ) from error


def dial(channel: AlertChannel, settings: Settings) -> socket.socket:
    """Connect to a webhook or a broker, which is allowed to be where it is.

    Raises:
        Misconfigured: It is not allowed there; what is to be sent waits.
        Retryable: It is away.
    """
    allowed = AllowedPlaces(
        settings.part(AlertSettings).alert_allow,
        setting="FRAMETALLY_ALERT_ALLOW",
        what="alert channel",
        public=True,
    )
    try:
        return connect(channel.host, channel.port, allowed, timeout_s=_CONNECT_S)
    except Poison as error:
        raise Misconfigured(str(error)) from None


def send(message: AlertMessage, channel: AlertChannel, settings: Settings) -> str | None:
    """Post an alert.

    Raises:
        Poison: This one is refused for good.
        Retryable: It is away, or does not take it for now.
        Misconfigured: There is no secret to sign by, nothing may be posted there, or it lets us post nothing.
    """
    secret = settings.part(AlertSettings).alert_secret.get_secret_value()
    if not secret:
        raise Misconfigured("webhooks are signed: set FRAMETALLY_ALERT_SECRET, here and there")
    body = payload_of(message)
    parts = urlsplit(channel.url.get_secret_value())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "frametally",
        "Frametally-Message": message.id,
        SIGNATURE: sign(secret, int(time.time()), body),
        "Connection": "close",
    }
    raw = dial(channel, settings)
    connection = http.client.HTTPConnection(channel.host, channel.port)
    with _ended_after(raw, _TRY_S):
        try:
            raw.settimeout(_TRY_S)
            wrapped = (
                trust(settings).wrap_socket(raw, server_hostname=channel.host) if channel.by_tls else raw
            )
            connection.sock = wrapped
            path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
            connection.request("POST", path, body, headers)
            status = connection.getresponse().status
        except ssl.SSLCertVerificationError as error:
            raise Retryable(
                f"{channel.place}: its certificate is not trusted ({error.verify_message}): correct "
                "FRAMETALLY_ALERT_CA_FILE, the name, or the certificate"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            reason = one_line(getattr(error, "strerror", None) or str(error) or type(error).__name__)
            raise Retryable(f"{channel.place} did not answer within {_TRY_S:.0f} s ({reason})") from None
        finally:
            connection.close()
            raw.close()
    _judge(status, channel)
    return None


def _judge(status: int, channel: AlertChannel) -> None:
    if 200 <= status < 300:
        return
    if status in _REFUSED:
        raise Poison(f"{channel.place} refused it: {status}")
    if 300 <= status < 400:
        raise Misconfigured(
            f"{channel.place} answered {status}: redirects are not followed; name where it is"
        )
    if status in _AGAIN_LATER or status >= 500:
        raise Retryable(f"{channel.place} answered {status}")
    raise Misconfigured(
        f"{channel.place} answered {status}: correct its URL, or FRAMETALLY_ALERT_SECRET there"
    )


class _ended_after:  # noqa: N801 - read as a word
    """Ends a connection after a while, whoever waits for it, and whatever trickles in."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        # TLS takes the socket over; its end is the same through any of its descriptors.
        self._own = connection.dup()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._own.close()

    def _end(self) -> None:
        with suppress(OSError):
            self._own.shutdown(socket.SHUT_RDWR)
