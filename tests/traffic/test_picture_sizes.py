"""Lines, zones, speeds and paths under changes of the pictures' size: the same numbers, or null."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.capabilities import HERE
from tests.examples import examples
from tests.hadoop.conftest import Footage
from tests.hadoop.test_track_hours import DAY_MS, HOUR_MS, NOON_MS
from tests.hadoop.test_track_sizes import SIZES, from_on, resized
from tests.traffic import junction
from tests.traffic.test_flow_runs import BAY, SIZE, STOP, TO_RIGHT, draw, flow_runs, flows, passing, totals
from tests.traffic.test_lines_api import MINUTE_MS, driven, get, pages
from tests.traffic.test_zone_counts import zone_counts
from tests.web.conftest import Place

from frametally import keys
from frametally.books.runs import current_runs, read_paths, read_run
from frametally.rules.path_columns import of_each_shape
from frametally.rules.places import Size
from frametally_traffic.geometry.foot_paths import joined, pieces_of
from frametally_traffic.records import DrawnCalibration, DrawnLine, DrawnZone

SMALL, LARGE, SQUARE = (320, 240), (1280, 960), (480, 480)
SQUARE_MS = junction.START_MS + 20 * MINUTE_MS  # in the same hour
GROUND = DrawnCalibration(
    name="ground",
    points=((0.0, 0.0), (600.0, 0.0), (600.0, 400.0), (0.0, 400.0)),
    metres=((0.0, 40.0), (60.0, 40.0), (60.0, 0.0), (0.0, 0.0)),
    **SIZE,
)


def counted(footage: Footage) -> dict[str, int]:
    return {place.rpartition("/")[2]: value for place, value in totals(footage).items()}


def speeds(footage: Footage) -> list[tuple[float, float]]:
    """Speed and standard error of the visits, in km/h."""
    return [
        (speed / 10, error / 10)
        for run in flow_runs(footage)
        for day in flows(footage, run)
        for speed, error in zip(day.columns["visit_speed"], day.columns["visit_error"], strict=True)
    ]


@pytest.mark.parametrize(
    "sizes", [((640, 480), SMALL), ((640, 480), LARGE), (SMALL, (640, 480)), (LARGE, SMALL)]
)
@pytest.mark.parametrize("later_ms", [HOUR_MS, 2 * DAY_MS])
def test_each_hour_has_its_crossings_stays_and_speeds_whatever_its_picture_size(
    footage: Footage, sizes: tuple[Size, Size], later_ms: int
) -> None:
    draw(footage, STOP, BAY, GROUND)
    first = [resized(frame, sizes[0]) for frame in passing(footage)]
    footage.segment(first)
    footage.segment([resized(frame, sizes[1]) for frame in passing(footage, NOON_MS + later_ms)])
    footage.aggregate()
    values = counted(footage)
    assert (values["to_right"], values["entered"], values["left"]) == (2, 2, 2)
    assert values["occupied_ms"] == pytest.approx(16_000, abs=50)
    boxes = [(count.detections, count.objects) for count in zone_counts(footage)]
    assert boxes == [(41, 1), (41, 1)]
    assert len(speeds(footage)) == 2
    for speed, error in speeds(footage):
        assert abs(speed - 9.0) <= 2 * error
        assert error < 0.9
    [*of_runs] = (read_run(footage.store, run)[1] for run in flow_runs(footage))
    assert all(
        record.objects is not None for coverage in of_runs for record in coverage if "/line/" in record.source
    )


@pytest.mark.parametrize("later_ms", [MINUTE_MS, DAY_MS])
def test_an_empty_picture_of_another_shape_does_not_change_the_other_minutes(
    footage: Footage, later_ms: int
) -> None:
    draw(footage, STOP, BAY)
    footage.segment(passing(footage))
    footage.segment(
        [resized(footage.frame(NOON_MS + later_ms + number * 200), SQUARE) for number in range(9)]
    )
    footage.aggregate()
    assert (counted(footage)["to_right"], counted(footage)["entered"]) == (1, 1)


def test_a_size_of_only_black_pictures_does_not_change_the_other_numbers(footage: Footage) -> None:
    draw(footage, STOP, BAY)
    frames = passing(footage)
    black = [
        msgspec.structs.replace(
            resized(footage.frame(NOON_MS + MINUTE_MS + number * 200, index=500 + number), SMALL),
            shows="black",
            detections=[],
        )
        for number in range(75)
    ]
    footage.segment(
        [
            msgspec.structs.replace(frame, picture_digest=f"{number:04d}")
            for number, frame in enumerate([*frames, *black])
        ]
    )
    footage.aggregate()
    assert (counted(footage)["to_right"], counted(footage)["entered"]) == (1, 1)


def test_one_picture_of_another_size_does_not_change_its_day(footage: Footage) -> None:
    draw(footage, STOP, BAY, GROUND)
    footage.segment(passing(footage))
    footage.segment([resized(footage.frame(NOON_MS + 3 * HOUR_MS, index=1), LARGE)])
    footage.aggregate()
    assert counted(footage) == {"to_right": 1, "entered": 1, "left": 1, "occupied_ms": 8000, "peak": 1}


def test_an_object_crosses_once_even_if_the_picture_size_changes_at_the_line(footage: Footage) -> None:
    draw(footage, STOP, BAY, GROUND)
    for number in range(4):
        start_ms = NOON_MS + number * HOUR_MS
        footage.segment(from_on(passing(footage, start_ms), start_ms + 6_400 + 200 * number, LARGE))
    footage.aggregate()
    assert (counted(footage)["to_right"], counted(footage)["entered"], counted(footage)["left"]) == (4, 4, 4)


@pytest.mark.parametrize("off_ms", [0, 20_000, -20_000])
def test_a_path_continues_across_the_hour_even_if_one_hour_has_other_sizes(
    footage: Footage, off_ms: int
) -> None:
    draw(footage, STOP, GROUND)
    start_ms = NOON_MS + HOUR_MS - 7_000
    frames = passing(footage, start_ms)
    footage.segment(from_on(frames, NOON_MS + HOUR_MS, LARGE))
    footage.segment([resized(footage.frame(NOON_MS + HOUR_MS + 30_000 + off_ms, index=3), SMALL)])
    footage.aggregate()
    assert counted(footage)["to_right"] == 1
    files = [
        paths
        for run in current_runs(footage.store)
        if "~" not in run.model
        for paths in read_paths(footage.store, run)
    ]
    [[size, of_shape]] = of_each_shape(files)
    [path] = joined(piece for paths in of_shape for piece in pieces_of(paths))
    assert (size, path.size, len(path.ids)) == (LARGE, LARGE, 2)
    assert list(path.path.x) == sorted(path.path.x)


def test_pictures_of_another_shape_have_no_counts_at_lines_and_zones_rather_than_zero(
    footage: Footage,
) -> None:
    draw(footage, STOP, BAY, GROUND)
    footage.segment(passing(footage))
    later_ms = NOON_MS + 2 * HOUR_MS
    footage.segment([resized(frame, SQUARE) for frame in passing(footage, later_ms)])
    [step] = footage.aggregate().steps
    assert [line.partition(":")[0] for line in step.warnings] == [
        "line stop line of gate has no counts in some hours of 1 day, such as 2026-01-01",
        "zone bay of gate has no counts in some hours of 1 day, such as 2026-01-01",
    ]
    assert counted(footage) == {"to_right": 1, "entered": 1, "left": 1, "occupied_ms": 8000, "peak": 1}
    [run] = flow_runs(footage)
    [day] = flows(footage, run)
    assert {entry[:3] for entry in day.unfit} == {("line", "stop line", later_ms), ("zone", "bay", later_ms)}
    objects = {
        (record.interval_start_ms, record.source): record.objects
        for record in read_run(footage.store, run)[1]
    }
    assert (objects[NOON_MS, TO_RIGHT], objects[later_ms, TO_RIGHT]) == (1, None)


def test_pictures_of_another_shape_are_not_counted_within_zones(footage: Footage) -> None:
    draw(footage, BAY)
    frames = passing(footage)
    footage.segment([*frames[:40], *(resized(frame, SQUARE) for frame in frames[40:])])
    footage.aggregate()
    [run] = [run for run in current_runs(footage.store) if run.model.endswith("~zones")]
    [record] = read_run(footage.store, run)[1]
    assert (record.frames, record.detections) == (40, 26)


def rows_of(footage: Footage) -> list[tuple[str, list[int]]]:
    """All counts at lines and in zones; times to a tenth of a second, speeds to a km/h."""
    coarse = {"crossing_time": 100, "stay_from": 100, "stay_to": 100, "visit_speed": 10}
    names = (
        "crossing_direction",
        "crossing_missing",
        "stay_came",
        "stay_went",
        "visit_speed_missing",
        *coarse,
    )
    return [
        (name, sorted(value // coarse.get(name, 1) for value in day.columns[name]))
        for run in flow_runs(footage)
        for day in flows(footage, run)
        for name in names
    ]


def near(rows: list[tuple[str, list[int]]], others: list[tuple[str, list[int]]]) -> bool:
    return [(name, len(values)) for name, values in rows] == [
        (name, len(values)) for name, values in others
    ] and all(
        abs(value - other) <= (name in {"crossing_time", "stay_from", "stay_to", "visit_speed"})
        for (name, values), (_, other_values) in zip(rows, others, strict=True)
        for value, other in zip(values, other_values, strict=True)
    )


@pytest.mark.thorough
@settings(
    max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 1 << 32))
def test_scaling_the_footage_at_random_times_changes_no_number(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    lanes = [
        (chance.randint(0, 40), chance.uniform(-20, 60), 60.0 + 90 * lane, chance.uniform(5, 8))
        for lane in range(4)
    ]
    changes = {chance.randint(0, 120): chance.choice(SIZES) for _ in range(chance.randint(1, 5))}
    start_ms = NOON_MS + HOUR_MS - 12_000

    def counted_at(sizes: dict[int, Size]) -> Footage:
        footage = Footage(tmp_path_factory.mktemp("footage"))
        draw(footage, STOP, BAY, GROUND)
        frames, size = [], SIZES[0]
        for n in range(121):
            boxes = [(x + speed * (n - at), y, 60.0, 50.0) for at, x, y, speed in lanes if n >= at]
            boxes = [(round(x, 1), y, w, h) for x, y, w, h in boxes if 0 <= x <= 580]
            size = sizes.get(n, size)
            frame = footage.frame(start_ms + n * 200, *["car"] * len(boxes), index=n, boxes=boxes)
            frames.append(resized(frame, size))
        footage.segment(frames)
        footage.aggregate()
        return footage

    plain, changed = counted_at({}), counted_at(changes)
    assert counted(plain).keys() == counted(changed).keys()
    assert near(rows_of(plain), rows_of(changed)), (rows_of(plain), rows_of(changed))


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The junction, filmed by a camera whose pictures are twice as large from the second minute on."""
    place = Place(tmp_path_factory.mktemp("junction"))
    junction.count(place, from_on(junction.frames(), junction.START_MS + MINUTE_MS, LARGE))
    yield place
    place.close()


