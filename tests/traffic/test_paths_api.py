"""A layer of paths to draw over: some of a range, whole over hours, evenly over all of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest
from tests.fakes.records import make_count, make_coverage, make_run, put_tracks
from tests.web.conftest import MODEL, START_MS, Place

from frametally import keys
from frametally.rules.path_columns import POINT_COLUMNS, TRACK_COLUMNS, Began, Ended, PathColumns, code_of
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally_traffic.drawing_page.path_layer import evenly

DAY_START_MS = START_MS - START_MS % DAY_MS
DAY = keys.utc_day(START_MS)
Walk = tuple[int, str, str, str, Sequence[tuple[int, int, int]]]
"""Hour, label, start and end of the track, and its points: ms since the hour, x and y in tenths of a pixel.
"""


def columns_of(walks: Sequence[Walk]) -> PathColumns:
    labels = sorted({label for _, label, *_ in walks})
    columns: dict[str, list[int]] = {name: [] for name in (*TRACK_COLUMNS, *POINT_COLUMNS)}
    for number, (hour, label, began, ended, points) in enumerate(walks):
        track = (
            *(hour, number, labels.index(label), 1),
            *(code_of(began, Began), code_of(ended, Ended), points[0][0], len(points)),
        )
        for name, value in zip(TRACK_COLUMNS, track, strict=True):
            columns[name].append(value)
        for time_ms, x, y in points:
            for name, value in zip(POINT_COLUMNS, (time_ms, x, y, 400, 1), strict=True):
                columns[name].append(value)
    return PathColumns(MODEL, "gate", DAY_START_MS, tuple(labels), columns)


def publish(place: Place, walks: Sequence[Walk]) -> None:
    """Publish a day of one source with these paths."""
    run = make_run(model=MODEL, day=DAY, frames=5)
    run = put_tracks(place.store, run, [], [columns_of(walks)])
    coverage = make_coverage(START_MS, 5, model=MODEL, analysed_fps=5.0)
    counts = [
        make_count(START_MS, label, model=MODEL, frames=5, evidence=[])
        for label in sorted({label for _, label, *_ in walks})
    ]
    assert place.real_index.publish(run, counts, [coverage])
    place.film({}, source="gate", intervals=1, model="other-model-00000000")


def ask(place: Place, **asked: object) -> Any:
    query = {"source": "gate", "model": MODEL, **asked}
    answer = place.app().test_client().get("/api/v1/paths", query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.json


def test_damaged_paths_are_named_with_the_remedy(place: Place) -> None:
    publish(place, [(9, "car", "found", "lost", [(500, 150, 205), (2000, 300, 210)])])
    [key] = (info.key for info in place.store.list("hours"))
    place.store.put(key, b"not paths")
    asked = {"source": "gate", "model": MODEL, "from": DAY_START_MS}
    answer = place.app().test_client().get("/api/v1/paths", query_string=asked)
    assert answer.status_code == 503
    assert answer.json["detail"].startswith(f"{key}: damaged") and "aggregate --all" in answer.json["detail"]
    assert answer.json["remedy"] == "Apply the remedy, then reload the page."


def test_a_path_is_complete_across_the_hour_and_says_how_it_began_and_ended(place: Place) -> None:
    publish(
        place,
        [
            (8, "car", "border", "hour", [(3_599_000, 100, 200), (3_600_500, 150, 205)]),
            (9, "car", "hour", "lost", [(-1000, 100, 200), (500, 150, 205), (2000, 300, 210)]),
            (9, "bus", "found", "border", [(100, 10, 20), (900, 30, 40)]),
        ],
    )
    answer = ask(place, **{"from": DAY_START_MS})
    hour_ms = DAY_START_MS + 9 * HOUR_MS
    assert (answer["width_px"], answer["height_px"]) == (640, 480)
    assert [(one["label"], one["began"], one["ended"]) for one in answer["paths"]] == [
        ("car", "border", "lost"),
        ("bus", "found", "border"),
    ]
    assert answer["paths"][0]["path"] == [
        [hour_ms - 1000, 10.0, 20.0],
        [hour_ms + 500, 15.0, 20.5],
        [hour_ms + 2000, 30.0, 21.0],
    ]
    assert [one["label"] for one in ask(place, label="bus", **{"from": DAY_START_MS})["paths"]] == ["bus"]


def test_a_sample_of_many_paths_is_spread_evenly_and_the_number_left_out_is_given(place: Place) -> None:
    walks: list[Walk] = [
        (8, "car", "border", "lost", [(1000 * n + m * 10, m, m * m % 7) for m in range(100)])
        for n in range(60)
    ]
    publish(place, walks)
    answer = ask(place, limit=7)
    assert (len(answer["paths"]), answer["paths_left_out"]) == (7, 53)
    begins = [one["path"][0][0] for one in answer["paths"]]
    assert begins[0] == DAY_START_MS + 8 * HOUR_MS
    assert begins[-1] == begins[0] + 59_000
    assert all(len(one["path"]) == 40 for one in answer["paths"])
    assert answer["points_left_out"] == 7 * 60
    ranged = ask(place, **{"from": begins[0] + 10_000, "to": begins[0] + 10_500})
    assert 0 < len(ranged["paths"]) < 60


@pytest.mark.thorough
@pytest.mark.parametrize(
    "asked", ["", "source=gate&source=bridge", "source=gate&from=0&to=9999999999999", "source=gate&limit=0"]
)
def test_an_invalid_request_is_a_400(place: Place, asked: str) -> None:
    publish(place, [(8, "car", "border", "lost", [(0, 1, 1)])])
    assert place.app().test_client().get(f"/api/v1/paths?{asked}").status_code == 400


@pytest.mark.parametrize("most", [1, 2, 3, 10])
@pytest.mark.parametrize("number", [0, 1, 2, 3, 9, 10, 11, 100])
def test_a_sample_of_many_is_spread_evenly(number: int, most: int) -> None:
    found = evenly(range(number), most)
    assert len(found) == min(number, most)
    assert found == sorted(set(found))
    if number > most > 1:
        assert (found[0], found[-1]) == (0, number - 1)


def test_the_last_day_of_paths_is_not_in_the_future(place: Place) -> None:
    end_ms = int(time.time() * 1000) // HOUR_MS * HOUR_MS
    then = place.film({}, source="gate", intervals=1, interval_s=60, start_ms=end_ms + 3000 * 24 * HOUR_MS)
    place.film({}, source="gate", intervals=5, interval_s=60, start_ms=end_ms - 300_000, also=then)
    assert place.app().test_client().get("/api/v1/paths?source=gate").json["to_ms"] == end_ms
