"""Publishes alerts to an MQTT topic; they are sent once the broker has acknowledged them (QoS 1)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


def connect(
    channel: AlertChannel,
    settings: Settings,
    *,
    will: tuple[str, bytes] | None = None,
    hear: Callable[[str, bytes], None] = lambda _, __: None,
) -> mqtt.Client:
    """Return a client that the broker has let in; `leave` it at the end.

    Args:
        channel: The channel at the broker.
        settings: Say which addresses are allowed, and which authorities are trusted.
        will: The topic and the payload that the broker keeps if this process dies.
        hear: Called in a thread of the client with topic and payload of each message that it subscribed to.

    Raises:
        Retryable: The broker is down.
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
    client.on_message = lambda _, __, message: hear(message.topic, bytes(message.payload))
    try:
        with _explained(channel):
            if will is not None:
                client.will_set(*will, qos=1, retain=True)
            client.connect(channel.host, channel.port, keepalive=30)
            client.loop_start()
        if not answer_event.wait(_TRY_S):
            raise Retryable(f"{channel.place} did not respond within {_TRY_S:.0f} s")
        if refusals:
            raise Misconfigured(
                f"{channel.place} refused the connection ({one_line(refusals[0])}): correct the user name "
                "and the password in FRAMETALLY_ALERT_CHANNELS"
            )
    except BaseException:
        leave(client)
        raise
    return client


def publish(
    client: mqtt.Client, channel: AlertChannel, topic: str, payload: bytes, *, retain: bool = False
) -> None:
    """Publish a message, and wait until the broker has acknowledged it; `retain`: it keeps the newest.

    Raises:
        Retryable: The broker is down, or does not acknowledge the message.
    """
    with _explained(channel):
        published = client.publish(topic, payload, qos=1, retain=retain)
        published.wait_for_publish(_TRY_S)
        if not published.is_published():
            raise Retryable(f"{channel.place} did not acknowledge the message within {_TRY_S:.0f} s")


def leave(client: mqtt.Client) -> None:
    """Disconnect, and end the client's thread."""
    client.disconnect()
    client.loop_stop()


def topic_of(channel: AlertChannel) -> str:
    """Return the topic of a channel."""
    return unquote(urlsplit(channel.url.get_secret_value()).path[1:])


@contextmanager
def _explained(channel: AlertChannel) -> Iterator[None]:
    """Raise the client's errors as `Retryable`."""
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        reason = one_line(getattr(error, "strerror", None) or str(error) or type(error).__name__)
        raise Retryable(
            f"{channel.place} cannot be used ({reason}): check its URL, and that it is running"
        ) from None


def send(message: AlertMessage, channel: AlertChannel, settings: Settings) -> str | None:
    """Publish an alert to the channel's topic.

    Raises:
        Retryable: The broker is down, or does not acknowledge the alert.
        Misconfigured: The broker refuses the password, or its address is not allowed.
    """
    client = connect(channel, settings)
    try:
        publish(client, channel, topic_of(channel), payload_of(message))
    finally:
        leave(client)
    return None
