"""Posts signed alerts to webhooks, and reads only the status of the answer.

The address is looked up once, checked, and used, so later changes of the name have no effect. Redirects are
not followed. Each attempt has a time limit, however slowly bytes arrive.
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
from frametally.process.allowed_addresses import connect
from frametally.settings.loading import Settings
from frametally.trust import trust
from frametally_alerts.channels.channel_kinds import AlertChannel, allowed_places
from frametally_alerts.channels.wording import payload_of
from frametally_alerts.rules import AlertMessage
from frametally_alerts.settings import AlertSettings

SIGNATURE = "Frametally-Signature"
_CONNECT_S = 5.0
_TRY_S = 15.0
_AGAIN_LATER = (408, 425, 429)
_REFUSED = (400, 413, 415, 422)
"""Statuses that reject this message only."""


def sign(secret: str, time_s: int, body: bytes) -> str:
    """Return the header's value: `t=<seconds since 1970>,v1=<HMAC-SHA256 of "<t>.<body>", in hex>`."""
    mac = hmac.new(secret.encode(), f"{time_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={time_s},v1={mac}"


def dial(channel: AlertChannel, settings: Settings) -> socket.socket:
    """Connect to a webhook or a broker, if its address is allowed.

    Raises:
        Misconfigured: The address is not allowed; messages wait.
        Retryable: It is down.
    """
    try:
        return connect(channel.host, channel.port, allowed_places(settings), timeout_s=_CONNECT_S)
    except Poison as error:
        raise Misconfigured(str(error)) from None


def send(message: AlertMessage, channel: AlertChannel, settings: Settings) -> str | None:
    """Post an alert.

    Raises:
        Poison: The webhook refuses this alert permanently.
        Retryable: The webhook is down, or does not accept alerts now.
        Misconfigured: There is no secret to sign with, its address is not allowed, or it refuses our posts.
    """
    secret = settings.part(AlertSettings).alert_secret.get_secret_value()
    if not secret:
        raise Misconfigured("frametally signs webhooks: set FRAMETALLY_ALERT_SECRET here and at the receiver")
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
                trust(settings.ca_file).wrap_socket(raw, server_hostname=channel.host)
                if channel.by_tls
                else raw
            )
            connection.sock = wrapped
            path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
            connection.request("POST", path, body, headers)
            status = connection.getresponse().status
        except ssl.SSLCertVerificationError as error:
            raise Retryable(
                f"{channel.place}: its certificate is not trusted ({error.verify_message}): correct "
                "FRAMETALLY_CA_FILE, the host name, or the certificate"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            reason = one_line(getattr(error, "strerror", None) or str(error) or type(error).__name__)
            raise Retryable(f"{channel.place} did not respond within {_TRY_S:.0f} s ({reason})") from None
        finally:
            connection.close()
            raw.close()
    _judge(status, channel)
    return None


def _judge(status: int, channel: AlertChannel) -> None:
    if 200 <= status < 300:
        return
    if status in _REFUSED:
        raise Poison(f"{channel.place} refused the alert: {status}")
    if 300 <= status < 400:
        raise Misconfigured(
            f"{channel.place} answered {status}, but frametally does not follow redirects; give the final URL"
        )
    if status in _AGAIN_LATER or status >= 500:
        raise Retryable(f"{channel.place} answered {status}")
    raise Misconfigured(
        f"{channel.place} answered {status}: correct its URL, or FRAMETALLY_ALERT_SECRET at the receiver"
    )


class _ended_after:  # noqa: N801 - read as a word
    """Ends a connection after a time, even while a thread waits for it or bytes trickle in."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        # TLS takes over the socket; shutting down any of its descriptors ends it.
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
