"""The promises of /api/models, /api/labels, /api/sources and /api/counts."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.engine import Engine
from tests.kit.api import get
from tests.web.conftest import Place

from frametally import keys
from frametally.records import MediaManifest, decode, encode

START_MS = 1_714_550_400_000  # 2024-05-01T08:00:00Z, where the made-up footage begins


@pytest.mark.thorough
def test_without_data_every_answer_is_empty_and_not_an_error(place: Place) -> None:
    assert get(place, "/api/models") == {"models": []}
    assert get(place, "/api/labels") == {"model": None, "labels": []}
    assert get(place, "/api/sources") == {"model": None, "sources": []}
    assert get(place, "/api/catalogue") == {"model": None, "models": [], "labels": [], "sources": []}
    counts = get(place, "/api/counts")
    assert counts["model"] is None
    assert counts["interval_s"] is None
    assert counts["buckets"] == counts["coverage"] == counts["totals"] == []
    assert get(place, "/api/evidence") == {"model": None, "frames": [], "labels_left_out": 0}
    letters = {"causes": [], "dead_letters": [], "dead_letters_left_out": 0}
    assert get(place, "dead-letters") == {"model": None, **letters}
    assert get(place, "status")["state"] == "settled"


@pytest.mark.parametrize("asked", ["?top=1&metric=auto", "?by=source&interval=600"])
def test_an_answer_reads_one_state_of_the_index_in_one_transaction(place: Place, asked: str) -> None:
    place.film({"car": 4, "bus": 1}, interval_s=60, intervals=30)
    client = place.app().test_client()
    assert client.get("/api/v1/counts").status_code == 200  # each day is read once
    begun, here = [], threading.get_ident()

    def count(connection: Any) -> None:
        if threading.get_ident() == here:  # the books are read as well
            begun.append(connection)

    event.listen(Engine, "begin", count)
    try:
        assert client.get(f"/api/v1/counts{asked}").status_code == 200
    finally:
        event.remove(Engine, "begin", count)
    assert len(begun) == 1


def test_models_are_listed_newest_first_with_their_stored_intervals(place: Place) -> None:
    place.film({"car": 2}, interval_s=60, model="older")
    place.film({"car": 2}, interval_s=5, model="newer")
    place.film({"car": 2}, interval_s=60, model="newer")
    assert get(place, "/api/models") == {
        "models": [
            {"model": "newer", "base_intervals_s": [5, 60]},
            {"model": "older", "base_intervals_s": [60]},
        ]
    }
    assert get(place, "/api/labels")["model"] == "newer"
    assert get(place, "/api/labels?model=older")["model"] == "older"


@pytest.mark.thorough
def test_labels_are_listed_most_frequent_first_and_sources_with_their_range(place: Place) -> None:
    counts, _ = place.film(
        {"bus": 1, "car": 6}, source="a", name="A as written", intervals=24, interval_s=5, frames=10
    )
    totals = {label: sum(one.detections for one in counts if one.label == label) for label in ("car", "bus")}
    assert get(place, "/api/labels")["labels"] == [
        {"label": "car", "detections": totals["car"]},
        {"label": "bus", "detections": totals["bus"]},
    ]
    assert get(place, "/api/sources")["sources"] == [
        {
            "source": "a",
            "name": "A as written",
            "frames": 240,
            "first_interval_ms": START_MS,
            "next_interval_ms": START_MS + 120_000,
            "timed_by_file": False,
            "file_times": [],
            "footage_until_ms": START_MS + 119_999,
            "counted_until_ms": START_MS + 119_999,
            "zones": [],
            "timezone": None,
        }
    ]


def test_a_source_timed_by_file_dates_is_marked(place: Place) -> None:
    place.film({"car": 1}, source="a", time_source="file_time")
    assert get(place, "/api/sources")["sources"][0]["timed_by_file"] is True


def test_overlapping_media_of_a_source_are_both_named(place: Place) -> None:
    place.film({"car": 1}, source="a", intervals=12, interval_s=5)
    [info] = place.store.list(keys.MEDIA)
    first = decode(place.store.get(info.key), MediaManifest)
    runs = [(START_MS, START_MS + 59_000)]
    place.store.put(info.key, encode(msgspec.structs.replace(first, runs=runs)))
    for number, (start_ms, name) in enumerate([(40_000, "late.mp4"), (90_000, "later.mp4")]):
        begin_ms, end_ms = START_MS + start_ms, START_MS + start_ms + 30_000
        other = msgspec.structs.replace(
            first,
            sha256=f"{number}" * 64,
            name=name,
            first_captured_at_ms=begin_ms,
            last_captured_at_ms=end_ms,
            runs=[(begin_ms, end_ms)],
        )
        place.store.put(keys.media_key(other.sha256), encode(other))
    answer = get(place, "/api/counts?interval=5")
    assert answer["overlaps"] == [
        {
            "source": "a",
            "from_ms": START_MS + 40_000,
            "to_ms": START_MS + 59_003,
            "counted": f"a.mp4 ({first.sha256[:12]})",
            "not_counted": "late.mp4 (000000000000)",
        }
    ]
    assert answer["overlaps_left_out"] == 0
    assert get(place, "/api/counts?interval=5&to=2024-05-01T08:00:30Z")["overlaps"] == []


def test_counts_match_the_records(place: Place) -> None:
    records, coverage = place.film({"bus": 1, "car": 6}, intervals=24, interval_s=5, frames=10)
    answer = get(place, "/api/counts?interval=5")
    assert answer["base_interval_s"] == answer["interval_s"] == 5
    assert (answer["from_ms"], answer["to_ms"]) == (START_MS, START_MS + 120_000)
    assert answer["labels"] == ["car", "bus"]
    assert answer["frames"] == 240
    assert answer["buckets"] == [
        {
            "start_ms": one.interval_start_ms,
            "label": one.label,
            "source": None,
            "detections": one.detections,
            "peak": one.peak,
            "mean_per_frame": one.detections / 10,
            "objects": None,
            "objects_missing": "not_tracked",
            "tracked_detections": None,
        }
        for one in sorted(records, key=lambda one: (one.interval_start_ms, one.label))
    ]
    assert answer["coverage"] == [
        {
            "start_ms": one.interval_start_ms,
            "end_ms": one.interval_start_ms + 5000,
            "source": None,
            "frames": one.frames,
            "slowest_fps": None,
            "objects_missing": "not_tracked",
            "covered_s": None,
            "asked_s": 5.0,
            "filmed_part": None,
        }
        for one in coverage
    ]
    for total in answer["totals"]:
        of_label = [one for one in records if one.label == total["label"]]
        assert total["detections"] == sum(one.detections for one in of_label) > 0
        assert total["peak"] == max(one.peak for one in of_label)
        assert total["mean_per_frame"] == total["detections"] / 240


def test_longer_intervals_sum_counts_and_frames_but_take_the_largest_peak(place: Place) -> None:
    records, _ = place.film({"car": 6}, intervals=24, interval_s=5, frames=10)
    answer = get(place, "/api/counts?interval=60")
    assert answer["base_interval_s"] == 5
    assert [bucket["start_ms"] for bucket in answer["buckets"]] == [START_MS, START_MS + 60_000]
    for bucket in answer["buckets"]:
        inside = [r for r in records if 0 <= r.interval_start_ms - bucket["start_ms"] < 60_000]
        assert bucket["detections"] == sum(one.detections for one in inside)
        assert bucket["peak"] == max(one.peak for one in inside)
        assert bucket["mean_per_frame"] == bucket["detections"] / 120


def test_zero_objects_and_no_footage_are_told_apart(place: Place) -> None:
    place.labels_to_count = ["car", "bus", "zebra"]  # a label that was counted and not seen is zero
    place.film({"car": 6}, intervals=6, interval_s=5, filmed=lambda position: position not in (2, 3))
    answer = get(place, "/api/counts?label=zebra&interval=5")
    (total,) = answer["totals"]
    assert total == {
        "label": "zebra",
        "source": None,
        "detections": 0,
        "peak": 0,
        "mean_per_frame": 0.0,
        "objects": None,
        "objects_missing": "not_tracked",
        "tracked_detections": 0,
    }
    starts = [(frames["start_ms"] - START_MS) // 5000 for frames in answer["coverage"]]
    assert starts == [0, 1, 4, 5]
    assert answer["buckets"] == []


def test_labels_and_sources_may_be_given_several_times_or_not_at_all(place: Place) -> None:
    a = place.film({"car": 4, "bus": 2, "dog": 1}, source="a", seed=1)
    b = place.film({"car": 3}, source="b", seed=2, also=a)
    place.film({"car": 9}, source="c", seed=3, also=(a[0] + b[0], a[1] + b[1]))
    everything = get(place, "/api/counts?label=&source=&from=&to=&interval=&model=")
    assert everything == get(place, "/api/counts")
    chosen = get(place, "/api/counts?label=dog&label=car&source=a&source=b&interval=5")
    assert chosen["labels"] == ["dog", "car"]
    cars = sum(one.detections for one in a[0] + b[0] if one.label == "car")
    assert chosen["totals"][1]["detections"] == cars
    assert chosen["frames"] == 480


@pytest.mark.thorough
@pytest.mark.parametrize(
    "written",
    [
        "1714550430000",
        "2024-05-01T08:00:30Z",
        "2024-05-01T08:00:30",  # UTC unless the deployment has another time zone
        "2024-05-01T10:00:30%2B02:00",
        "2024-05-01T10:00:30+02:00",  # a plus without escaping
        "2024-05-01 08:00:30.000",
    ],
)
def test_a_time_is_iso_8601_or_milliseconds(place: Place, written: str) -> None:
    place.film({"car": 6})
    assert get(place, f"/api/counts?from={written}")["from_ms"] == START_MS + 30_000


def test_a_time_without_an_offset_is_in_the_deployments_time_zone(place: Place) -> None:
    place.film({"car": 6})
    app = place.app(timezone="Europe/Berlin")
    answer = app.test_client().get("/api/counts?from=2024-05-01T10:00:30").json
    assert answer["from_ms"] == START_MS + 30_000


def test_from_is_inclusive_and_to_is_exclusive(place: Place) -> None:
    place.film({"car": 6}, interval_s=5)
    answer = get(place, f"/api/counts?from={START_MS + 5000}&to={START_MS + 15_000}&interval=5")
    assert [one["start_ms"] for one in answer["coverage"]] == [START_MS + 5000, START_MS + 10_000]


@pytest.mark.thorough
@given(st.integers(1, 119_999))
def test_the_two_parts_of_any_split_add_up_to_the_whole(cut_client: FlaskClient, cut_ms: int) -> None:
    border = START_MS + cut_ms
    totals = [
        sum(total["detections"] for total in cut_client.get(f"/api/counts?{query}").json["totals"])
        for query in ("interval=60", f"interval=60&to={border}", f"interval=60&from={border}")
    ]
    assert totals[0] == totals[1] + totals[2] > 0


@pytest.fixture(scope="module")
def cut_client(tmp_path_factory: pytest.TempPathFactory, make_place: Any) -> Any:
    place = make_place(tmp_path_factory.mktemp("cut"))
    place.film({"car": 6, "bus": 1}, interval_s=5)
    yield place.app().test_client()
    place.close()


def test_a_query_reads_one_model_and_one_stored_interval(place: Place) -> None:
    fine, _ = place.film({"car": 6}, interval_s=5, intervals=24, seed=1)
    coarse, _ = place.film({"car": 6}, interval_s=60, intervals=2, frames=120, seed=2)
    place.film({"car": 50}, interval_s=60, intervals=2, model="another", seed=3)
    assert get(place, "/api/counts")["model"] == "another"
    ours = "model=yolov4-tiny-opencv-fp32-1a2b3c4d"
    for interval_s, base_s, records in ((60, 60, coarse), (120, 60, coarse), (30, 5, fine)):
        answer = get(place, f"/api/counts?{ours}&interval={interval_s}")
        assert answer["base_interval_s"] == base_s
        assert answer["totals"][0]["detections"] == sum(one.detections for one in records)


@pytest.mark.thorough
def test_a_range_without_footage_is_not_an_error(place: Place) -> None:
    place.film({"car": 6})
    for query in ("from=2031-01-01", "to=2011-01-01", "from=2031-01-01&to=2032-01-01"):
        answer = get(place, f"/api/counts?{query}&label=car")
        assert answer["coverage"] == answer["buckets"] == []
        total = answer["totals"][0]
        assert (total["detections"], total["objects_missing"]) == (None, "no_footage")


@pytest.mark.thorough
def test_the_catalogue_combines_the_answers_of_models_labels_and_sources(place: Place) -> None:
    place.film({"car": 2}, interval_s=60, model="older", source="gate", name="The gate")
    place.film({"car": 2, "bus": 1}, interval_s=5, model="newer")
    for query in ("", "?model=older"):
        parts = {**get(place, "/api/models"), **get(place, f"/api/labels{query}")}
        assert get(place, f"/api/catalogue{query}") == parts | get(place, f"/api/sources{query}")
