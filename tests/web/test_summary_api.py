"""A chart's summary: when it was busiest, for how much footage, compared with the week before."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import pytest
from tests.web.conftest import Place
from tests.web.counted_footage import MODEL, START_MS, make_lines, publish_lines

from frametally.records import Coverage, Evidence, IntervalCount

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
WEEK_MS = 7 * 24 * HOUR_MS


def get(place: Place, query: str, route: str = "summary") -> Any:
    answer = place.app().test_client().get(f"/api/v1/{route}?{query}")
    assert answer.status_code == 200, answer.text
    return answer.json


def fill(
    place: Place,
    bars: dict[int, int],
    *,
    source: str = "gate",
    frames: int = 10,
    noted_until_ms: int = 2**62,
    from_start: tuple[int | None, ...] = (),
) -> None:
    """Cars by the start of their minute, a fifth as many objects; the busiest frame has half of them.

    How long there was footage is noted until `noted_until_ms`, as by a run of an older version after it; so
    are the objects that stood there when it began, of the first bars.
    """
    counts, coverage = [], []
    for (start_ms, cars), stood in zip_longest(bars.items(), from_start):
        at: dict[str, Any] = {
            "model": MODEL,
            "source": source,
            "interval_start_ms": start_ms,
            "interval_s": 60,
            "frames": frames,
        }
        path = f"images/{source}/2024-05-01/{start_ms}-0123456789ab-0.jpg"
        shown = [Evidence(image_path=path, captured_at_ms=start_ms + 500, count=cars // 2)]
        if cars:
            counts.append(
                IntervalCount(
                    **at,
                    label="car",
                    detections=cars,
                    peak=cars // 2,
                    objects=cars // 5,
                    tracked_detections=cars,
                    objects_from_start=stood,
                    evidence=shown,
                )
            )
        covered_ms = 30_000 if start_ms < noted_until_ms else None
        coverage.append(Coverage(**at, objects=cars // 5, analysed_fps=5.0, covered_ms=covered_ms))
    place.publish(counts, coverage, interval_s=60, model=MODEL)


def test_without_data_the_summary_is_empty_and_not_an_error(place: Place) -> None:
    answer = get(place, "")
    assert (answer["model"], answer["interval_s"], answer["busiest"]) == (None, None, [])
    assert (answer["peak"], answer["week_before"], answer["frames_per_bar"]) == (None, None, None)


def test_the_busiest_intervals_and_the_peak_match_the_chart(place: Place) -> None:
    cars = [10, 40, 0, 40, 20, *range(100, 112)]
    fill(place, {START_MS + minute * MINUTE_MS: number for minute, number in enumerate(cars)})
    answer, chart = get(place, "interval=60"), get(place, "interval=60", "counts")
    ranked = sorted(chart["buckets"], key=lambda one: (-one["detections"], one["start_ms"]))
    assert [(one["start_ms"], one["value"]) for one in answer["busiest"]] == [
        (one["start_ms"], one["detections"]) for one in ranked[:10]
    ]
    assert {(one["frames"], one["filmed_part"]) for one in answer["busiest"]} == {(10, 0.5)}
    start_ms = START_MS + 15 * MINUTE_MS  # 110 cars, 111 in the next: the first of two frames with 55
    assert answer["peak"] == {
        "label": "car",
        "source": "gate",
        "count": 55,
        "captured_at_ms": start_ms + 500,
        "start_ms": start_ms,
        "end_ms": start_ms + MINUTE_MS,
        "image_path": f"images/gate/2024-05-01/{start_ms}-0123456789ab-0.jpg",
    }
    assert answer["total"] == {**dict(chart["totals"][0]), "label": None}
    assert (answer["frames"], answer["filmed_s"]) == (170, 510)
    assert (answer["from_ms"], answer["to_ms"], answer["sources"]) == (
        chart["from_ms"],
        chart["to_ms"],
        ["gate"],
    )
    early = get(place, f"interval=60&to={START_MS + 5 * MINUTE_MS}&metric=auto")
    assert early["metric"] == "objects"
    assert [(one["start_ms"] - START_MS) // MINUTE_MS for one in early["busiest"]] == [1, 3, 4, 0]
    assert [one["value"] for one in early["busiest"]] == [8, 8, 4, 2]


def test_no_interval_is_called_busiest_only_because_the_footage_begins_there(place: Place) -> None:
    cars = [45, 20, 10, 10]
    bars = {START_MS + minute * MINUTE_MS: number for minute, number in enumerate(cars)}
    fill(place, bars, from_start=(9, 3, 0))
    answer = get(place, "interval=60&metric=objects")
    assert [(one["start_ms"], one["value"], one["objects_from_start"]) for one in answer["busiest"]] == [
        (START_MS + 2 * MINUTE_MS, 2, 0),
        (START_MS + 3 * MINUTE_MS, 2, None),
        (START_MS + MINUTE_MS, 4, 3),
    ]
    assert answer["total"]["objects"] == 17
    assert [one["value"] for one in get(place, "interval=60&metric=detections")["busiest"]] == cars


def test_the_peak_belongs_to_the_label_that_has_most_in_one_frame(place: Place) -> None:
    counts, _ = place.film({"bus": 2, "car": 9, "dog": 4}, interval_s=60)
    most = max(counts, key=lambda one: one.peak)
    assert most.label == "car"
    peak = get(place, "interval=60")["peak"]
    assert (peak["label"], peak["count"]) == ("car", most.peak)


def test_for_chosen_hours_the_filmed_part_is_shown(place: Place) -> None:
    fill(place, {START_MS + minute * MINUTE_MS: 10 for minute in range(-60, 120)})
    answer = get(place, "hours=08:00-09:00&interval=86400")
    assert [(one["value"], one["filmed_part"]) for one in answer["busiest"]] == [(600, 0.5)]
    assert answer["peak"]["captured_at_ms"] == START_MS + 500
    assert answer["week_before"] is None


def test_frames_per_bar_leave_out_bars_cut_by_the_range(place: Place) -> None:
    fill(place, {START_MS + minute * MINUTE_MS: 10 for minute in range(60) if minute not in (16, 17)})
    asked = f"interval=900&from={START_MS + 10 * MINUTE_MS}&to={START_MS + 50 * MINUTE_MS}"
    assert get(place, asked)["frames_per_bar"] == {"least": 130, "most": 150}
    inside = f"interval=900&from={START_MS + MINUTE_MS}&to={START_MS + 9 * MINUTE_MS}"
    assert get(place, inside)["frames_per_bar"] is None


@pytest.mark.thorough
@pytest.mark.parametrize("interval_s", [900, 3600, 7200])
def test_the_week_before_is_compared_by_the_hours_filmed_in_both_weeks(place: Place, interval_s: int) -> None:
    """The clocks change between the two weeks: the same local hours are 167 hours apart."""
    sunday_8_ms = 1_711_864_800_000  # 2024-03-31 08:00 in Berlin, summer time since that night
    before_ms = sunday_8_ms - WEEK_MS + HOUR_MS
    now = {sunday_8_ms + minute * MINUTE_MS: 10 for minute in range(0, 240)}
    then = {before_ms + minute * MINUTE_MS: 5 for minute in range(120, 300)}
    fill(place, {**then, **now})
    to_ms = sunday_8_ms + 4 * HOUR_MS
    asked = f"interval={interval_s}&timezone=Europe/Berlin&from={sunday_8_ms}&to={to_ms}"
    assert get(place, asked)["week_before"] == {
        "from_ms": before_ms,
        "to_ms": before_ms + 4 * HOUR_MS,
        "value": 120 * 5,
        "value_same_hours": 120 * 5,
        "now_same_hours": 120 * 10,
        "change": 1.0,
        "same_hours": 0.5,
        "intervals": 7200 // interval_s,
        "of_intervals": 4 * 3600 // interval_s,
        "compared_in": {"sources": 1, "of_sources": 1},
    }
    earlier = f"interval={interval_s}&timezone=Europe/Berlin&from={before_ms}&to={before_ms + HOUR_MS}"
    assert get(place, earlier)["week_before"] is None


def test_a_longer_range_is_compared_with_as_many_earlier_weeks_as_it_covers(place: Place) -> None:
    day_ms = 24 * HOUR_MS
    start_ms = START_MS - START_MS % day_ms
    fill(place, {start_ms + day * day_ms: 10 if day < 14 else 30 for day in range(28)})
    asked = f"interval=172800&from={start_ms + 16 * day_ms}&to={start_ms + 26 * day_ms}"
    week = get(place, asked)["week_before"]
    assert (week["from_ms"], week["to_ms"]) == (start_ms + 2 * day_ms, start_ms + 12 * day_ms)
    assert (week["value"], week["now_same_hours"], week["same_hours"]) == (100, 300, 1)


def test_video_is_told_apart_from_single_pictures_which_cover_no_time(place: Place) -> None:
    fill(place, {START_MS + minute * MINUTE_MS: 10 for minute in range(10)})
    at: dict[str, Any] = {"model": MODEL, "source": "lapse", "interval_s": 60, "frames": 1, "covered_ms": 0}
    lapse = [Coverage(**at, interval_start_ms=START_MS + minute * MINUTE_MS) for minute in range(1440, 1450)]
    place.publish([], lapse, interval_s=60, model=MODEL)
    answer = get(place, "interval=600")
    assert (answer["filmed_s"], answer["filmed_in"]) == (300, {"sources": 1, "of_sources": 2})
    assert answer["asked_s"] == (answer["to_ms"] - answer["from_ms"]) / 1000
    assert answer["busiest"][0]["filmed_part"] == 0.5
    assert get(place, "interval=600&hours=08:00-09:00&timezone=UTC")["asked_s"] == 3600 + 600


def test_single_pictures_have_no_filmed_part(place: Place) -> None:
    publish_lines(place, make_lines("lapse", frames=12, step_ms=360_000), analysed_fps=None)
    answer = get(place, "")
    assert answer["filmed_s"] is None
    assert {one["filmed_part"] for one in answer["busiest"]} == {None}


def test_footage_with_partly_known_length_has_no_filmed_part(place: Place) -> None:
    fill(place, {START_MS: 40, START_MS + HOUR_MS: 20}, noted_until_ms=START_MS + HOUR_MS)
    answer = get(place, "interval=3600")
    assert [(one["value"], one["filmed_part"]) for one in answer["busiest"]] == [(40, None), (20, None)]
    assert answer["filmed_s"] is None


def test_a_misspelt_label_is_refused_here_too(place: Place) -> None:
    fill(place, {START_MS: 10})
    refused = place.app().test_client().get("/api/v1/summary?label=cra")
    assert refused.status_code == 400
    assert refused.json["remedy"] == "Did you mean car?"


@pytest.mark.parametrize("written", ["GATE", " gate ", "Gate"])
def test_a_source_can_be_given_as_it_is_written(place: Place, written: str) -> None:
    publish_lines(place, make_lines("gate", frames=10))
    client = place.app().test_client()
    for route in ("summary?", "counts?", "evidence?", f"gap?at={START_MS - 60_000}&"):
        by_slug = client.get(f"/api/v1/{route}source=gate")
        assert by_slug.status_code == 200
        assert client.get(f"/api/v1/{route}source={written}").json == by_slug.json


def test_every_misspelt_name_is_reported_at_once(place: Place) -> None:
    fill(place, {START_MS: 10})
    refused = place.app().test_client().get("/api/v1/summary?label=cra&source=nope")
    assert refused.status_code == 400
    assert refused.json["detail"] == "There is no label named 'cra'. There is no source named 'nope'."
    assert refused.json["remedy"].startswith("Label 'cra': did you mean car? Source 'nope': choose from: ")
    assert (refused.json["parameter"], refused.json["instead"]) == ("label", ["car"])
