"""Lines and zones over HTTP: the traffic of a made-up junction is counted there, with evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import hypot
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient
from tests.traffic import junction
from tests.web.conftest import Place

from frametally.books.runs import current_runs
from frametally.ports.count_index import CountQuery
from frametally.rules.places import FLOWS, series_model

MINUTE_MS = 60_000
BLACK_MS = junction.START_MS + 3 * MINUTE_MS


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("junction"))
    junction.film(made)
    yield made
    made.close()


@pytest.fixture
def client(filmed: Place) -> FlaskClient:
    junction.draw(filmed)
    return filmed.app().test_client()


def get(client: FlaskClient, route: str, **asked: Any) -> Any:
    found = client.get(f"/api/v1/{route}", query_string={"source": "gate", **asked})
    assert found.status_code == 200, found.text
    return found.json


def pages(client: FlaskClient, route: str, **asked: Any) -> list[Any]:
    """All entries, page by page."""
    page = get(client, route, **asked)
    entries = [*page["entries"]]
    while page["next"]:
        page = get(client, route, **asked, cursor=page["next"])
        entries += page["entries"]
    assert [one["number"] for one in entries] == [*range(1, page["value"] + 1)]
    return entries


def driven() -> Counter[tuple[str, str, str]]:
    """The number of crossings by leg, direction and label."""
    return Counter(
        way
        for car in junction.CARS
        for way in ((car.from_leg, "to_right", car.label), (car.to_leg, "to_left", car.label))
    )


@pytest.mark.thorough
def test_a_car_that_crosses_a_line_is_counted_there_in_its_direction(client: FlaskClient) -> None:
    answer = get(client, "crossings", interval=60)
    totals = {
        (one["line"], way, one["label"]): one[way]
        for one in answer["totals"]
        for way in ("to_right", "to_left")
    }
    assert {key: number for key, number in totals.items() if number} == driven()
    for one in answer["totals"]:
        assert (one["gross"], one["net"]) == (
            one["to_right"] + one["to_left"],
            one["to_right"] - one["to_left"],
        )
        assert one["not_measured"] == sum(reason["count"] for reason in one["reasons"])
    of_bars: Counter[tuple[str, str]] = Counter()
    for one in answer["crossings"]:
        of_bars[one["line"], one["label"]] += one["to_right"] + one["to_left"]
    assert of_bars == {(one["line"], one["label"]): one["gross"] for one in answer["totals"]}
    assert [line["name"] for line in answer["lines"]] == ["east", "south", "west"]
    assert (answer["days"], answer["days_counted"], answer["note"]) == (1, 1, None)


def test_a_day_with_damaged_paths_has_no_number_and_says_why(place: Place) -> None:
    junction.film(place)
    junction.draw(place)
    for info in [*place.store.list("hours")]:
        place.store.put(info.key, place.store.get(info.key)[:-1] + b"\xff")
    client = place.app().test_client()
    crossings = get(client, "crossings", interval=60)
    assert "damaged" in crossings["note"]
    assert {(bar["is_measured"], bar["missing"]) for bar in crossings["bars"]} == {(False, "not_analysed")}
    assert crossings["totals"]
    assert {(one["gross"], one["missing"]) for one in crossings["totals"]} == {(None, "not_analysed")}
    zones = get(client, "zones", interval=60)
    assert {(zone["stays"], zone["missing"]) for zone in zones["zones"]} == {(None, "not_analysed")}
    movements = get(client, "movements", interval=60)
    assert (movements["books"]["visits"], movements["books"]["missing"]) == (None, "not_analysed")
    report = client.get("/api/v1/traffic", query_string={"source": "gate"})
    assert (report.status_code, "damaged" in report.text) == (503, True)


@pytest.mark.thorough
def test_crossings_of_a_short_clip_are_counted_by_the_second(client: FlaskClient) -> None:
    seconds, minutes = get(client, "crossings"), get(client, "crossings", interval=60)
    assert (seconds["interval_s"], seconds["base_interval_s"]) == (1, 1)
    assert {bar["end_ms"] - bar["start_ms"] for bar in seconds["bars"]} == {1000}
    assert seconds["totals"] == minutes["totals"]
    by_minute: Counter[tuple[int, str, str]] = Counter()
    for one in seconds["crossings"]:
        by_minute[one["start_ms"] // MINUTE_MS * MINUTE_MS, one["line"], one["label"]] += (
            one["to_right"] + one["to_left"]
        )
    assert by_minute == {
        (one["start_ms"], one["line"], one["label"]): one["to_right"] + one["to_left"]
        for one in minutes["crossings"]
    }
    fullest = max(seconds["crossings"], key=lambda one: one["to_right"] + one["to_left"])
    span = {"from": fullest["start_ms"], "to": fullest["start_ms"] + 1000, "base": 1}
    entries = pages(client, "crossings/objects", line=fullest["line"], label=fullest["label"], **span)
    assert len(entries) == fullest["to_right"] + fullest["to_left"]


@pytest.mark.thorough
def test_a_minute_that_was_not_filmed_has_no_bar(client: FlaskClient) -> None:
    answer = get(client, "crossings", interval=60)
    assert answer["not_analysed"] == []
    bars = answer["bars"]
    assert [(bar["start_ms"] - junction.START_MS) // MINUTE_MS for bar in bars] == [0, 1, 3, 4]
    assert all(bar["is_measured"] and bar["covered_ms"] == MINUTE_MS for bar in bars)


@pytest.mark.thorough
@pytest.mark.parametrize("limit", [1, 4, 100])
@pytest.mark.parametrize("asked", [{}, {"label": "bus"}, {"direction": "to_left"}])
def test_a_number_of_crossings_opens_exactly_as_many_objects(
    client: FlaskClient, limit: int, asked: dict[str, str]
) -> None:
    crossed = get(client, "crossings", line="west", **{k: v for k, v in asked.items() if k == "label"})
    ways = [asked["direction"]] if "direction" in asked else ["to_right", "to_left", "not_measured"]
    entries = pages(client, "crossings/objects", line="west", limit=limit, **asked)
    assert len(entries) == sum(one[way] for one in crossed["totals"] for way in ways) > 0
    assert [one["time_ms"] for one in entries] == sorted(one["time_ms"] for one in entries)


def test_a_bar_of_crossings_opens_its_objects(client: FlaskClient) -> None:
    answer = get(client, "crossings", interval=60, line="east")
    for bar in answer["bars"]:
        shown = [one for one in answer["crossings"] if one["start_ms"] == bar["start_ms"]]
        bounds = {"from": bar["start_ms"], "to": bar["end_ms"], "base": answer["base_interval_s"]}
        entries = pages(client, "crossings/objects", line="east", limit=3, **bounds)
        assert len(entries) == sum(one["to_right"] + one["to_left"] for one in shown)


@pytest.mark.thorough
def test_each_crossing_shows_the_frames_before_and_after_it_with_its_box(client: FlaskClient) -> None:
    for one in pages(client, "crossings/objects", line="west"):
        before, after = one["before"], one["after"]
        assert before["captured_at_ms"] <= one["time_ms"] < after["captured_at_ms"]
        assert after["captured_at_ms"] - before["captured_at_ms"] == junction.STEP_MS
        sides = [frame["box"]["box"][0] + frame["box"]["box"][2] / 2 < 120 for frame in (before, after)]
        assert sides == ([True, False] if one["direction"] == "to_right" else [False, True])
        times = [time_ms for time_ms, _, _ in one["path"]]
        assert times == sorted(times)
        assert times[0] < one["time_ms"] < times[-1]
        assert client.get(before["image_url"]).status_code == 200


def test_arrivals_minus_departures_of_a_zone_give_its_occupancy(client: FlaskClient) -> None:
    answer = get(client, "zones", interval=60)
    assert {one["zone"] for one in answer["stays"]} == {"box"}
    for label in ("car", "bus"):
        own = [one for one in answer["stays"] if one["label"] == label]
        for one in own:
            came = one["entered"] + one["appeared"] + one["from_start"]
            went = one["left"] + one["vanished"] + one["to_end"]
            assert one["at_start"] + came - went == one["at_end"]
        for one, following in pairwise(own):
            if following["start_ms"] == one["start_ms"] + MINUTE_MS:
                assert following["at_start"] == one["at_end"]
    [zone] = answer["zones"]
    cars = len(junction.CARS)
    assert sum(one["entered"] for one in answer["stays"]) == zone["stays"] == cars
    assert zone["median_s"] == pytest.approx(180 / junction.SPEED_PX_S, rel=0.05)


def test_every_visit_has_its_movement_and_the_books_add_up(client: FlaskClient) -> None:
    answer = get(client, "movements", interval=60)
    turns = Counter({(one["from_leg"], one["to_leg"], one["label"]): 0 for one in answer["movements"]})
    for one in answer["movements"]:
        turns[one["from_leg"], one["to_leg"], one["label"]] += one["visits"]
    assert turns == Counter((car.from_leg, car.to_leg, car.label) for car in junction.CARS)
    cars = len(junction.CARS)
    assert answer["books"] == {
        "visits": cars,
        "assigned": cars,
        "unassigned": 0,
        "never_at_a_leg": 0,
        "missing": None,
        "at_least": None,
    }
    entries = pages(client, "movements/visits", from_leg="west", to_leg="south", limit=2)
    assert len(entries) == sum(number for (*way, _), number in turns.items() if way == ["west", "south"])
    assert {(one["from_leg"], one["to_leg"], one["outcome"]) for one in entries} == {
        ("west", "south", "assigned")
    }


def test_visits_are_not_counted_for_movements_where_no_line_is_a_leg(filmed: Place) -> None:
    junction.draw(filmed, junction.line("across", (120, 400), (120, 200)))
    answer = get(filmed.app().test_client(), "movements")
    assert (answer["legs"], answer["movements"]) == ([], [])
    assert answer["books"] == {
        "visits": None,
        "assigned": None,
        "unassigned": None,
        "never_at_a_leg": None,
        "missing": "no_legs",
        "at_least": None,
    }


@pytest.mark.thorough
def test_visits_without_a_movement_open_with_their_paths(filmed: Place) -> None:
    junction.draw(filmed, junction.LEGS[0])
    client = filmed.app().test_client()
    books = get(client, "movements")["books"]
    from_west = sum(car.from_leg == "west" for car in junction.CARS)
    never = sum("west" not in car[:2] for car in junction.CARS)
    assert books["visits"] == len(junction.CARS)
    assert (books["assigned"], books["never_at_a_leg"]) == (0, never)
    assert books["unassigned"] == len(junction.CARS) - never >= from_west
    for outcome in ("unassigned", "never_at_a_leg"):
        entries = pages(client, "movements/visits", outcome=outcome, limit=5)
        assert len(entries) == books[outcome]
        for one in entries:
            assert one["from_leg"] is None
            assert len(one["path"]) > 1
            assert one["frame"]["box"]["label"] == one["label"]
            assert (one["began"], one["ended"]) == ("border", "border")


@pytest.mark.thorough
def test_speeds_match_the_driven_ones(client: FlaskClient) -> None:
    answer = get(client, "speeds")
    together = answer["speeds"][0]
    assert together["label"] is None
    driven_km_h = junction.SPEED_PX_S / junction.PX_PER_M * 3.6
    assert together["median_km_h"] == pytest.approx(driven_km_h, rel=0.05)
    assert together["measured"] + sum(one["count"] for one in together["not_measured"]) == len(junction.CARS)
    assert together["measured"] == sum(one["visits"] for one in together["histogram"])
    assert together["measured"] == sum(one["measured"] for one in answer["speeds"][1:]) > 0


def test_a_visits_length_is_that_of_its_path_on_the_ground(client: FlaskClient) -> None:
    entries = pages(client, "movements/visits", outcome="assigned", limit=50)
    measured = [one for one in entries if one["length_m"] is not None]
    assert measured
    for one in measured:
        steps = pairwise(one["path"])
        path_m = sum(hypot(x - ax, y - ay) for (_, ax, ay), (_, x, y) in steps) / junction.PX_PER_M
        # The calibration does not reach the edge of the picture.
        assert path_m * 0.5 < one["length_m"] < path_m * 1.05
        assert 0 < one["length_error_m"] < one["length_m"] / 10
        assert one["length_missing"] is None
    assert all(one["length_missing"] for one in entries if one["length_m"] is None)


def test_no_speed_is_given_without_a_calibration(filmed: Place) -> None:
    junction.draw(filmed, *junction.LEGS)
    answer = get(filmed.app().test_client(), "speeds")
    assert not answer["is_calibrated"]
    assert {one["reason"] for one in answer["speeds"][0]["not_measured"]} == {"no_calibration"}
    visits = pages(filmed.app().test_client(), "movements/visits", outcome="assigned", limit=50)
    assert {(one["length_m"], one["length_missing"]) for one in visits} == {(None, "no_calibration")}


def test_a_moved_line_is_counted_again_without_detecting_or_tracking(filmed: Place) -> None:
    junction.draw(filmed)
    client = filmed.app().test_client()
    before = get(client, "crossings", line="west")
    junction.draw(filmed, junction.line("west", (120, 120), (120, 20)))
    runs = [run.run_id for run in current_runs(filmed.store)]
    after = get(client, "crossings", line="west")
    assert after["revision"] == before["revision"] + 1
    assert before["totals"] and not after["totals"]
    assert [run.run_id for run in current_runs(filmed.store)] == runs


@pytest.mark.thorough
def test_the_page_shows_what_is_published_and_indexed(place: Place) -> None:
    """By bars of a minute, place by place: the page's own sums equal the index's sums for other clients."""
    junction.draw(place)
    junction.film(place)
    series = series_model(junction.MODEL, FLOWS)
    assert {run.model for run in current_runs(place.store)} >= {junction.MODEL, series}
    expected = {
        (bucket.source, bucket.label, bucket.start_ms): bucket.detections
        for bucket in place.real_index.histogram(CountQuery(series, 60, 60, by_source=True)).buckets
    }
    found: dict[tuple[str | None, str, int], int] = {}
    client = place.app().test_client()
    for one in get(client, "crossings", interval=60)["crossings"]:
        for way in ("to_right", "to_left", "not_measured"):
            found[f"gate/line/{one['line']}/{way}", one["label"], one["start_ms"]] = one[way]
    for one in get(client, "movements", interval=60)["movements"]:
        way = f"gate/movement/{one['from_leg']}/{one['to_leg']}"
        found[way, one["label"], one["start_ms"]] = one["visits"]
    for one in get(client, "zones", interval=60)["stays"]:
        at = f"gate/zone/{one['zone']}/"
        for field in one.keys() - {"start_ms", "zone", "label", "at_end", "mean"}:
            found[at + field, one["label"], one["start_ms"]] = one[field]
        found[f"{at}occupied_ms", one["label"], one["start_ms"]] = round(one["mean"] * MINUTE_MS)
    assert {key: value for key, value in found.items() if value} == expected


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("route", "asked", "parameter"),
    [
        ("crossings", {"source": ""}, "source"),
        ("crossings", {"source": ["gate", "yard"]}, "source"),
        ("crossings", {"source": "gatte"}, "source"),
        ("crossings", {"line": "nrth"}, "line"),
        ("crossings/objects", {}, "line"),
        ("crossings/objects", {"line": "west", "direction": "up"}, "direction"),
        ("crossings/objects", {"line": "west", "cursor": "nonsense"}, "cursor"),
        ("zones", {"zone": "yard"}, "zone"),
        ("movements/visits", {"outcome": "lost"}, "outcome"),
        ("movements/visits", {"from_leg": "box"}, "from_leg"),
        ("speeds", {"label": "unicorn"}, "label"),
        ("movements", {"hours": "08:00-09:00"}, "hours"),
    ],
)
def test_an_invalid_parameter_gives_one_line_that_names_it(
    client: FlaskClient, route: str, asked: dict[str, Any], parameter: str
) -> None:
    answer = client.get(f"/api/v1/{route}", query_string={"source": "gate", **asked})
    assert answer.status_code == 400
    assert answer.json["parameter"] == parameter
    assert answer.json["remedy"]


@pytest.mark.thorough
@pytest.mark.parametrize("route", ["crossings", "zones", "movements", "speeds"])
def test_a_time_without_footage_has_no_bars(client: FlaskClient, route: str) -> None:
    answer = get(client, route, **{"from": "2020-01-01T00:00Z", "to": "2020-01-02T00:00Z"})
    assert (answer["bars"], answer["days"], answer["interval_s"]) == ([], 0, None)


@pytest.fixture(scope="module")
def dark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The junction; from its fourth minute on the pictures are black."""
    made = Place(tmp_path_factory.mktemp("dark"))
    frames = [
        msgspec.structs.replace(
            frame,
            picture_digest=f"{number:04d}",
            **({"shows": "black", "detections": []} if frame.captured_at_ms >= BLACK_MS else {}),
        )
        for number, frame in enumerate(junction.frames())
    ]
    junction.count(made, frames)
    junction.draw(made)
    yield made
    made.close()


