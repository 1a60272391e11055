"""More sources than one query may name: a query without a choice of sources is still answered."""

from __future__ import annotations

from typing import Any

import pytest
from tests.web.conftest import START_MS as FILMED_MS
from tests.web.conftest import Place
from tests.web.counted_footage import START_MS, make_lines, publish_lines

from frametally.process.reports import NoProgress

pytestmark = pytest.mark.thorough


SOURCES = 1_100


@pytest.fixture
def crowded(place: Place) -> Place:
    lines = [
        line
        for number in range(SOURCES)
        for line in make_lines(
            f"camera-{number:04d}", frames=2, seed=number, start_ms=START_MS + number % 60 * 60_000
        )
    ]
    publish_lines(place, lines, in_segments_of=400)
    place.ledger.refresh(place.store, NoProgress())  # nothing here depends on the duration
    return place


def test_charts_and_proofs_of_all_sources_together_are_answered_and_add_up(crowded: Place) -> None:
    client = crowded.app().test_client()

    def get(address: str) -> Any:
        answer = client.get(f"/api/v1/{address}")
        assert answer.status_code == 200, answer.text
        return answer.json

    assert len(get("sources")["sources"]) == SOURCES
    cars = next(total for total in get("counts")["totals"] if total["label"] == "car")["detections"]
    assert cars > 1_000
    assert get("heatmap?label=car")["cells"]
    assert get("evidence?label=car")["frames"]
    assert get("objects?label=car") is not None
    shown, cursor = 0, ""
    while True:
        page = get(f"frames?label=car&limit=100&cursor={cursor}")
        shown += sum(frame["count"] for frame in page["frames"])
        assert page["note"] is None
        if page["next"] is None:
            break
        cursor = page["next"]
    assert shown == page["detections"] == cars


def test_each_source_shows_its_own_first_and_last_interval(crowded: Place) -> None:
    for number, source in enumerate(crowded.app().test_client().get("/api/v1/sources").json["sources"]):
        assert source["source"] == f"camera-{number:04d}"
        assert source["first_interval_ms"] == START_MS + number % 60 * 60_000
        assert source["next_interval_ms"] == source["first_interval_ms"] + 60_000


def test_frames_of_one_source_query_the_index_once_for_any_number_of_intervals(place: Place) -> None:
    also = place.film({"car": 3}, source="yard", intervals=24)
    place.film({"car": 3}, source="gate", intervals=24, also=also)
    client = place.app().test_client()
    asked = []
    for to_ms in (FILMED_MS + 10_000, FILMED_MS + 110_000):
        place.index.asked.clear()
        query = f"source=gate&from={FILMED_MS}&to={to_ms}&limit=100&empty=1"
        assert client.get(f"/api/v1/frames?{query}").json["frames"]
        asked.append(place.index.asked.count("histogram"))
    assert asked[0] == asked[1]
