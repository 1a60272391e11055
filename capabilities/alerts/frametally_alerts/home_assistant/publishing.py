"""Keeps a connection to each MQTT broker of the channels, and publishes the cameras' sensors there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from frametally.errors import FrametallyError
from frametally.process.retrying import OnceAMinute
from frametally.settings.loading import Settings
from frametally_alerts.channels.channel_kinds import AlertChannel
from frametally_alerts.conditions.round_input import RoundPorts
from frametally_alerts.home_assistant.discovery import (
    CONFIGURATIONS,
    OFFLINE,
    ONLINE,
    messages_of,
    state_topic_if_own,
    status_topic,
)

if TYPE_CHECKING:
    from frametally_alerts.home_assistant.camera_sensors import Camera

_EVERY_S = 30.0
_AFTER_FAILURE_S = 60.0


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