@pytest.mark.thorough
def test_the_evidence_of_a_crossing_has_its_path_and_boxes_in_the_same_place_at_any_picture_size(
    changed: Place,
) -> None:
    junction.draw(changed)
    client = changed.app().test_client()
    totals = get(client, "crossings", interval=60)["totals"]
    numbers = {
        (total["line"], way, total["label"]): total[way]
        for total in totals
        for way in ("to_right", "to_left")
        if total[way]
    }
    assert numbers == driven()
    frame_sizes = set()
    for entry in pages(client, "crossings/objects", line="west", limit=50):
        assert (entry["width_px"], entry["height_px"]) == LARGE
        for frame in (entry["before"], entry["after"]):
            frame_sizes.add((frame["width_px"], frame["height_px"]))
            left, top, width, height = frame["box"]["box"]
            x, y = (
                LARGE[0] / frame["width_px"] * (left + width / 2),
                LARGE[1] / frame["height_px"] * (top + height),
            )
            assert min(abs(x - at_x) + abs(y - at_y) for _, at_x, at_y in entry["path"]) < 400
    assert frame_sizes == {(640, 480), LARGE}
    layer = get(client, "paths", **{"from": junction.START_MS, "to": junction.START_MS + DAY_MS})
    assert (layer["width_px"], layer["height_px"]) == LARGE


