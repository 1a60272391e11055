"""Cameras in Home Assistant by MQTT discovery, at a real broker (Debian's Mosquitto)."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from serving.needs import server
from tests.alerts.alert_place import DAY_MS, MINUTE_MS, AlertPlace, alert_place
from tests.alerts.test_alert_brokers import channel_url
from tests.fakes.records import make_manifest
from tests.kit.waiting import until

from frametally.live_records import LiveMinute, PictureDoubt
from frametally.records import encode
from frametally.rules.times import utc
from frametally_alerts.channels.channel_kinds import channels_of
from frametally_alerts.home_assistant import publishing
from frametally_alerts.home_assistant.camera_sensors import Camera, Reading, read_cameras
from frametally_alerts.home_assistant.publishing import HomeAssistant, messages_of
from frametally_live.book import LiveBook
from frametally_live.feed_records import Feed

HOSTILE = "a+#/\"{{ 1 + 1 }}'\n\x00$SYS"
PLAIN = "a+#/\"{{ 1 + 1 }}' $SYS"
"""Its displayed name: on one line, without control characters."""
NOW_MS = DAY_MS + 5 * MINUTE_MS + 20_000


@pytest.fixture
def broker() -> Mapping[str, str]:
    return server("mosquitto")


@pytest.fixture
def topic() -> str:
    return f"alerts/{secrets.token_hex(6)}"


@contextmanager
def retained(broker: Mapping[str, str]) -> Iterator[dict[str, bytes]]:
    """The broker's retained messages, live."""
    kept: dict[str, bytes] = {}

    def on_message(_: Any, __: Any, message: mqtt.MQTTMessage) -> None:
        if message.payload:
            kept[message.topic] = bytes(message.payload)
        else:
            kept.pop(message.topic, None)

    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(broker["USER"], broker["PASSWORD"])

    def on_connect(*_: Any) -> None:
        client.subscribe("#", qos=1)

    client.on_connect = on_connect
    client.on_message = on_message
    url = urlsplit(broker["URL"])
    client.connect(url.hostname or "", url.port or 0)
    client.loop_start()
    try:
        yield kept
    finally:
        client.disconnect()
        client.loop_stop()


@contextmanager
def camera_place(folder: Path, url: str) -> Iterator[AlertPlace]:
    """Two cameras: the gate has five counted minutes, and the other has no footage."""
    given: dict[str, Any] = {"alert_channels": json.dumps({"home": url}), "alert_allow": "127.0.0.1"}
    with alert_place(folder, **given) as place, closing(live_book(place)) as feeds:
        for source, name in (("gate", "Gate"), ("other", HOSTILE)):
            assert feeds.put_camera(Feed(f"c-{source}", "camera", source, name, address="rtsp://10.0.0.1/x"))
        place.count({0: 4, 1: 2, 2: 0, 3: 1, 4: 3})
        film_live(place, NOW_MS - 10_000)
        yield replace_now(place, NOW_MS)


def live_book(place: AlertPlace) -> LiveBook:
    return LiveBook(place.ports.settings.catalogue_url, place.ports.settings.catalogue_access)


def film_live(place: AlertPlace, until_ms: int, *doubts: PictureDoubt) -> None:
    manifest = make_manifest(
        9,
        media=f"{until_ms:064x}",
        source="gate",
        span_ms=(DAY_MS, until_ms),
        runs=[(DAY_MS, until_ms)],
        live=LiveMinute(session_ms=DAY_MS, minute_ms=DAY_MS, doubts=[*doubts]),
    )
    place.ports.store.put(manifest.key, encode(manifest))


