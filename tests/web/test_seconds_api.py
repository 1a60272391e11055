"""Short footage is charted by the second: seconds add up to the stored counts, and open onto their frames."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.examples import first_quick
from tests.hadoop.conftest import NOON_MS, Footage
from tests.web.conftest import Place
from tests.web.recounted import JPEG

from frametally.errors import Retryable
from frametally.process.reports import NoProgress
from frametally_search.indexer import index_runs

START_MS = NOON_MS + 3_400
"""Neither end of the footage is at a stored interval's border."""


class Street:
    """Cars that drive through the picture of a camera, and single buses; counted by the real job."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._footage = Footage(place.settings.data_dir, place.store)
        self._client = place.app().test_client()

    def film(self, *, seconds: int, fps: float, source: str = "gate", seed: int = 1) -> None:
        """Put frames; one in ten is missing, and there is a gap."""
        rng = random.Random(seed)  # noqa: S311
        frames = []
        for number in range(int(seconds * fps)):
            at_ms = START_MS + round(number * 1000 / fps)
            if seconds / 3 < number / fps < seconds / 2 or rng.random() < 0.1:
                continue
            since = [number - first for first in range(0, int(seconds * fps), 12)]
            boxes = [(5.0 + 20 * age, 100.0, 60.0, 40.0) for age in since if 0 <= age < 20]
            labels = ["car"] * len(boxes) + ["bus"] * (rng.random() < 0.2)
            boxes += [(400.0, 300.0, 90.0, 60.0)] * (len(labels) - len(boxes))
            frames.append(self._footage.frame(at_ms, *labels, source=source, index=number, boxes=boxes))
            self._place.store.put(frames[-1].image_path, JPEG)
        self._footage.segment(frames)

    def count(self, interval_s: int, **changed: Any) -> None:
        self._footage.aggregate(runner="inline", interval_s=interval_s, **changed)
        index_runs(store=self._place.store, index=self._place.real_index, progress=NoProgress())

    def get(self, path: str, *, status: int = 200, **asked: Any) -> Any:
        answer = self._client.get(f"/api/v1/{path}?{urlencode(asked)}")
        assert answer.status_code == status, answer.text
        return answer.json


@pytest.fixture
def street(place: Place) -> Street:
    return Street(place)


@pytest.mark.parametrize("base_s", first_quick([60, 3600]))
def test_footage_of_less_than_ten_minutes_is_charted_by_the_second(street: Street, base_s: int) -> None:
    street.film(seconds=570, fps=0.5)
    street.film(seconds=20, fps=5, source="yard")
    street.count(base_s)
    every = street.get("counts", source="yard")
    assert (every["interval_s"], every["base_interval_s"]) == (1, 1)
    assert (every["from_ms"], every["to_ms"]) == (NOON_MS + 3_000, NOON_MS + 24_000)
    # A source with a frame every two seconds has no bars without a frame.
    assert street.get("counts", source="gate")["interval_s"] == 2
    longer: dict[str, Any] = {"from": NOON_MS, "to": NOON_MS + 601_000, "source": "yard"}
    assert street.get("counts", **longer)["interval_s"] > 1
    assert street.get("counts", interval=base_s)["base_interval_s"] == base_s


@pytest.mark.thorough
@pytest.mark.parametrize("seed", first_quick(range(4)))
def test_seconds_add_up_to_the_stored_intervals_and_open_onto_their_frames(street: Street, seed: int) -> None:
    street.film(seconds=70, fps=5, seed=seed)
    street.film(seconds=30, fps=2 + seed, source="yard", seed=seed + 9)
    street.count([60, 20, 300, 3600][seed])
    queries: list[dict[str, Any]] = [{}, {"by": "source"}, {"source": "yard"}, {"label": "bus"}]
    for query in queries:
        seconds = street.get("counts", interval=1, **query)
        stored = street.get("counts", interval=[60, 20, 300, 3600][seed], **query)
        assert seconds["base_interval_s"] == 1 < stored["base_interval_s"]
        for one, whole in zip(seconds["totals"], stored["totals"], strict=True):
            assert one | {"tracked_detections": None} == whole | {"tracked_detections": None}
        assert summed(seconds["buckets"], stored) == summed(stored["buckets"], stored)
        assert seconds["frames"] == stored["frames"]
        filmed = [sum(one["covered_s"] for one in side["coverage"]) for side in (seconds, stored)]
        assert filmed[0] == pytest.approx(filmed[1], abs=0.01)
    rng = random.Random(seed)  # noqa: S311
    for bar in rng.sample(street.get("counts", interval=1)["buckets"], 5):
        behind = {"base": 1, "from": bar["start_ms"], "to": bar["start_ms"] + 1000, "label": bar["label"]}
        frames = street.get("frames", **behind)
        assert sum(one["count"] for one in frames["frames"]) == frames["detections"] == bar["detections"]
        assert max(one["count"] for one in frames["frames"]) == bar["peak"]
        assert frames["note"] is None
        assert street.get("objects", **behind)["objects"] == bar["objects"]
    (busiest,) = street.get("evidence", base=1, label="car")["frames"]
    assert busiest["count"] == max(one["peak"] for one in street.get("counts", label="car")["totals"])
    assert len(busiest["boxes"]) == busiest["count"]


def summed(buckets: list[dict[str, Any]], stored: dict[str, Any]) -> dict[object, tuple[object, ...]]:
    """The sums of each stored interval's bars."""
    sums: dict[object, Counter[str]] = {}
    peaks: Counter[object] = Counter()
    for one in buckets:
        start_ms = one["start_ms"] - one["start_ms"] % (stored["interval_s"] * 1000)
        place = one["source"], one["label"], start_ms
        sums.setdefault(place, Counter()).update(
            detections=one["detections"],
            # Of several sources together, a second may have only measured ones.
            objects=(one["source"] and (one["objects"] or one.get("followed_objects"))) or 0,
        )
        peaks[place] = max(peaks[place], one["peak"])
    return {place: (*sorted(of_place.items()), peaks[place]) for place, of_place in sums.items()}


