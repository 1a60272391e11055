"""A day's flows: events of objects at lines and in zones, from the paths of three days, summed by place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.traffic.flow_days import DAY, MODEL, SOURCE, Someone, goer, path_files

from frametally.rules.path_columns import PathColumns
from frametally.rules.places import ZoneShape, parse_place
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally_traffic.counting.place_records import count_places, places_of
from frametally_traffic.flows.day_columns import FlowColumns, decode_flows, encode_flows
from frametally_traffic.flows.day_flows import flows_of_day
from frametally_traffic.flows.shapes import LineShape, Shapes, parse_shapes
from frametally_traffic.geometry.speed import Ground
from frametally_traffic.geometry.zones import ZoneCounts

MINUTE_MS = 60_000
NORTH = LineShape("north", ((0, 1000), (4000, 1000)), inward="to_right")
SOUTH = LineShape("south", ((0, 3000), (4000, 3000)), inward="to_left")
MIDDLE = ZoneShape("middle", ((0, 1500), (4000, 1500), (4000, 2500), (0, 2500)))
METRES = Ground((0.1, 0, 0, 0, 0.1, 0, 0, 0, 1), (0, 0, 400, 400), 0.01)
ALL = Shapes((NORTH, SOUTH), (MIDDLE,), (METRES,))


def down(label: str, start_ms: int, step_ms: int = 400) -> Someone:
    """A person who walks from y = 50 to y = 350, in steps of 20 pixels."""
    return goer(label, *((start_ms + n * step_ms, 200, 50 + 20 * n) for n in range(16)))


def flows(everyone: Iterable[Someone], shapes: Shapes = ALL, day_ms: int = DAY) -> FlowColumns:
    files = path_files(everyone)
    near = [files[at] for at in (day_ms - DAY_MS, day_ms, day_ms + DAY_MS) if at in files]
    return flows_of_day(near, shapes, model=MODEL, source=SOURCE, day_start_ms=day_ms)


def rows(found: FlowColumns, kind: str, *names: str) -> list[tuple[int, ...]]:
    return list(zip(*(found.columns[f"{kind}_{name}"] for name in names), strict=True))


def test_a_car_driving_down_crosses_both_legs_stays_in_the_zone_and_has_a_movement_and_speed() -> None:
    found = flows([down("car", HOUR_MS)])
    assert (found.labels, found.lines, found.legs, found.zones) == (
        ("car",),
        ("north", "south"),
        ("north", "south"),
        ("middle",),
    )
    # y = 100 is half way from 90 to 110, the third step; a measured one is 0 in `missing`.
    assert rows(found, "crossing", "time", "line", "direction", "missing", "before", "after") == [
        (HOUR_MS + 1000, 0, 0, 0, 200, 200),
        (HOUR_MS + 5000, 1, 0, 0, 200, 200),
    ]
    assert rows(found, "crossing", "hour", "number", "label") == [(1, 0, 0)] * 2
    assert rows(found, "stay", "from", "to", "zone", "came", "went") == [
        (HOUR_MS + 2000, HOUR_MS + 4000, 0, 0, 0)
    ]
    assert rows(found, "visit", "time", "from_leg", "to_leg", "outcome", "came", "went") == [
        (HOUR_MS + 1000, 0, 1, 0, HOUR_MS + 1000, HOUR_MS + 5000)
    ]
    # 20 pixels are 2 metres, in 0.4 seconds: 18 km/h.
    assert rows(found, "visit", "speed", "speed_missing") == [(180, 0)]


def test_an_object_that_passes_midnight_gives_each_day_its_own_part() -> None:
    everyone = [down("car", DAY_MS - 3000)]  # at y = 200 at midnight
    today, tomorrow = flows(everyone), flows(everyone, day_ms=DAY + DAY_MS)
    assert rows(today, "crossing", "time", "line", "hour") == [(DAY_MS - 2000, 0, 23)]
    assert rows(tomorrow, "crossing", "time", "line", "hour") == [(2000, 1, -1)]
    assert rows(today, "stay", "from", "to") == [(DAY_MS - 1000, DAY_MS + 1000)]
    assert rows(tomorrow, "stay", "from", "to") == [(-1000, 1000)]
    assert rows(today, "visit", "time", "went") == [(DAY_MS - 2000, DAY_MS + 2000)]
    assert not rows(tomorrow, "visit", "time")


def test_leaving_a_zone_as_the_day_begins_is_in_the_books_of_its_first_interval() -> None:
    everyone = [down("car", DAY_MS - 4000)]  # leaves at midnight
    counts = counted(flows(everyone, Shapes(zones=(MIDDLE,)), day_ms=DAY + DAY_MS), 60)
    assert {parse_place(place).names[1]: value for (place, _, _), value in counts.items()} == {
        "at_start": 1,
        "left": 1,
    }


def test_a_day_without_its_neighbours_reports_what_it_knows() -> None:
    files = path_files([down("car", DAY_MS - 3000)])
    alone = flows_of_day([files[DAY]], ALL, model=MODEL, source=SOURCE, day_start_ms=DAY)
    assert rows(alone, "crossing", "time", "line") == [(DAY_MS - 2000, 0)]
    # The next day's file would have recorded that it left the zone.
    assert rows(alone, "stay", "to", "went") == [(DAY_MS, 2)]


def test_an_object_counted_by_a_lost_earlier_hour_is_not_a_visit_of_the_day() -> None:
    files = path_files([goer("car", *((ms, 10, 10 + ms // 100) for ms in range(-2000, 3000, 200)))])
    alone = flows_of_day([files[DAY]], ALL, model=MODEL, source=SOURCE, day_start_ms=DAY)
    assert not rows(alone, "visit", "time")


def test_a_shape_counts_from_its_start_until_its_end() -> None:
    everyone = [down("car", hour * HOUR_MS) for hour in (1, 2, 3)]
    noon = DAY + 2 * HOUR_MS
    for shape in (NORTH._replace(from_ms=noon), NORTH._replace(to_ms=noon)):
        assert [hour for (hour,) in rows(flows(everyone, Shapes((shape,))), "crossing", "hour")] == (
            [2, 3] if shape.from_ms else [1]
        )
    zone = MIDDLE._replace(from_ms=DAY + HOUR_MS + 3000)
    assert rows(flows(everyone[:1], Shapes(zones=(zone,))), "stay", "from", "to", "came") == [
        (HOUR_MS + 3000, HOUR_MS + 4000, 2)
    ]


def test_a_leg_reversed_at_noon_leads_the_other_way_from_then_on() -> None:
    everyone = [down("car", HOUR_MS), down("car", 3 * HOUR_MS)]
    noon = DAY + 2 * HOUR_MS
    before = (NORTH._replace(to_ms=noon), SOUTH._replace(to_ms=noon))
    after = (
        NORTH._replace(from_ms=noon, points=NORTH.points[::-1], inward="to_left"),
        SOUTH._replace(from_ms=noon, points=SOUTH.points[::-1], inward="to_right"),
    )
    found = flows(everyone, Shapes((*after, *before)))
    assert found.legs == ("north", "south")
    assert rows(found, "visit", "from_leg", "to_leg", "outcome") == [(0, 1, 0)] * 2


def test_there_are_no_visits_without_legs_and_calibration_and_no_visit_books_without_legs() -> None:
    everyone = [down("car", HOUR_MS)]
    assert not rows(flows(everyone, Shapes((NORTH._replace(inward=None),))), "visit", "time")
    speeds = flows(everyone, Shapes(grounds=(METRES,)))
    assert rows(speeds, "visit", "outcome", "speed") == [(2, 180)]
    assert not count_places(speeds, 60)
    until = DAY + HOUR_MS
    for shapes in (Shapes(grounds=(METRES._replace(to_ms=until),)), Shapes((NORTH._replace(to_ms=until),))):
        assert not rows(flows(everyone, shapes), "visit", "time")


def test_an_object_seen_before_a_leg_applies_and_crossing_it_later_is_in_the_books() -> None:
    leg = NORTH._replace(from_ms=DAY + HOUR_MS + 500)  # crossed half a second later
    assert rows(flows([down("car", HOUR_MS)], Shapes((leg,))), "visit", "time", "outcome") == [(HOUR_MS, 1)]


def test_a_visit_outside_the_calibrations_time_is_marked_as_not_calibrated() -> None:
    found = flows([down("car", HOUR_MS)], Shapes((NORTH, SOUTH), (), (METRES._replace(to_ms=DAY),)))
    assert rows(found, "visit", "speed", "error", "speed_missing") == [(0, 0, 6)]


def test_a_visit_has_the_label_of_its_first_track() -> None:
    files = path_files([down("car", DAY_MS - 3000)])
    renamed = files[DAY + DAY_MS]._replace(labels=("truck",))
    found = flows_of_day([renamed, files[DAY]], ALL, model=MODEL, source=SOURCE, day_start_ms=DAY + DAY_MS)
    assert found.labels == ("car",)


def counted(found: FlowColumns, interval_s: int) -> dict[tuple[str, str, int], int]:
    return {
        (count.place, count.label, count.interval_start_ms): count.value
        for count in count_places(found, interval_s)
    }


def test_places_have_counts_by_label_and_interval_and_every_place_of_the_drawing_is_named() -> None:
    passing = [down(label, start) for label, start in (("car", 0), ("car", 30_000), ("bus", 90_000))]
    lost = goer("car", *((600_000 + 200 * n, 100, 90 + 5 * n) for n in range(6)))
    far = goer("car", *((700_000 + 200 * n, 100 + 5 * n, 20) for n in range(6)))
    never_clear = goer("bus", *((800_000 + 200 * n, 100, 98 + n) for n in range(6)))
    found = flows([*passing, lost, far, never_clear])
    counts = counted(found, 60)
    assert {place for place, _, _ in counts} <= set(places_of(found))
    assert len(places_of(found)) == 2 * 3 + 2 * 2 + 2 + len(ZoneCounts._fields)

    def of(kind: str, *names: str) -> dict[tuple[str, int], int]:
        return {
            (label, (start_ms - DAY) // MINUTE_MS): value
            for (place, label, start_ms), value in counts.items()
            if (parse_place(place).kind, parse_place(place).names) == (kind, names)
        }

    assert of("line", "north", "to_right") == {("car", 0): 2, ("bus", 1): 1, ("car", 10): 1}
    assert of("line", "south", "to_right") == {("car", 0): 2, ("bus", 1): 1}
    assert of("line", "north", "to_left") == {}
    assert of("line", "north", "not_measured") == {("bus", 13): 1}
    assert of("movement", "north", "south") == {("car", 0): 2, ("bus", 1): 1}
    assert of("visits", "unassigned") == {("car", 10): 1, ("bus", 13): 1}
    assert of("visits", "never_at_a_leg") == {("car", 11): 1}
    assert of("zone", "middle", "entered") == {("car", 0): 2, ("bus", 1): 1}
    assert of("zone", "middle", "occupied_ms") == {("car", 0): 4000, ("bus", 1): 2000}


def test_an_object_in_a_zone_over_midnight_is_in_each_days_own_books() -> None:
    """The first interval of the next day belongs to the next day: each count of a zone occurs once."""
    stands = goer("car", *((DAY_MS - 4000 + 400 * n, 200, 200) for n in range(21)))
    leaves = goer("bus", *((DAY_MS - 800 + 400 * n, 200, 200) for n in range(3)))  # as the day ends
    books = {}
    for day_ms in (DAY, DAY + DAY_MS):
        found = flows([stands, leaves], day_ms=day_ms)
        for (place, label, start_ms), value in counted(found, 60).items():
            assert day_ms <= start_ms < day_ms + DAY_MS
            if parse_place(place).kind == "zone":
                books[start_ms - DAY - DAY_MS, label, parse_place(place).names[1]] = value
    assert {key: value for key, value in books.items() if key[1] == "car"} == {
        (-MINUTE_MS, "car", "entered"): 1,
        (-MINUTE_MS, "car", "occupied_ms"): 4000,
        (-MINUTE_MS, "car", "peak"): 1,
        (0, "car", "at_start"): 1,
        (0, "car", "occupied_ms"): 4000,
        (0, "car", "peak"): 1,
        (0, "car", "left"): 1,
    }
    assert books[0, "bus", "at_start"] == books[0, "bus", "left"] == 1
    assert (-MINUTE_MS, "bus", "left") not in books


LINE = LineShape("a line", ((0, 0), (40, 0), (60, 30)))
LEG = LineShape("leg", ((0, -60), (40, -60)), inward="to_left")
ZONE = ZoneShape("a zone", ((0, 0), (40, 0), (40, 40), (0, 40)))
SOME = Shapes((LINE, LEG), (ZONE,), (METRES._replace(reach_px=(-99, -99, 99, 99)),))


@st.composite
def people(draw: st.DrawFn) -> list[Someone]:
    """Objects near the shapes of `SOME`, across the two midnights of a day."""
    found = []
    for _ in range(draw(st.integers(1, 4))):
        times = draw(
            st.sets(st.integers(-2 * HOUR_MS // 100, (DAY_MS + 2 * HOUR_MS) // 100), min_size=1, max_size=9)
        )
        place = st.integers(-80, 80)
        feet = [(100 * ms, draw(place) / 10, draw(place) / 10) for ms in sorted(times)]
        near = [feet[0]]
        for ms, x, y in feet[1:]:  # no track skips an hour
            near.append((min(ms, near[-1][0] + HOUR_MS // 2), x, y))
        found.append(goer(draw(st.sampled_from(["car", "bus"])), *near, height_px=draw(st.integers(0, 3))))
    return found


@pytest.mark.thorough
@given(people(), st.randoms())
def test_neither_the_order_nor_the_repetition_of_files_changes_anything(
    everyone: list[Someone], random: Random
) -> None:
    files = list(path_files(everyone).values())
    wanted = encode_flows(day_of(files))
    shuffled = [*files, *files]
    random.shuffle(shuffled)
    assert encode_flows(day_of(shuffled)) == wanted
    assert encode_flows(decode_flows(wanted)) == wanted


def day_of(files: Sequence[PathColumns], day_ms: int = DAY) -> FlowColumns:
    return flows_of_day(files, SOME, model=MODEL, source=SOURCE, day_start_ms=day_ms)


@pytest.mark.thorough
@given(people())
def test_days_have_each_crossing_and_visit_once_and_zone_books_continue_from_day_to_day(
    everyone: list[Someone],
) -> None:
    files = list(path_files(everyone).values())
    days = [day_of(files, at) for at in (DAY - DAY_MS, DAY, DAY + DAY_MS)]
    assert sum(len(day.columns["visit_time"]) for day in days) == len(everyone)
    for before, now in pairwise(days):
        for label in ("car", "bus"):
            ends = zone_of(before, label)[-1] if zone_of(before, label) else None
            there = ends.at_end if ends else 0
            begins = counted(now, 60).get((f"{SOURCE}/zone/a%20zone/at_start", label, now.day_start_ms), 0)
            assert begins == there


def zone_of(found: FlowColumns, label: str) -> list[ZoneCounts]:
    by_time: dict[int, Counter[str]] = {}
    for (place, of, start_ms), value in counted(found, 60).items():
        if parse_place(place).kind == "zone" and of == label:
            by_time.setdefault(start_ms, Counter())[parse_place(place).names[1]] = value
    last_ms = found.day_start_ms + DAY_MS - MINUTE_MS
    return [ZoneCounts(**by_time[last_ms])] if last_ms in by_time else []


def test_shapes_are_read_back_as_they_were_written() -> None:
    assert parse_shapes(ALL.to_json()) == ALL
