"""New counts have a complete proof at once: the ledger knows all that the index has."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from tests.fakes.records import make_coverage
from tests.kit.away import Switched
from tests.web.conftest import Place
from tests.web.counted_footage import MINUTE_MS, MODEL, START_MS, make_lines, publish_lines

from frametally.errors import Retryable
from frametally.ports.count_index import CountQuery, Histogram
from frametally.ports.ledger import Ledger


def test_frames_counted_a_moment_ago_are_found(place: Place) -> None:
    lines = make_lines("gate", frames=60)
    publish_lines(place, lines[:24])
    client = place.app(status_s=3600).test_client()
    assert client.get("/api/frames").json["note"] is None
    publish_lines(place, lines)
    since = f"from={START_MS + 3 * MINUTE_MS}"
    page = client.get(f"/api/frames?{since}&limit=100").json
    assert page["note"] is None
    assert page["frames"][-1]["running_total"] == page["detections"] > 0
    evidence = client.get(f"/api/evidence?{since}").json
    assert [frame["note"] for frame in evidence["frames"]] == [None] * len(evidence["frames"])


def test_a_proof_is_of_one_state_of_the_counts_whatever_is_published_meanwhile(place: Place) -> None:
    publish_lines(place, make_lines("gate", frames=60))
    client = place.app(status_s=3600).test_client()
    before = client.get("/api/frames?limit=100&empty=1").json

    def publish_meanwhile(query: CountQuery) -> Histogram:
        del vars(place.index)["histogram"]
        histogram = place.real_index.histogram(query)
        first_alone = make_coverage(START_MS, 12, model=MODEL, source="gate", interval_s=60)
        place.publish([], [first_alone], interval_s=60, model=MODEL)
        return histogram

    vars(place.index)["histogram"] = publish_meanwhile
    meanwhile = client.get("/api/frames?limit=100&empty=1").json
    assert meanwhile == before
    assert client.get("/api/frames?limit=100&empty=1").json != before


class HeldLedger:
    """A ledger that tests can delay and break while it reads the store."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.free = threading.Event()
        self.free.set()
        self.error: Exception | None = None
        self.refreshed = 0

    def refresh(self, *args: Any) -> Any:
        self.refreshed += 1
        assert self.free.wait(60)
        if self.error is not None:
            raise self.error
        return self._ledger.refresh(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


@pytest.mark.thorough
@pytest.mark.parametrize("route", ["frames", "evidence", f"gap?source=gate&at={START_MS - 1}"])
def test_a_proof_that_cannot_be_complete_yet_is_a_503_that_says_why(place: Place, route: str) -> None:
    lines = make_lines("gate", frames=60)
    publish_lines(place, lines[:24])
    place.ledger = held = HeldLedger(place.ledger)
    client = place.app(status_s=3600, web_query_timeout_s=3).test_client()
    assert client.get(f"/api/{route}").status_code == 200
    held.free.clear()
    publish_lines(place, lines)
    answer = client.get(f"/api/{route}")
    held.free.set()
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert answer.json["detail"] == "frametally is still looking up the frames of the latest counts."


def test_a_ledger_that_could_not_be_updated_to_the_counts_proves_nothing_until_it_is(
    place: Place,
) -> None:
    lines = make_lines("gate", frames=60)
    publish_lines(place, lines[:24])
    place.ledger = held = HeldLedger(place.ledger)
    client = place.app(status_s=3600).test_client()
    assert client.get("/api/frames").status_code == 200
    held.error = Retryable("the store is away")
    publish_lines(place, lines)
    assert client.get("/api/frames").status_code == 503
    held.error = None
    page = client.get("/api/frames?limit=100").json
    assert page["frames"][-1]["running_total"] == page["detections"] > 0


def test_without_a_log_there_are_no_books_but_frames_can_still_be_found(place: Place) -> None:
    log, place.log = place.log, Switched(place.log, Retryable("the log is away"))
    lines = make_lines("gate", frames=60)
    publish_lines(place, lines[:24])
    place.ledger = held = HeldLedger(place.ledger)
    client = place.app(status_s=3600).test_client()
    place.log = log
    assert client.get("/api/status").status_code == 503
    assert held.refreshed == 1  # by the reading that failed
    for some in (24, 60):
        publish_lines(place, lines[:some])
        page = client.get("/api/frames?limit=100").json
        assert page["frames"][-1]["running_total"] == page["detections"] > 0


def test_counts_that_grow_faster_than_they_are_read_can_still_be_proved(place: Place) -> None:
    class Growing:
        versions = 0

        def version(self) -> str:
            self.versions += 1
            return f"{place.real_index.version()}-{self.versions}"

        def __getattr__(self, name: str) -> Any:
            return getattr(place.real_index, name)

    publish_lines(place, make_lines("gate", frames=60))
    place.index = Growing()  # type: ignore[assignment]
    page = place.app().test_client().get("/api/frames?limit=100").json
    assert page["frames"][-1]["running_total"] == page["detections"] > 0


@pytest.mark.thorough
def test_a_file_waits_for_its_sources_names_and_never_guesses_them(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally_web.books.reader._FIRST_READING_S", 0.1)
    publish_lines(place, make_lines("gate", frames=60))
    place.ledger = held = HeldLedger(place.ledger)
    client = place.app(web_query_timeout_s=3).test_client()
    held.free.clear()
    refused = client.get("/api/export")
    held.free.set()
    assert refused.status_code == 503
    assert refused.json["detail"] == "frametally is reading the names of the sources for the first time."
    assert client.get("/api/export").status_code == 200
