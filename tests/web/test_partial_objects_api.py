"""If some footage was too slow to track, the measured part is shown, with its number of sources."""

from __future__ import annotations

from typing import Any

import pytest
from tests.kit.api import get
from tests.web.conftest import Place
from tests.web.counted_footage import MODEL, START_MS
from tests.web.test_export_comparison import rows_of

from frametally.records import Coverage, IntervalCount

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory, make_place: Any) -> Any:
    """A measured camera, one of single pictures, and one that was slow only in the first hour."""
    place = make_place(tmp_path_factory.mktemp("partial"))
    counts, coverage = [], []
    for source, hour, persons, boxes, tracked, from_start in (
        ("gate", 0, 3, 30, 30, 2),
        ("gate", 1, 5, 30, 30, 0),
        ("lapse", 0, None, 9, None, None),
        ("lapse", 1, None, 9, None, None),
        ("yard", 0, None, 20, None, None),
        ("yard", 1, 7, 20, 18, 6),
    ):
        at: dict[str, Any] = {
            "model": MODEL,
            "source": source,
            "interval_s": 60,
            "interval_start_ms": START_MS + hour * HOUR_MS,
            "frames": 10,
        }
        counts.append(
            IntervalCount(
                **at,
                label="person",
                detections=boxes,
                peak=2,
                objects=persons,
                tracked_detections=tracked,
                objects_from_start=from_start,
                evidence=[],
            )
        )
        weak = None if persons is None else 0
        counts.append(
            IntervalCount(
                **at, label="bag", detections=4, peak=1, objects=weak, tracked_detections=weak, evidence=[]
            )
        )
        coverage.append(
            Coverage(**at, objects=persons, analysed_fps=5.0 if persons else 0.0, covered_ms=2000)
        )
    place.publish(counts, coverage, interval_s=60, model=MODEL)
    yield place
    place.close()


@pytest.mark.parametrize("interval_s", [60, 900, 3600, 86_400])
def test_measured_objects_are_shown_with_any_bars(mixed: Place, interval_s: int) -> None:
    answer = get(mixed, f"counts?label=person&interval={interval_s}")
    [total] = answer["totals"]
    assert (total["objects"], total["objects_missing"], total["measured_objects"]) == (None, "too_slow", 15)
    assert sum(one["measured_objects"] for one in answer["buckets"]) == 15
    assert {one["objects"] for one in answer["buckets"]} == {None}
    assert answer["objects_measured_in"] == {"sources": 2, "of_sources": 3}


def test_an_hour_of_the_week_has_the_measured_part_of_the_bars_in_it(mixed: Place) -> None:
    for labels, together in (("label=person&", ""), ("", "top=0&")):
        bars = get(mixed, f"counts?{labels}{together}interval=3600&timezone=UTC")["buckets"]
        cells = get(mixed, f"heatmap?{labels}timezone=UTC")["cells"]
        assert [
            (cell["objects"], cell["objects_missing"], cell.get("measured_objects")) for cell in cells
        ] == [(bar["objects"], bar["objects_missing"], bar.get("measured_objects")) for bar in bars]
        assert {cell["objects_missing"] for cell in cells} == {"too_slow"}
        assert sum(cell["measured_objects"] for cell in cells) == 15


def test_a_fully_known_number_shows_no_measured_part(mixed: Place) -> None:
    answer = get(mixed, "counts?label=person&by=source&interval=3600")
    assert [(one["source"], one["objects"], one.get("measured_objects")) for one in answer["totals"]] == [
        ("gate", 8, None),
        ("lapse", None, None),
        ("yard", None, 7),
    ]
    assert get(mixed, "counts?label=person&source=gate")["objects_measured_in"] is None
    assert get(mixed, "counts?label=person&source=lapse")["objects_measured_in"] == {
        "sources": 0,
        "of_sources": 1,
    }


def test_boxes_too_weak_to_follow_in_measured_footage_give_no_number(mixed: Place) -> None:
    bag, person = get(mixed, "counts?label=bag&label=person")["totals"]
    assert (bag["objects"], bag.get("measured_objects")) == (None, None)
    assert person["measured_objects"] == 15


def test_labels_together_show_their_measured_part(mixed: Place) -> None:
    [together] = get(mixed, "counts?top=0")["totals"]
    assert (together["objects"], together["measured_objects"]) == (None, 15)


def test_an_export_shows_the_measured_part_of_each_interval(mixed: Place) -> None:
    answer = mixed.app().test_client().get("/api/v1/export?label=person&interval=86400&timezone=UTC")
    rows = rows_of(answer.data)
    assert {row["objects"] for row in rows} == {""}
    assert sum(int(row["objects_at_least"] or 0) for row in rows) == 15


def test_the_number_of_objects_present_at_the_start_of_footage_covers_what_is_known(mixed: Place) -> None:
    answer = get(mixed, "counts?label=person&interval=3600")
    assert [one.get("objects_from_start") for one in answer["buckets"]] == [2, 6]
    assert answer["totals"][0]["objects_from_start"] == 8
    [together] = get(mixed, "counts?interval=3600")["together"]
    assert (together["measured_objects"], together["objects_from_start"]) == (15, 8)
    rows = rows_of(
        mixed.app().test_client().get("/api/v1/export?source=gate&interval=3600&timezone=UTC").data
    )
    assert {(row["label"], row["objects"], row["objects_from_start"]) for row in rows if row["objects"]} == {
        ("person", "3", "2"),
        ("person", "5", "0"),
    }


def test_a_partly_known_bar_shows_the_objects_present_at_the_start_of_footage(mixed: Place) -> None:
    bars = get(mixed, "counts?source=gate&interval=3600")["bars"]
    assert [(bar["measured_objects"], bar.get("objects_from_start")) for bar in bars] == [(3, 2), (5, 0)]
    busiest = get(mixed, "summary?source=gate&metric=objects&interval=3600")["busiest"]
    assert [(bar["value"], bar["objects_from_start"]) for bar in busiest] == [(5, 0), (3, 2)]
