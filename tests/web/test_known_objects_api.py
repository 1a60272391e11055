"""Unique objects that could not be measured are null, with the reason, in every answer and never 0."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import pytest
from tests.fakes.records import make_count, make_coverage
from tests.kit.api import get
from tests.web.conftest import Place
from tests.web.counted_footage import MODEL, START_MS, make_lines, publish_lines

MINUTE_MS = 60_000


def exported(place: Place, query: str) -> list[dict[str, str]]:
    answer = place.app().test_client().get(f"/api/v1/export?{query}")
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))


def publish(
    place: Place, *bars: tuple[str, int, int, int | None, int | None], fast: Sequence[int] = ()
) -> None:
    """Publish bars `(label, minute, detections, objects, tracked)`, the first with `fast` objects.

    Each minute has 3 s of footage.
    """
    where: dict[str, Any] = {"model": MODEL, "source": "gate", "interval_s": 60, "frames": 15}
    counts = [
        make_count(
            **where,
            label=label,
            interval_start_ms=START_MS + minute * MINUTE_MS,
            detections=detections,
            peak=1,
            objects=objects,
            tracked_detections=tracked,
            fast_objects=too_fast,
            evidence=[],
        )
        for (label, minute, detections, objects, tracked), too_fast in zip_longest(bars, fast)
    ]
    coverage = [
        make_coverage(
            **where,
            interval_start_ms=START_MS + minute * MINUTE_MS,
            objects=sum(objects or 0 for _, at, _, objects, _ in bars if at == minute),
            analysed_fps=5.0,
            covered_ms=3_000,
        )
        for minute in sorted({minute for _, minute, *_ in bars})
    ]
    place.publish(counts, coverage, interval_s=60, model=MODEL)


@pytest.mark.thorough
@pytest.mark.parametrize(("fps", "why"), [(None, "not_tracked"), (2.0, "too_slow"), (0.0, "too_slow")])
def test_an_unseen_label_has_unknown_objects_where_nobody_could_have_counted_them(
    place: Place, fps: float | None, why: str
) -> None:
    place.labels_to_count = ["car", "bus", "zebra"]  # a label that was counted and not seen is zero
    publish_lines(place, make_lines("gate", frames=24), analysed_fps=fps)
    rows = exported(place, "interval=60&label=car&label=zebra")
    assert {row["label"] for row in rows} == {"car", "zebra"}
    assert {(row["objects"], row["objects_missing"]) for row in rows} == {("", why)}
    chart = get(place, "/api/counts?interval=60&label=zebra")
    assert [(one["objects"], one["objects_missing"]) for one in chart["totals"]] == [(None, why)]
    assert {one["objects_missing"] for one in chart["coverage"]} == {why}
    (cell,) = get(place, "/api/heatmap?label=zebra")["cells"]
    assert (cell["objects"], cell["objects_missing"]) == (None, why)


def test_an_unseen_label_has_0_objects_where_they_were_measured(place: Place) -> None:
    place.labels_to_count = ["car", "bus", "zebra"]  # a label that was counted and not seen is zero
    publish(place, ("car", 0, 10, 1, 10))
    [row] = exported(place, "interval=60&label=zebra")
    assert (row["objects"], row["objects_missing"], row["tracked_detections"]) == ("0", "", "0")


@pytest.mark.thorough
@pytest.mark.parametrize(("tracked", "objects"), [(0, None), (4, None), (5, 3), (9, 3), (None, 3)])
def test_with_fewer_than_half_of_the_boxes_in_tracks_objects_are_too_weak_to_follow(
    place: Place, tracked: int | None, objects: int | None
) -> None:
    place.labels_to_count = ["person", "none"]
    publish(place, ("person", 0, 10, 3, tracked))
    why = None if objects else "too_weak"
    chart = get(place, "/api/counts?interval=60")
    for answer in (chart["buckets"][0], chart["totals"][0], get(place, "/api/heatmap")["cells"][0]):
        assert (answer["objects"], answer["objects_missing"], answer["detections"]) == (objects, why, 10)
        assert (answer["tracked_detections"], answer.get("followed_objects")) == (tracked, 3 if why else None)
    proof = get(place, "/api/objects?label=none")
    assert (proof["objects"], proof["objects_missing"]) == (0, None)
    [row] = exported(place, "interval=60")
    assert (row["objects"], row["objects_missing"]) == ("" if objects is None else "3", why or "")
    assert row["tracked_detections"] == ("" if tracked is None else str(tracked))
    assert ("person" in (chart["objects_note"] or "")) == (why is not None)


def test_the_share_of_tracked_boxes_is_that_of_what_is_shown(place: Place) -> None:
    """A weak minute is part of a good hour, a weak label of all labels."""
    publish(place, ("car", 0, 10, 2, 9), ("car", 1, 6, 0, 1), ("bag", 0, 6, 0, 0))
    chart = get(place, "/api/counts?interval=60&label=car&label=bag")
    found = [(one["label"], one["objects"], one["objects_missing"]) for one in chart["buckets"]]
    assert found == [("bag", None, "too_weak"), ("car", 2, None), ("car", None, "too_weak")]
    assert [(one["label"], one["objects"]) for one in chart["totals"]] == [("car", 2), ("bag", None)]
    hour = get(place, "/api/counts?interval=3600&label=car")
    assert [one["objects"] for one in hour["buckets"]] == [2]
    assert [one["objects"] for one in get(place, "/api/heatmap?label=car")["cells"]] == [2]
    assert [one["objects_missing"] for one in get(place, "/api/heatmap")["cells"]] == ["too_weak"]


@pytest.mark.thorough
def test_an_interval_shows_how_much_of_it_was_filmed(place: Place) -> None:
    publish(place, ("car", 0, 10, 1, 9), ("car", 1, 10, 1, 9))
    assert [one["covered_s"] for one in get(place, "/api/counts?interval=60")["coverage"]] == [3.0, 3.0]
    assert [one["covered_s"] for one in get(place, "/api/counts?interval=3600")["coverage"]] == [6.0]
    assert [one["covered_s"] for one in get(place, "/api/heatmap")["cells"]] == [6.0]
    assert [row["covered_s"] for row in exported(place, "interval=60")] == ["3.0", "3.0"]


def test_a_total_over_labels_leaves_out_unknown_ones_and_says_so(place: Place) -> None:
    publish(place, ("car", 0, 20, 3, 18), ("truck", 0, 10, 2, 1))
    total = get(place, "/api/summary?interval=60")["total"]
    assert (total.get("objects"), total["objects_missing"], total["measured_objects"]) == (
        None,
        "too_weak",
        3,
    )
    legend = get(place, "/api/counts?interval=60")["totals"]
    assert [(one["label"], one["objects"]) for one in legend] == [("car", 3), ("truck", None)]
    of_cars = get(place, "/api/summary?interval=60&label=car")["total"]
    assert (of_cars["objects"], of_cars["objects_missing"]) == (3, None)


def test_partly_known_objects_are_a_lower_bound_in_every_answer(place: Place) -> None:
    """In each bar and over the range: cars are known, trucks are seen too weakly, and a bus in one minute."""
    bars = (("car", 0, 10, 2, 9), ("truck", 0, 10, 5, 1), ("car", 1, 10, 4, 9), ("bus", 1, 9, 1, 9))
    publish(place, *bars)
    summary = get(place, "/api/summary?interval=60&metric=objects")
    top = get(place, "/api/counts?interval=60&top=1&metric=objects")
    by_source = get(place, "/api/counts?interval=60&top=0&by=source&metric=objects")
    minutes = "interval=60&label=car&label=truck&label=bus&metric=objects"
    differences = get(place, f"/api/differences?{minutes}&compare=source:gate")
    hours = get(place, "/api/heatmap")["cells"]
    of_all = [summary["total"], by_source["totals"][0], *hours]
    assert [(one["objects"], one["objects_missing"], one["measured_objects"]) for one in of_all] == [
        (None, "too_weak", 7)
    ] * 3
    assert (differences["total"]["value"], differences["total"]["at_least"]) == (None, 7)
    assert {one["label"]: one["value"] for one in differences["labels"]} == {
        "car": 6,
        "bus": 1,
        "truck": None,
    }
    assert [(one["value"], one["is_least"]) for one in summary["busiest"]] == [(5, False), (2, True)]
    of_bars = [
        (one["label"], one["objects"], one.get("measured_objects"))
        for chart in (top, by_source)
        for one in chart["buckets"]
    ]
    by_label = [(None, None, None), ("car", 2, None), (None, 1, None), ("car", 4, None)]
    assert of_bars == [*by_label, (None, None, 2), (None, 5, None)]
    assert [one.get("measured_objects") for one in top["totals"]] == [None, 1]
    assert get(place, "/api/counts?interval=60&metric=auto")["metric"] == "objects"
    proof = get(place, "/api/objects")
    assert (proof["objects"], proof["objects_missing"]) == (None, "too_weak")


def test_where_other_objects_were_too_fast_the_followed_ones_are_a_lower_bound_in_every_answer(
    place: Place,
) -> None:
    """In the first minute 20 cars are too fast beside 7; in the second, 2 beside 20 are too few to matter."""
    publish(
        place,
        *(("car", 0, 171, 7, 91), ("car", 1, 200, 20, 200), ("person", 0, 20, 2, 20), ("bag", 1, 9, 5, 1)),
        fast=[20, 2, 0, 3],
    )
    chart = get(place, "/api/counts?interval=60")
    found = [
        (one["label"], one["objects"], one["objects_missing"], one.get("measured_objects"))
        for one in [*chart["buckets"], *chart["totals"]]
    ]
    bag, fast_car = ("bag", None, "too_weak", None), ("car", None, "too_fast", 7)
    bars = [fast_car, ("person", 2, None, None), bag, ("car", 20, None, None)]
    assert found == [*bars, ("car", None, "too_fast", 27), ("person", 2, None, None), bag]
    assert [one.get("fast_objects") for one in chart["totals"]] == [22, None, 3]
    together = get(place, "/api/counts?interval=60&top=0&by=source")
    assert [(one["objects"], one["measured_objects"]) for one in together["buckets"]] == [
        (None, 9),
        (None, 20),
    ]
    of_all = [get(place, "/api/summary?interval=60")["total"], *together["totals"]]
    assert [(one["objects"], one["measured_objects"]) for one in of_all] == [(None, 29)] * 2
    [hour] = get(place, "/api/heatmap?label=car&label=person")["cells"]
    assert (hour["objects"], hour["objects_missing"], hour["measured_objects"]) == (None, "too_fast", 29)
    proof = get(place, "/api/objects?label=car")
    assert (proof["objects"], proof["objects_missing"]) == (None, "too_fast")
    differences = get(place, "/api/differences?interval=60&label=car&metric=objects&compare=source:gate")
    assert (differences["total"]["value"], differences["total"]["at_least"]) == (None, 27)
    rows = exported(place, "interval=60&label=car")
    columns = "objects", "objects_missing", "objects_at_least"
    assert [tuple(row[name] for name in columns) for row in rows] == [("", "too_fast", "7"), ("20", "", "")]
    assert "car" in get(place, "/api/counts?interval=60&label=car")["objects_note"]