def test_a_range_that_begins_within_a_stored_interval_has_only_its_own_frames(street: Street) -> None:
    street.film(seconds=60, fps=5)
    street.count(60)
    within = {"from": START_MS + 2_000, "to": START_MS + 7_000}
    found = street.get("counts", interval=60, **within)
    assert (found["base_interval_s"], found["frames"]) == (
        1,
        street.get("frames", **within)["frames_analysed"],
    )
    assert found["frames"] == sum(one["frames"] for one in street.get("counts", **within)["coverage"]) <= 25


def test_a_gap_within_a_stored_interval_is_explained_by_its_own_seconds(street: Street) -> None:
    street.film(seconds=20, fps=5)
    street.count(60)
    starts = [one["start_ms"] for one in street.get("counts")["coverage"]]
    (before, after) = next((a, b) for a, b in pairwise(starts) if b - a > 1000)
    hole = street.get("gap", source="gate", at=after - 500, base=1)
    assert (hole["from_ms"], hole["to_ms"]) == (before + 1000, after)
    for end, second_ms in (("before", before), ("after", after)):
        assert second_ms <= hole[end]["captured_at_ms"] < second_ms + 1000
    assert [one["kind"] for one in hole["reasons"]] == ["nothing_produced"]
    last = street.get("gap", source="gate", at=starts[-1] + 90_000, base=1)
    assert (last["from_ms"], last["to_ms"], last["after"]) == (starts[-1] + 1000, None, None)
    assert street.get("gap", source="gate", at=after, base=1, status=400)["parameter"] == "at"
    assert street.get("gap", source="gate", at=after - 500, status=400)["parameter"] == "at"


def test_footage_that_does_not_add_up_is_charted_by_the_stored_interval(place: Place, street: Street) -> None:
    street.film(seconds=20, fps=5)
    street.count(60)
    counted = street.get("counts")["frames"]
    street.film(seconds=30, fps=2, seed=2)  # detected, and not counted yet
    place.ledger.refresh(place.store, NoProgress())
    found = street.get("counts", top=1)
    assert (found["interval_s"], found["frames"]) == (60, counted)
    refused = street.get("counts", interval=1, status=400)
    assert (refused["parameter"], refused["instead"]) == ("interval", ["60"])
    assert street.get("frames", base=1, status=400)["parameter"] == "base"


def test_without_the_store_stored_intervals_are_shown_and_seconds_return_with_it(
    place: Place, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    street.film(seconds=20, fps=5)
    street.count(60)
    with monkeypatch.context() as away:
        away.setattr(place.ledger, "parts", fail)
        assert street.get("counts", top=2)["interval_s"] == 60
        assert street.get("counts", interval=1, status=503)["remedy"]
    assert street.get("counts", top=3)["interval_s"] == 1


def fail(*_: object, **__: object) -> None:
    raise Retryable("the ledger is away")