def replace_now(place: AlertPlace, now_ms: int) -> AlertPlace:
    return replace(place, ports=replace(place.ports, now_ms=now_ms))


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each round publishes, also after a failure."""
    monkeypatch.setattr(publishing, "_EVERY_S", 0.0)
    monkeypatch.setattr(publishing, "_AFTER_FAILURE_S", 0.0)


def publish(home: HomeAssistant, place: AlertPlace) -> None:
    home.publish(channels_of(place.ports.settings).values(), place.ports)


def publish_until(home: HomeAssistant, place: AlertPlace, is_so: Callable[[], bool]) -> None:
    """Publish round after round, as `alerts run` does: a busy broker may acknowledge a message too late."""

    def is_so_after_a_round() -> bool:
        publish(home, place)
        return is_so()

    until(is_so_after_a_round)


def shown(kept: Mapping[str, bytes], topic: str, name: str) -> dict[str, tuple[str, Any]]:
    """Home Assistant's view of a camera: by sensor its state and its attributes."""
    sensors = {}
    for payload in [*kept.values()]:
        sensor = json.loads(payload) if payload.startswith(b"{") and b"availability_topic" in payload else {}
        state_topic = sensor.get("state_topic", "")
        if state_topic.startswith(topic) and state_topic in kept and sensor["device"]["name"] == name:
            state = json.loads(kept[state_topic])
            text = jinja2.Template(sensor["value_template"]).render(value_json=state)
            if kept.get(sensor["availability_topic"]) != b"online":
                text = "unavailable"
            sensors[sensor["name"]] = text, state["attributes"]
    return sensors


def gate_topics(kept: Mapping[str, bytes], topic: str) -> set[str]:
    """The topics about the gate from the frametally whose channel has this topic."""
    start = f"{topic}/homeassistant/frametally_gate_"
    return {name for name, payload in [*kept.items()] if name.startswith(start) or start.encode() in payload}


@pytest.mark.services
@pytest.mark.usefixtures("no_pauses")
def test_a_camera_appears_with_known_numbers_and_with_reasons_for_the_others(
    tmp_path: Path, broker: Mapping[str, str], topic: str
) -> None:
    with retained(broker) as kept, camera_place(tmp_path, channel_url(broker, topic, tls=False)) as place:
        with closing(HomeAssistant(place.ports.settings, print)) as home:
            publish_until(home, place, lambda: len(shown(kept, topic, "Gate")) == 3)
            gate = shown(kept, topic, "Gate")
            assert gate["Picture"][0] == "recording"
            assert gate["Most at once in the last 10 minutes"][0] == "4"
            # The made-up counts were not tracked.
            assert (gate["Objects today"][0], gate["Objects today"][1]["reason"]) == ("None", "not_tracked")
            publish_until(home, place, lambda: len(shown(kept, topic, PLAIN)) == 3)
            for state, attributes in shown(kept, topic, PLAIN).values():
                assert state == "None"
                assert attributes["reason"]
        until(lambda: {state for state, _ in shown(kept, topic, "Gate").values()} == {"unavailable"})


@pytest.mark.services
@pytest.mark.usefixtures("no_pauses")
def test_a_camera_removed_while_nothing_runs_disappears_and_messages_of_others_stay(
    tmp_path: Path, broker: Mapping[str, str], topic: str
) -> None:
    with (
        retained(broker) as kept,
        camera_place(tmp_path / "a", channel_url(broker, topic, tls=False)) as place,
        camera_place(tmp_path / "b", channel_url(broker, f"{topic}/b", tls=False)) as neighbour,
        closing(HomeAssistant(neighbour.ports.settings, print)) as home_of_neighbour,
    ):
        publish_until(home_of_neighbour, neighbour, lambda: len(gate_topics(kept, f"{topic}/b")) == 6)
        with closing(HomeAssistant(place.ports.settings, print)) as home:
            publish_until(home, place, lambda: len(gate_topics(kept, topic)) == 6)
        with closing(live_book(place)) as feeds:
            assert feeds.remove_feed("c-gate")
        with closing(HomeAssistant(place.ports.settings, print)) as home:
            publish_until(home, place, lambda: not gate_topics(kept, topic))
            until(lambda: len(shown(kept, f"{topic}/homeassistant", PLAIN)) == 3)
        assert len(gate_topics(kept, f"{topic}/b")) == 6


@pytest.mark.services
def test_a_killed_process_leaves_its_sensors_unavailable(
    tmp_path: Path, broker: Mapping[str, str], topic: str
) -> None:
    with retained(broker) as kept, camera_place(tmp_path, channel_url(broker, topic, tls=False)) as place:
        settings = place.ports.settings
        environment = {
            "FRAMETALLY_ALERT_CHANNELS": json.dumps({"home": channel_url(broker, topic, tls=False)}),
            "FRAMETALLY_ALERT_ALLOW": "127.0.0.1",
            "PATH": "/usr/bin:/bin",
        }
        command = [sys.executable, "-m", "frametally", "alerts", "run", "--every", "1s"]
        process = subprocess.Popen(
            [*command, "--data-dir", str(settings.data_dir)], env=environment, cwd=tmp_path
        )
        try:
            until(lambda: len(shown(kept, topic, "Gate")) == 3)
            assert "unavailable" not in {state for state, _ in shown(kept, topic, "Gate").values()}
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        until(lambda: {state for state, _ in shown(kept, topic, "Gate").values()} == {"unavailable"})