@pytest.mark.parametrize("route", ["crossings", "zones", "movements"])
def test_footage_that_shows_nothing_is_not_a_quiet_time_at_a_line(dark: Place, route: str) -> None:
    bars = get(dark.app().test_client(), route, interval=60)["bars"]
    assert [(bar["start_ms"] - junction.START_MS) // MINUTE_MS for bar in bars] == [0, 1, 3, 4]
    assert [bar["missing"] for bar in bars] == [None, None, "shows_nothing", "shows_nothing"]
    assert [(bar["is_measured"], bar["frames"] > 0) for bar in bars] == [(True, True)] * 2 + [
        (False, False)
    ] * 2


def test_a_range_that_shows_nothing_has_no_stays_and_no_visits(dark: Place) -> None:
    client = dark.app().test_client()
    asked = {"from": BLACK_MS, "to": BLACK_MS + MINUTE_MS, "interval": 60}
    [zone] = get(client, "zones", **asked)["zones"]
    assert (zone["stays"], zone["missing"]) == (None, "shows_nothing")
    books = get(client, "movements", **asked)["books"]
    assert (books["visits"], books["assigned"], books["missing"]) == (None, None, "shows_nothing")


def test_nothing_is_known_before_there_is_data(tmp_path: Path) -> None:
    empty = Place(tmp_path)
    try:
        client = empty.app().test_client()
        assert get(client, "crossings")["model"] is None
        books = get(client, "movements")["books"]
        assert (books["visits"], books["assigned"], books["missing"]) == (None, None, "no_footage")
    finally:
        empty.close()
