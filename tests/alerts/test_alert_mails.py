"""Alerts by mail, to a mail server by TLS and a password."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from tests.alerts.alert_place import AlertPlace, alert_place
from tests.fakes.smtp_server import PASSWORD, USER, Received, mail_server

from frametally.settings.fields import SecretStr
from frametally_alerts.channels import delivery
from frametally_alerts.channels.delivery import AlertSender, SentReport


@contextmanager
def mailed(folder: Path, url: str, **settings: Any) -> Iterator[tuple[AlertPlace, AlertSender, list[str]]]:
    lines: list[str] = []
    channels = json.dumps({"ops": "mailto:to@example.org,others@example.org"})
    with alert_place(folder, alert_channels=channels, smtp_url=url, **settings) as place:
        yield place, AlertSender(place.ports.settings, place.book, lines.append), lines


@pytest.mark.thorough
@pytest.mark.parametrize("tls", ["starttls", "smtps"])
def test_an_alert_is_mailed_over_tls_and_its_correction_is_threaded_below_it(
    tmp_path: Path, tls: Literal["starttls", "smtps"]
) -> None:
    received = Received()
    with mail_server(received, tmp_path, tls=tls) as (url, ca_file):
        access = {"smtp_user": USER, "smtp_password": SecretStr(PASSWORD), "ca_file": ca_file}
        with mailed(tmp_path, url, web_url="https://counts.example.org", **access) as (place, sender, _):
            place.rule("b\u00fcsy <b>", threshold=1)
            place.count({0: 4})
            place.look()
            assert sender.send() == SentReport(sent=1)
            place.count({0: 7})
            place.look()
            assert sender.send() == SentReport(sent=1)
    first, correction = received.mails
    assert first["Subject"] == "frametally: b\u00fcsy <b>: count (gate): 4 (threshold: at least 1)"
    assert (first["From"], first["To"]) == (USER, "to@example.org, others@example.org")
    assert first.get_content_type() == "text/plain"
    assert "https://counts.example.org/alerts" in first.get_content()
    assert (
        correction["Subject"]
        == "frametally: correction 1: b\u00fcsy <b>: count (gate): 7 (threshold: at least 1)"
    )
    assert correction["In-Reply-To"] == first["Message-ID"] != correction["Message-ID"]
    assert "Reported before: 4" in correction.get_content()
    assert received.users == [USER, USER]


def test_a_refused_receiver_is_recorded_and_the_others_get_the_mail(tmp_path: Path) -> None:
    received = Received()
    received.refused = {"others@example.org"}
    with mail_server(received, tmp_path) as (url, _), mailed(tmp_path, url) as (place, sender, _lines):
        place.rule(threshold=1)
        place.count({0: 4})
        place.look()
        assert sender.send() == SentReport(sent=1)
        [message] = place.book.messages(9)[0]
    assert message.reason is not None
    assert "others@example.org was refused" in message.reason


@pytest.mark.thorough
def test_a_hanging_mail_server_delays_no_other_channel_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_TRY_S", 1.0)
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def trickle() -> None:
        """A greeting that never ends, with no time-out between two bytes."""
        connection, _ = listener.accept()
        with connection:
            while not stop.wait(0.05):
                connection.sendall(b"220-x\r\n")

    thread = threading.Thread(target=trickle)
    thread.start()
    received = Received()
    try:
        with mailed(tmp_path, f"smtp://127.0.0.1:{listener.getsockname()[1]}") as (place, sender, lines):
            place.rule(threshold=1)
            place.count({0: 4})
            place.look()
            assert sender.send() == SentReport(put_off=1)
            assert "did not finish within 1 s" in lines[0]
            assert place.book.waiting() == {"ops": 1}
            # It is sent as soon as one works.
            with mail_server(received, tmp_path) as (url, _):
                monkeypatch.setattr(delivery, "_TRY_S", 60.0)
                mended = place.ports.settings.model_copy(update={"smtp_url": url})
                [message] = place.book.messages(9)[0]
                place.book.end(message, "queued")
                assert AlertSender(mended, place.book, lines.append).send() == SentReport(sent=1)
    finally:
        stop.set()
        thread.join()
        listener.close()
    assert len(received.mails) == 1