def test_black_and_old_pictures_are_reported_and_old_counts_are_not_shown_as_current(tmp_path: Path) -> None:
    with camera_place(tmp_path, "mqtt://127.0.0.1:1/alerts") as place:
        film_live(place, NOW_MS - 5_000, PictureDoubt("black", NOW_MS - 60_000, NOW_MS - 5_000))
        gate = {camera.source: camera for camera in read_cameras(place.ports)}["gate"].readings
        assert (gate["picture"].value, gate["picture"].attributes["reason"]) == (
            "black",
            "the picture is black",
        )
        later = replace_now(place, NOW_MS + 60 * MINUTE_MS)
        gate = {camera.source: camera for camera in read_cameras(later.ports)}["gate"].readings
        assert gate["picture"].value is None
        assert gate["picture"].attributes["reason"] == "the newest picture is of 2026-01-01 00:05:15Z"
        assert gate["occupancy"] == Reading(None, {"reason": "no_footage"})


def test_todays_objects_match_the_chart_and_a_filmed_picture_without_any_is_0(tmp_path: Path) -> None:
    with camera_place(tmp_path, "mqtt://127.0.0.1:1/alerts") as place:
        place.objects({0: (3, 9, 9), 1: (2, 4, 4), 4: (0, 0, 0)})
        gate = {camera.source: camera for camera in read_cameras(place.ports)}["gate"].readings
        assert gate["objects_today"].value == 5
        assert gate["objects_today"].attributes["by_label"] == {"car": 5}
        assert "unknown_by_label" not in gate["objects_today"].attributes
        place.objects({0: (3, 9, 9)}, fast=2)
        gate = {camera.source: camera for camera in read_cameras(place.ports)}["gate"].readings
        unknown = {"reason": "too_fast", "at_least": 3}
        assert gate["objects_today"].attributes["unknown_by_label"] == {"car": unknown}
        assert gate["objects_today"].attributes.items() >= unknown.items()
        place.objects({1: (0, 0, 0)})
        gate = {camera.source: camera for camera in read_cameras(place.ports)}["gate"].readings
        assert (gate["objects_today"].value, gate["occupancy"].value) == (0, 0)


def test_numbers_are_counted_up_to_the_last_picture_and_never_into_the_future(tmp_path: Path) -> None:
    with camera_place(tmp_path, "mqtt://127.0.0.1:1/alerts") as place:
        place.count({0: 4, 5: 3})  # the minute of the last picture is not over
        gate = {camera.source: camera for camera in read_cameras(place.ports)}["gate"].readings
        for name in ("objects_today", "occupancy"):
            assert gate[name].attributes["counted_until"] == utc(NOW_MS - 10_000), name


@pytest.mark.parametrize("source", ["gate", "a+#/b", '"', "..", "$SYS", "x" * 5000, ""])
def test_names_never_get_into_topics_and_two_installations_share_no_topic_at_a_broker(source: str) -> None:
    readings = dict.fromkeys(
        ("picture", "objects_today", "occupancy"), Reading(None, {"reason": "no_footage"})
    )
    camera = Camera(source, f"{source}{HOSTILE}", readings)
    first, second = messages_of(camera, "alerts"), messages_of(camera, "home/alerts")
    assert len(first) == 6
    assert not first.keys() & second.keys()
    for name, payload in first.items():
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-/")
        assert len(name) < 200
        if not name.endswith("/config"):
            assert json.loads(payload) == {"value": None, "attributes": {"reason": "no_footage"}}


def test_an_unavailable_broker_stops_no_round_and_gives_one_line(tmp_path: Path) -> None:
    lines: list[str] = []
    with (
        camera_place(tmp_path, "mqtt://127.0.0.1:1/alerts") as place,
        closing(HomeAssistant(place.ports.settings, lines.append)) as home,
    ):
        publish(home, place)
        publish(home, place)
    assert len(lines) == 1
    assert "cameras for Home Assistant: is not responding at 127.0.0.1:1" in lines[0]
