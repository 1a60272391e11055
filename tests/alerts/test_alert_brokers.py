"""Alerts by MQTT, to a real broker (Debian's Mosquitto)."""

from __future__ import annotations

import json
import queue
import secrets
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from serving.needs import server
from tests.alerts.alert_place import AlertPlace, waiting_alert

from frametally_alerts.channels import mqtt_channel
from frametally_alerts.channels.delivery import AlertSender, SentReport

HEARD_WITHIN_S = 30.0


@pytest.fixture
def broker() -> Mapping[str, str]:
    return server("mosquitto")


@contextmanager
def hearing(broker: Mapping[str, str], topic: str) -> Iterator[queue.Queue[bytes]]:
    heard: queue.Queue[bytes] = queue.Queue()
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(broker["USER"], broker["PASSWORD"])
    subscribed: queue.Queue[None] = queue.Queue()

    def on_connect(*_: Any) -> None:
        client.subscribe(topic, qos=1)

    client.on_connect = on_connect
    client.on_subscribe = lambda *_: subscribed.put(None)
    client.on_message = lambda _, __, message: heard.put(bytes(message.payload))
    url = urlsplit(broker["URL"])
    client.connect(url.hostname or "", url.port or 0)
    client.loop_start()
    try:
        subscribed.get(timeout=HEARD_WITHIN_S)
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


@contextmanager
def published(folder: Path, url: str, **settings: Any) -> Iterator[tuple[AlertPlace, AlertSender, list[str]]]:
    given = {"alert_channels": json.dumps({"ops": url}), "alert_allow": "127.0.0.1", **settings}
    with waiting_alert(folder, **given) as waiting:
        yield waiting


def channel_url(broker: Mapping[str, str], topic: str, *, tls: bool, password: str | None = None) -> str:
    url = urlsplit(broker["TLS_URL" if tls else "URL"])
    word = quote(broker["PASSWORD"] if password is None else password, safe="")
    return f"{url.scheme}://{broker['USER']}:{word}@{url.netloc}/{topic}"


@pytest.mark.services
@pytest.mark.parametrize("tls", [False, True])
def test_an_alert_is_published_once_and_acknowledged(
    tmp_path: Path, broker: Mapping[str, str], tls: bool
) -> None:
    topic = f"alerts/{secrets.token_hex(6)}"
    url = channel_url(broker, topic, tls=tls)
    ca_file = {"ca_file": Path(broker["CA_FILE"])} if tls else {}
    with hearing(broker, topic) as heard, published(tmp_path, url, **ca_file) as (place, sender, _):
        assert sender.send() == SentReport(sent=1)
        payload = json.loads(heard.get(timeout=HEARD_WITHIN_S))
        [message] = place.book.messages(9)[0]
    assert payload["id"] == message.id
    assert (payload["alert"]["value"], payload["alert"]["revision"]) == (4, 1)


@pytest.mark.services
def test_a_wrong_password_or_an_untrusted_certificate_is_reported_and_the_message_waits(
    tmp_path: Path, broker: Mapping[str, str]
) -> None:
    wrong = channel_url(broker, "alerts", tls=False, password="hunter2")  # noqa: S106
    untrusted = channel_url(broker, "alerts", tls=True)
    for name, url, says in (("a", wrong, "refused the connection"), ("b", untrusted, "cannot be used")):
        with published(tmp_path / name, url) as (place, sender, lines):
            assert sender.send() == SentReport(put_off=1)
            assert place.book.waiting() == {"ops": 1}
        assert says in lines[0]
        assert "hunter2" not in lines[0]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mqtt://127.0.0.1:1/alerts", "FRAMETALLY_ALERT_ALLOW"),
        ("mqtt://169.254.169.254/alerts", "frametally does not allow alert channels at"),
    ],
)
def test_a_broker_at_a_private_address_must_be_allowed(tmp_path: Path, url: str, says: str) -> None:
    with published(tmp_path, url, alert_allow="") as (place, sender, lines):
        assert sender.send() == SentReport(put_off=1)
        assert place.book.waiting() == {"ops": 1}
    assert says in lines[0]


def test_an_unavailable_broker_is_tried_again(tmp_path: Path) -> None:
    with published(tmp_path, "mqtt://127.0.0.1:1/alerts") as (place, sender, lines):
        assert sender.send() == SentReport(put_off=1)
        assert place.book.waiting() == {"ops": 1}
    assert "is not responding" in lines[0]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "answer", [b"", b"\x20\x02\x00\x00", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["nothing", "yes", "web"]
)
def test_a_broker_that_does_not_answer_or_acknowledge_is_left_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    """It accepts the connection, sends this answer (`yes` lets us in), and hangs."""
    monkeypatch.setattr(mqtt_channel, "_TRY_S", 1.0)
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def hang() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(answer)
            stop.wait()

    thread = threading.Thread(target=hang)
    thread.start()
    try:
        url = f"mqtt://127.0.0.1:{listener.getsockname()[1]}/alerts"
        with published(tmp_path, url) as (place, sender, lines):
            assert sender.send() == SentReport(put_off=1)
            assert place.book.waiting() == {"ops": 1}
        assert len(lines) == 1
        assert "\n" not in lines[0]
    finally:
        stop.set()
        thread.join()
        listener.close()