@pytest.mark.thorough
def test_only_bars_with_a_fitting_drawing_are_measured(changed: Place) -> None:
    west = junction.LEGS[0]
    other = msgspec.structs.replace(west, width_px=480, points=((10.0, 10.0), (10.0, 400.0)))
    junction.draw(changed, other)
    answer = get(changed.app().test_client(), "crossings", interval=60)
    assert {(one["to_right"], one["missing"]) for one in answer["crossings"]} == {(None, "other_size")}
    assert {(bar["is_measured"], bar["missing"]) for bar in answer["bars"]} == {(False, "other_size")}
    junction.draw(changed, other, msgspec.structs.replace(west, name="fits"))
    answer = get(changed.app().test_client(), "crossings", interval=60)
    assert {one["line"] for one in answer["crossings"] if one["missing"] is None} == {"fits"}
    assert {(bar["is_measured"], bar["missing"]) for bar in answer["bars"]} == {(True, None)}


@pytest.fixture(scope="module")
def squared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The junction, and the same 20 minutes later in pictures of another shape, with a drawing for each."""
    place = Place(tmp_path_factory.mktemp("junction"))
    first, later_ms = junction.frames(), SQUARE_MS - junction.START_MS
    again = [
        msgspec.structs.replace(
            resized(frame, SQUARE),
            captured_at_ms=frame.captured_at_ms + later_ms,
            frame_index=number,
            image_path=keys.image_key(frame.source, frame.captured_at_ms + later_ms, frame.media, number),
        )
        for number, frame in enumerate(first, start=len(first))
    ]
    square: dict[str, Any] = {"width_px": SQUARE[0], "height_px": SQUARE[1]}
    line = DrawnLine(name="square", points=((240.0, 20.0), (240.0, 470.0)), from_ms=SQUARE_MS, **square)
    whole = ((10.0, 10.0), (470.0, 10.0), (470.0, 470.0), (10.0, 470.0))
    zone = DrawnZone(name="whole", points=whole, from_ms=SQUARE_MS, **square)
    junction.draw(place, *junction.LEGS, junction.BOX, line, zone)
    junction.count(place, [*first, *again])
    yield place
    place.close()


def by_place(entries: list[dict[str, Any]], kind: str, number: str) -> dict[str, set[tuple[Any, Any]]]:
    """By line or zone, its numbers (known or null) and their reasons, after the change of shape."""
    found: dict[str, set[tuple[Any, Any]]] = {}
    for one in entries:
        if one["start_ms"] >= SQUARE_MS:
            found.setdefault(one[kind], set()).add((one[number] is None, one["missing"]))
    return found


NULL = {(True, "other_size")}


@pytest.mark.thorough
def test_a_line_that_does_not_fit_the_pictures_is_null_and_one_that_does_is_counted(squared: Place) -> None:
    answer = get(squared.app().test_client(), "crossings", interval=60)
    later = by_place(answer["crossings"], "line", "to_right")
    assert later == {"east": NULL, "south": NULL, "west": NULL, "square": {(False, None)}}
    starts_ms = {one["start_ms"] for one in answer["crossings"] if one["line"] == "west"}
    assert starts_ms == {bar["start_ms"] for bar in answer["bars"]}
    assert {one["missing"] for one in answer["crossings"] if one["start_ms"] < SQUARE_MS} == {None}
    assert all(bar["is_measured"] for bar in answer["bars"])
    for total in answer["totals"]:
        missing = None if total["line"] == "square" else "other_size"
        assert (total["missing"], total["gross"] is None) == (missing, missing is not None)
    assert any(total["at_least"] for total in answer["totals"])


def test_a_zone_that_does_not_fit_the_pictures_is_null_and_one_that_does_is_counted(squared: Place) -> None:
    client = squared.app().test_client()
    answer = get(client, "zones", interval=60)
    assert by_place(answer["stays"], "zone", "mean") == {"box": NULL, "whole": {(False, None)}}
    zones = {zone["name"]: (zone["stays"] is None, zone["missing"]) for zone in answer["zones"]}
    assert zones == {"box": (True, "other_size"), "whole": (False, None)}
    later = get(client, "zones", interval=60, **{"from": SQUARE_MS, "to": SQUARE_MS + DAY_MS})
    assert {zone["name"]: zone["stays"] is None for zone in later["zones"]} == {"box": True, "whole": False}


@pytest.mark.skipif("alerts" not in HERE, reason="needs alerts")
@pytest.mark.parametrize("labels", [[], ["car"]])
def test_no_alert_says_that_nobody_passed_a_line_that_does_not_fit(squared: Place, labels: list[str]) -> None:
    from frametally_alerts.conditions.interval_values import look
    from frametally_alerts.conditions.round_input import CountPorts
    from frametally_alerts.rule_form import make_rule

    def quiet_hours(line: str) -> set[bool]:
        rule = make_rule(
            name="empty",
            known_channels=["ops"],
            channels=["ops"],
            what="crossings",
            line=line,
            labels=labels,
            direction="both",
            interval="1m",
            threshold=100,
            below=True,
            since_ms=junction.START_MS - DAY_MS,
            now_ms=now_ms,
        )
        return {
            finding.start_ms >= SQUARE_MS for looked in look(rule, ports, {}) for finding in looked.findings
        }

    now_ms = junction.START_MS + 7 * DAY_MS
    ports = CountPorts(squared.settings, squared.store, squared.real_index, squared.ledger, now_ms=now_ms)
    assert True not in quiet_hours("south")
    assert True in quiet_hours("square")


def test_movements_over_legs_that_do_not_fit_the_pictures_are_null(squared: Place) -> None:
    answer = get(squared.app().test_client(), "movements", interval=60)
    assert by_place(answer["movements"], "from_leg", "visits") == dict.fromkeys(
        ("east", "south", "west"), NULL
    )
    assert {one["missing"] for one in answer["movements"] if one["start_ms"] < SQUARE_MS} == {None}
    assert (answer["books"]["unassigned"], answer["books"]["missing"]) == (None, "other_size")
