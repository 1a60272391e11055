"""How far two sides differ: in their common footage, by label, and the largest ones, as on the
command line."""

from __future__ import annotations

from typing import Any

import pytest
from tests.web.conftest import Place
from tests.web.counted_footage import MINUTE_MS, START_MS, make_lines, publish_lines
from tests.web.test_export_comparison import publish, records

from frametally.rules.differences import Pair, most_apart
from frametally.rules.times import WEEK_MS
from frametally_web.compare.differences import _Value

RANGE = "interval=60&metric=detections&from=2024-05-01T08:00Z&to=2024-05-01T08:05Z"


def ask(place: Place, query: str, status: int = 200) -> dict[str, Any]:
    answer = place.app().test_client().get(f"/api/v1/differences?{query}")
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.get_json()
    return body


def labels_of(body: dict[str, Any]) -> list[tuple[str, float | None, float | None]]:
    return [(one["label"], one["value"], one["other_value"]) for one in body["labels"]]


@pytest.mark.thorough
def test_only_intervals_filmed_in_both_weeks_are_compared_and_the_gaps_of_each_are_reported(
    place: Place,
) -> None:
    publish(
        place,
        records(START_MS, [4, None, 7, 0, 5]),
        records(START_MS - WEEK_MS, [1, 2, None, 3, 5]),
        (records(START_MS - WEEK_MS, [6, 6], label="bus")[0], []),
    )
    body = ask(place, f"{RANGE}&compare=week")
    assert (body["seen_by_both"], body["only_here"], body["only_there"]) == (3, 1, 1)
    assert labels_of(body) == [("bus", 0, 6), ("car", 9, 9)]  # the most apart first
    assert (body["total"]["value"], body["total"]["other_value"]) == (9, 15)
    assert (body["total"]["difference"], body["total"]["change"]) == (-6, -0.4)
    assert (body["frames"], body["other_frames"]) == (30, 30)
    assert (body["compared"], body["differing"]) == (4, 3)
    assert [(one["label"], one["value"], one["other_value"]) for one in body["most"]] == [
        ("bus", 0, 6),
        ("car", 4, 1),  # of equal ones the earlier first
        ("car", 0, 3),
    ]
    first = body["most"][0]
    assert (first["start_ms"], first["other_start_ms"]) == (START_MS, START_MS - WEEK_MS)
    assert (first["end_ms"], first["source"]) == (START_MS + MINUTE_MS, "gate")


def test_each_source_is_compared_with_itself_so_an_added_camera_is_not_a_difference(place: Place) -> None:
    publish(
        place,
        records(START_MS, [4, 4]),
        records(START_MS, [9, 9], source="yard"),
        records(START_MS - WEEK_MS, [3, 4]),
    )
    body = ask(place, f"{RANGE}&compare=week")
    assert labels_of(body) == [("car", 8, 7)]
    assert (body["seen_by_both"], body["only_here"]) == (2, 2)
    of_yard = ask(place, f"{RANGE}&source=gate&compare=source:yard")
    assert labels_of(of_yard) == [("car", 8, 18)]
    assert [one["source"] for one in of_yard["most"]] == [None, None]


def test_two_models_differ_if_one_found_a_label_that_the_other_never_found(place: Place) -> None:
    publish(place, records(START_MS, [4, 0, 2]))
    publish(
        place,
        records(START_MS, [4, 1], model="other"),
        (records(START_MS, [3], label="bus", model="other")[0], []),
        model="other",
    )
    body = ask(place, f"{RANGE}&model=m&compare=model:other")
    assert [(one["label"], one["value"], one["other_value"]) for one in body["most"]] == [
        ("bus", 0, 3),
        ("car", 0, 1),
    ]
    assert (body["model"], body["other_model"], body["only_here"]) == ("m", "other", 1)
    # A label that only the other model knows is zero in this one, not an error.
    assert labels_of(ask(place, f"{RANGE}&model=m&label=bus&compare=model:other")) == [("bus", 0, 3)]


def test_an_unknown_value_on_one_side_is_not_a_difference(place: Place) -> None:
    gate = make_lines("gate", frames=24)
    publish_lines(place, gate)  # objects were not tracked
    assert ask(place, "interval=60&metric=objects&compare=previous")["most"] == []
    pairs = [Pair(bar, "car", _Value(value), _Value(3)) for bar, value in enumerate((None, 1))]
    assert most_apart(pairs, ["value"]) == pairs[1:]


def test_the_limit_applies_to_differences_and_an_impossible_comparison_is_named(place: Place) -> None:
    publish(place, records(START_MS, [4, 3, 2]), records(START_MS - WEEK_MS, [0, 0, 0]))
    body = ask(place, f"{RANGE}&compare=week&limit=2")
    assert ([one["value"] for one in body["most"]], body["differing"]) == ([4, 3], 3)
    assert ask(place, RANGE, 400)["parameter"] == "compare"
    assert ask(place, f"{RANGE}&compare=nothing", 400)["parameter"] == "compare"
    assert ask(place, f"{RANGE}&compare=model:none", 400)["parameter"] == "model"


def test_a_misspelt_source_to_compare_with_is_refused_with_similar_names(place: Place) -> None:
    publish(place, records(START_MS, [4, 3]), records(START_MS, [1, 2], source="yard"))
    refused = ask(place, f"{RANGE}&source=gate&compare=source:yrad", 400)
    assert (refused["parameter"], refused["value"], refused["instead"]) == ("source", "yrad", ["yard"])
    assert refused["remedy"] == "Did you mean yard?"


def test_nothing_is_compared_before_there_are_counts(place: Place) -> None:
    body = ask(place, "compare=week")
    assert (body["model"], body["base_interval_s"], body["most"], body["labels"]) == (None, None, [], [])
    publish(place, records(START_MS, [4]))
    nothing = ask(place, "from=2030-01-01&to=2030-01-02&compare=week")
    assert (nothing["model"], nothing["seen_by_both"], nothing["total"]["value"]) == ("m", 0, None)


@pytest.mark.thorough
@pytest.mark.parametrize(("labels", "boxes"), [("", 3), ("&label=bus", 0)])
def test_a_frame_has_the_boxes_that_a_model_counted_in_it(place: Place, labels: str, boxes: int) -> None:
    lines = make_lines("gate", frames=24)
    publish_lines(place, lines)
    counts = place.settings.counted_boxes().rule()
    shown = max(lines, key=lambda one: sum(counts(box) and box.label == "car" for box in one.detections))
    client = place.app().test_client()
    answer = client.get(f"/api/v1/frames/boxes?path={shown.image_path}{labels}")
    body = answer.get_json()
    expected = [one for one in shown.detections if counts(one)]
    assert len(body["boxes"]) == (len(expected) if not labels else sum(b.label == "bus" for b in expected))
    assert (body["image_path"], body["captured_at_ms"]) == (shown.image_path, shown.captured_at_ms)
    gone = client.get(f"/api/v1/frames/boxes?path={shown.image_path.replace('-0', '-9')}")
    assert (gone.status_code, gone.get_json()["parameter"]) == (404, "path")
    assert client.get("/api/v1/frames/boxes?path=/etc/passwd").status_code == 400
