"""Keeps a connection to each MQTT broker of the channels, and publishes the cameras' sensors there.

Home Assistant adds them by MQTT discovery. Source: "MQTT discovery" and "MQTT sensor" in its manual,
https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from frametally.errors import FrametallyError
from frametally.files.names import one_line
from frametally.keys import slug
from frametally.process.retrying import OnceAMinute
from frametally.settings.loading import Settings
from frametally_alerts.channels.channel_kinds import AlertChannel
from frametally_alerts.conditions.round_input import RoundPorts

if TYPE_CHECKING:
    from frametally_alerts.home_assistant.camera_sensors import Camera

CONFIGURATIONS = "homeassistant/sensor/+/+/config"
"""The filter of all sensors' configurations."""
_EVERY_S = 30.0
_AFTER_FAILURE_S = 60.0
ONLINE, OFFLINE = b"online", b"offline"
_SENSORS: dict[str, dict[str, str]] = {
    "picture": {"name": "Picture", "icon": "mdi:cctv"},
    "objects_today": {"name": "Objects today", "icon": "mdi:counter"},
    "occupancy": {
        "name": "Most at once in the last 10 minutes",
        "icon": "mdi:account-multiple",
        "state_class": "measurement",
    },
}


def status_topic(topic: str) -> str:
    """Return where frametally says whether it runs; `topic` is the channel's."""
    return f"{topic}/homeassistant/status"


def messages_of(camera: Camera, topic: str) -> dict[str, bytes]:
    """Return the messages about a camera by topic: each sensor's configuration, then its state.

    Only the slug, a-z, 0-9, `_` and `-`, and a hash are in topics, since a name may have any character. The
    hash keeps apart cameras of several frametallys at one broker, which have different topics.
    """
    source = slug(camera.source)
    digest = hashlib.sha256(f"{topic}\n{source}".encode()).hexdigest()
    node = f"frametally_{source}_{digest[:8]}"
    messages = {}
    for key, sensor in _SENSORS.items():
        state_topic = f"{topic}/homeassistant/{node}/{key}"
        configuration = {
            **sensor,
            "unique_id": f"{node}_{key}",
            "state_topic": state_topic,
            # Home Assistant shows the word None as unknown, and keeps the attributes.
            "value_template": "{{ value_json.value }}",
            "json_attributes_topic": state_topic,
            "json_attributes_template": "{{ value_json.attributes | tojson }}",
            "availability_topic": status_topic(topic),
            "device": {"identifiers": [node], "name": one_line(camera.name), "manufacturer": "frametally"},
            "origin": {"name": "frametally"},
        }
        messages[f"homeassistant/sensor/{node}/{key}/config"] = msgspec.json.encode(configuration)
        reading = camera.readings[key]
        state = {"value": reading.value, "attributes": {"reason": None, **reading.attributes}}
        messages[state_topic] = msgspec.json.encode(state)
    return messages


def state_topic_if_own(payload: bytes, topic: str) -> str | None:
    """Return the state topic in a configuration message of this frametally; None for other messages."""
    try:
        configuration: Any = msgspec.json.decode(payload)
    except msgspec.DecodeError:
        return None
    if not isinstance(configuration, dict) or configuration.get("availability_topic") != status_topic(topic):
        return None
    state_topic = configuration.get("state_topic")
    is_own = isinstance(state_topic, str) and state_topic.startswith(f"{topic}/homeassistant/")
    return state_topic if is_own else None


class HomeAssistant:
    """Publishes to the brokers, at most every 30 s; a broker that fails is tried again after a minute."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        """Connect to nothing yet; `say` gets at most one line about each broker a minute."""
        self._settings = settings
        self._say = OnceAMinute(say)
        self._brokers: dict[AlertChannel, _Broker] = {}
        self._due_s: dict[AlertChannel, float] = {}

    def publish(self, channels: Iterable[AlertChannel], ports: RoundPorts) -> None:
        """Publish the cameras to the MQTT channels that are due; leave the brokers of removed channels.

        Raises:
            Retryable: The cameras cannot be read.
        """
        brokers = [channel for channel in channels if channel.kind == "mqtt"]
        for channel in self._brokers.keys() - brokers:
            self._brokers.pop(channel).close()
        due = [channel for channel in brokers if time.monotonic() >= self._due_s.get(channel, 0.0)]
        if not due:
            return
        from frametally_alerts.home_assistant.camera_sensors import read_cameras  # charts

        cameras = read_cameras(ports)
        for channel in due:
            pause_s = _EVERY_S
            try:
                self._broker(channel).publish(cameras)
            except FrametallyError as error:
                pause_s = _AFTER_FAILURE_S
                self._say(channel.name, f"alerts: {channel.name}: cameras for Home Assistant: {error}")
                if broker := self._brokers.pop(channel, None):
                    broker.close()
            except ModuleNotFoundError as error:
                pause_s = _AFTER_FAILURE_S
                line = f"{error.name} is not installed; run pip install 'frametally[mqtt]'"
                self._say(channel.name, f"alerts: {channel.name}: {line}")
            self._due_s[channel] = time.monotonic() + pause_s

    def _broker(self, channel: AlertChannel) -> _Broker:
        if channel in self._brokers and not self._brokers[channel].is_connected:
            self._brokers.pop(channel).close()
        if channel not in self._brokers:
            self._brokers[channel] = _Broker(channel, self._settings)
        return self._brokers[channel]

    def close(self) -> None:
        """Say that frametally is off, and leave all brokers."""
        while self._brokers:
            self._brokers.popitem()[1].close()


class _Broker:
    """A connection with a will: if this process dies, Home Assistant shows its sensors as unavailable."""

    def __init__(self, channel: AlertChannel, settings: Settings) -> None:
        from frametally_alerts.channels import mqtt_channel  # of an extra

        self._mqtt = mqtt_channel
        self._channel = channel
        self._topic = mqtt_channel.topic_of(channel)
        self._status = status_topic(self._topic)
        self._state_topics: dict[str, str] = {}
        """The sensors of this frametally at the broker, by the topic of their configuration."""
        self._client = mqtt_channel.connect(channel, settings, will=(self._status, OFFLINE), hear=self._hear)
        self._client.subscribe(CONFIGURATIONS, qos=1)

    @property
    def is_connected(self) -> bool:
        return self._client.is_connected()

    def publish(self, cameras: Iterable[Camera]) -> None:
        """Publish all sensors, and remove those of cameras that are gone. Raises `Retryable`."""
        messages = {self._status: ONLINE}
        for camera in cameras:
            messages |= messages_of(camera, self._topic)
        for configuration, state_topic in [*self._state_topics.items()]:
            if configuration not in messages:
                messages |= {configuration: b"", state_topic: b""}
        for topic, payload in messages.items():
            self._send(topic, payload)

    def _hear(self, topic: str, payload: bytes) -> None:
        """Note a configuration that the broker keeps, also from before this process."""
        state_topic = state_topic_if_own(payload, self._topic)
        if state_topic is None:
            self._state_topics.pop(topic, None)
        else:
            self._state_topics[topic] = state_topic

    def close(self) -> None:
        with suppress(FrametallyError):  # the broker publishes the will
            if self.is_connected:
                self._send(self._status, OFFLINE)
        self._mqtt.leave(self._client)

    def _send(self, topic: str, payload: bytes) -> None:
        self._mqtt.publish(self._client, self._channel, topic, payload, retain=True)
