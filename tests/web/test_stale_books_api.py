"""After a long time without queries, no old answer and no old failure passes for a current one."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from tests.kit.waiting import until
from tests.web.browser import Place
from tests.web.counted_footage import make_lines, publish_lines

from frametally.books import status
from frametally.errors import Retryable
from frametally_web.books import reader


class Reading:
    """Reads the books, fails, or hangs; counts how often."""

    def __init__(self, read: Callable[..., Any]) -> None:
        self.read = read
        self.fault: Exception | None = None
        self.free = threading.Event()
        self.free.set()
        self.times = 0

    def __call__(self, *ports: Any) -> Any:
        self.times += 1
        self.free.wait(60)
        if self.fault is not None:
            raise self.fault
        return self.read(*ports)


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Reading:
    made = Reading(status.read_status)
    monkeypatch.setattr(reader, "read_status", made)
    return made


@pytest.fixture
def client(place: Place) -> FlaskClient:
    return place.app(status_s=0.05).test_client()


AWAY = (
    r"The frame store is not responding at the moment\. "
    r"It has been unavailable since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\."
)


def rest() -> None:
    """Let earlier reads grow old."""
    time.sleep(0.5)


def test_a_past_failure_is_not_reported_again(
    client: FlaskClient, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_REST_PER_WORK", 0)
    monkeypatch.setattr(reader, "_FRESH_READING_S", 60.0)
    reading.fault = Retryable("s3://frames could not be listed", part="frame store")
    refused = client.get("/api/v1/status")
    assert refused.status_code == 503
    assert re.fullmatch(AWAY, refused.json["detail"])
    reading.fault = None
    rest()
    assert client.get("/api/v1/status").status_code == 200


def test_an_old_failure_shows_its_time_while_the_books_are_read_again(
    client: FlaskClient, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_REST_PER_WORK", 0)
    monkeypatch.setattr(reader, "_FRESH_READING_S", 0.1)
    reading.fault = Retryable("s3://frames could not be listed", part="frame store")
    assert client.get("/api/v1/status").status_code == 503
    rest()
    reading.free.clear()
    refused = client.get("/api/v1/status")
    reading.free.set()
    assert refused.status_code == 503
    assert re.fullmatch(
        r"At \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, reading the books failed: "
        rf"{AWAY} frametally is reading them again\.",
        refused.json["detail"],
    )


def test_a_client_that_asks_once_a_minute_gets_the_current_books(
    place: Place, client: FlaskClient, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_REST_PER_WORK", 0)
    monkeypatch.setattr(reader, "_FRESH_READING_S", 60.0)
    assert client.get("/api/v1/status").json["sources"] == []
    publish_lines(place, make_lines("gate", frames=12))
    rest()
    assert [one["detected"] for one in client.get("/api/v1/status").json["sources"]] == [12]


def test_a_slow_first_reading_says_so(
    client: FlaskClient, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_FIRST_READING_S", 0.1)
    monkeypatch.setattr(reader, "_LONG_READING_S", 0.2)
    reading.free.clear()
    first = client.get("/api/v1/status").json["detail"]
    rest()
    later = client.get("/api/v1/status").json["detail"]
    reading.free.set()
    assert first == "frametally is reading the books for the first time."
    assert re.fullmatch(
        r"frametally has been reading the books for \d+ s: a server, such as that of the frame store, "
        r"may not be responding\.",
        later,
    )


def test_an_outage_is_one_line_a_minute_in_the_log_and_one_more_at_its_end(
    client: FlaskClient, reading: Reading, caplog: pytest.LogCaptureFixture
) -> None:
    reading.fault = Retryable("the ledger refuses", part="ledger")

    def lines() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == reader.__name__]

    def is_read_again(times: int) -> bool:
        client.get("/api/v1/status")
        return reading.times >= times

    until(lambda: is_read_again(4))
    assert lines() == ["frametally cannot read the books: the ledger refuses"]
    reading.fault = None
    until(lambda: client.get("/api/v1/status").status_code == 200)
    assert lines()[1:] == ["frametally reads the books again"]
