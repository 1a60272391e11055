"""Publishes alerts to an MQTT topic; they are sent once the broker has acknowledged them (QoS 1)."""

from __future__ import annotations

import socket
import threading
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from frametally.errors import Misconfigured, Retryable
from frametally.files.names import one_line
from frametally.settings.loading import Settings
from frametally.trust import trust
from frametally_alerts.channels.channel_kinds import AlertChannel
from frametally_alerts.channels.webhook import dial
from frametally_alerts.channels.wording import payload_of
from frametally_alerts.rules import AlertMessage

_TRY_S = 15.0


class _Client(mqtt.Client):
    """A client that connects to the checked address."""

    def __init__(self, channel: AlertChannel, settings: Settings) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        self._dialled = channel, settings

    def _create_socket_connection(self) -> socket.socket:
        channel, settings = self._dialled
        raw = dial(channel, settings)
        if not channel.by_tls:
            return raw
        try:
            return trust(settings.ca_file).wrap_socket(raw, server_hostname=channel.host)
        except BaseException:
            raw.close()
            raise


def send(message: AlertMessage, channel: AlertChannel, settings: Settings) -> str | None:
    """Publish an alert to the channel's topic.

    Raises:
        Retryable: The broker is down, or does not acknowledge the alert.
        Misconfigured: The broker refuses the password, or its address is not allowed.
    """
    client = _Client(channel, settings)
    if channel.user:
        client.username_pw_set(channel.user, channel.password)
    answer_event = threading.Event()
    refusals: list[str] = []

    def on_connect(_: Any, __: Any, ___: Any, reason: ReasonCode, ____: Any) -> None:
        if reason.is_failure:
            refusals.append(str(reason))
        answer_event.set()

    client.on_connect = on_connect
    try:
        client.connect(channel.host, channel.port, keepalive=30)
        client.loop_start()
        if not answer_event.wait(_TRY_S):
            raise Retryable(f"{channel.place} did not respond within {_TRY_S:.0f} s")
        if refusals:
            raise Misconfigured(
                f"{channel.place} refused the connection ({one_line(refusals[0])}): correct the user name "
                "and the password in FRAMETALLY_ALERT_CHANNELS"
            )
        topic = unquote(urlsplit(channel.url.get_secret_value()).path[1:])
        published = client.publish(topic, payload_of(message), qos=1)
        published.wait_for_publish(_TRY_S)
        if not published.is_published():
            raise Retryable(f"{channel.place} did not acknowledge the message within {_TRY_S:.0f} s")
    except (OSError, ValueError, RuntimeError) as error:
        reason = one_line(getattr(error, "strerror", None) or str(error) or type(error).__name__)
        raise Retryable(
            f"{channel.place} cannot be used ({reason}): check its URL, and that it is running"
        ) from None
    finally:
        client.disconnect()
        client.loop_stop()
    return None
