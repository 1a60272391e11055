"""A zone's books balance: entries minus exits equal the change of occupancy, for any tracks."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.traffic.walks import SIMILARITIES, followed, paths, rings, seen_by, similarity, walk

from frametally.records import Detection
from frametally.rules.places import ZoneShape
from frametally_traffic.flows.day_columns import CAME, WENT
from frametally_traffic.flows.flow_sums import zone_counts
from frametally_traffic.geometry.crossings import Place, tenths
from frametally_traffic.geometry.foot_paths import FootPath
from frametally_traffic.geometry.zones import PictureZone, Stay, ZoneCounts, stays_of
from frametally_traffic.tasks.zones import ZoneInTime

SIDE = [(100, 100), (300, 100), (300, 300), (100, 300)]
SQUARE = PictureZone(tenths(SIDE))
STRIP = PictureZone(tenths([(0, 100), (400, 100), (400, 108), (0, 108)]))
"""Narrower than the flicker at its edge: a quarter of 40 px."""

SCENES: dict[str, tuple[PictureZone, list[tuple[float, float]], list[Stay]]] = {
    "goes through": (
        SQUARE,
        [(200, 50), (200, 150), (200, 250), (200, 350)],
        [Stay(100, 500, "entered", "left")],
    ),
    "comes and is lost": (
        SQUARE,
        [(200, 50), (200, 150), (200, 200)],
        [Stay(100, 400, "entered", "vanished")],
    ),
    "is found within and goes": (
        SQUARE,
        [(200, 200), (200, 250), (200, 350)],
        [Stay(0, 300, "appeared", "left")],
    ),
    "is within all the time": (SQUARE, [(200, 200), (210, 210)], [Stay(0, 200, "appeared", "vanished")]),
    "comes, goes and comes again": (
        SQUARE,
        [(200, 50), (200, 150), (200, 50), (200, 150)],
        [Stay(100, 300, "entered", "left"), Stay(500, 600, "entered", "vanished")],
    ),
    "jitters on the rim and comes in": (
        SQUARE,
        [(200, 60), (200, 98), (200, 102), (200, 98), (200, 102), (200, 142)],
        [Stay(700, 1000, "entered", "vanished")],
    ),
    "jitters on the rim and goes away": (SQUARE, [(200, 60), (200, 98), (200, 105), (200, 60)], []),
    "stands on the rim for ever": (SQUARE, [(200, 100)] * 3, [Stay(0, 400, "appeared", "vanished")]),
    "begins on the rim and goes away": (SQUARE, [(200, 100), (200, 60), (200, 20)], []),
    "cuts off a corner by a little": (SQUARE, [(90, 115), (115, 90), (140, 65)], []),
    "is parked on the rim, begun outside": (SQUARE, [(200, 98), (200, 102), (200, 98), (200, 102)], []),
    "is found within, goes and comes again": (
        SQUARE,
        [(200, 200), (200, 50), (200, 200)],
        [Stay(0, 133, "appeared", "left"), Stay(267, 400, "entered", "vanished")],
    ),
    "begins on the rim and goes through": (
        SQUARE,
        [(200, 100), (200, 350), (200, 360)],
        [Stay(0, 160, "appeared", "left")],
    ),
    "passes by": (SQUARE, [(50, 50), (50, 400)], []),
    "goes over a narrow strip": (
        STRIP,
        [(200, 60), (200, 102), (200, 106), (200, 150)],
        [Stay(190, 409, "entered", "left")],
    ),
    "steps over a narrow strip": (
        STRIP,
        [(200, 64), (200, 144), (200, 200)],
        [Stay(90, 110, "entered", "left")],
    ),
    "passes between two frames": (
        SQUARE,
        [(200, -100), (200, 0), (200, 500), (200, 600)],
        [Stay(240, 320, "entered", "left")],
    ),
}


def frame_at(time_ms: int, width_px: int = 640, height_px: int = 480) -> Any:
    return SimpleNamespace(captured_at_ms=time_ms, width_px=width_px, height_px=height_px)


@pytest.mark.parametrize("scale", [0.5, 1, 3])
def test_a_zone_has_the_same_place_in_pictures_of_its_shape_and_any_size(scale: float) -> None:
    zone = ZoneInTime([ZoneShape("bay", ((10.0, 10.0), (20.0, 10.0), (20.0, 20.5)), drawn_over=(640, 480))])
    is_in = zone.boxes_on(frame_at(5, round(640 * scale), round(480 * scale)))
    assert is_in is not None
    for x, y, is_there in ((19, 15, True), (21, 15, False), (11, 19, False)):
        box = (scale * x - 5, scale * y - 5, 10.0, 5.0)
        assert is_in(Detection(label="car", confidence=0.9, box=box)) is is_there


def test_a_zone_is_in_no_picture_of_another_shape() -> None:
    zone = ZoneInTime([ZoneShape("bay", ((10.0, 10.0), (20.0, 10.0), (20.0, 20.5)), drawn_over=(640, 480))])
    assert zone.boxes_on(frame_at(5, 640, 360)) is None


def test_a_moved_zone_has_the_boxes_of_its_place_at_that_time_and_none_before_it_was_drawn() -> None:
    left, right = (tuple((x + by, y) for x, y in tenths(SIDE)) for by in (0, 3000))
    zone = ZoneInTime([ZoneShape("bay", left, 100, 200), ZoneShape("bay", right, 200)])
    box = Detection(label="car", confidence=0.9, box=(190.0, 150.0, 20.0, 50.0))
    assert zone.boxes_on(frame_at(99)) is None
    before, after = zone.boxes_on(frame_at(199)), zone.boxes_on(frame_at(200))
    assert before is not None
    assert after is not None
    assert (before(box), after(box)) == (True, False)


@pytest.mark.parametrize("scene", SCENES)
def test_a_drawn_scene_has_the_stays_that_you_can_see(scene: str) -> None:
    zone, feet, stays = SCENES[scene]
    assert stays_of(walk(*feet), zone) == stays


def test_an_object_unseen_for_longer_than_a_second_did_not_pass_through_a_zone() -> None:
    feet = SCENES["passes between two frames"][1]
    assert len(stays_of(walk(*feet, step_ms=1000), SQUARE)) == 1
    assert len(stays_of(walk(*feet, step_ms=1001, boxes=2), SQUARE)) == 1
    assert stays_of(walk(*feet, step_ms=1001), SQUARE) == []


@pytest.mark.parametrize(("step_ms", "stays"), [(500, [Stay(250, 1250, "entered", "left")]), (499, [])])
def test_walking_along_the_rim_for_a_second_is_a_stay_however_near(step_ms: int, stays: list[Stay]) -> None:
    feet = [(120, 98), (160, 102), (200, 102), (240, 98)]
    assert stays_of(walk(*feet, step_ms=step_ms), SQUARE) == stays


@pytest.mark.parametrize(
    ("began", "came"),
    [
        ("border", "entered"),
        ("found", "appeared"),
        ("gap", "from_start"),
        ("footage", "from_start"),
        ("hour", "from_start"),
    ],
)
def test_an_object_there_from_the_start_differs_from_one_that_entered(began: Any, came: str) -> None:
    (stay,) = stays_of(walk((200, 200), (200, 250), (200, 350))._replace(began=began), SQUARE)
    assert (stay.came, stay.went) == (came, "left")


@pytest.mark.parametrize(
    ("ended", "went"),
    [("border", "left"), ("lost", "vanished"), ("gap", "to_end"), ("footage", "to_end"), ("hour", "to_end")],
)
def test_an_object_there_to_the_end_differs_from_one_that_left(ended: Any, went: str) -> None:
    (stay,) = stays_of(walk((200, 50), (200, 150), (200, 200))._replace(ended=ended), SQUARE)
    assert (stay.came, stay.went) == ("entered", went)


def test_only_the_stays_in_its_own_hours_belong_to_a_path() -> None:
    one = walk(*SCENES["goes through"][1])
    assert stays_of(one._replace(from_ms=200), SQUARE) == [Stay(200, 500, "from_start", "left")]
    assert stays_of(one._replace(to_ms=200), SQUARE) == [Stay(100, 200, "entered", "to_end")]
    assert stays_of(one._replace(from_ms=500), SQUARE) == []
    assert stays_of(one._replace(to_ms=100), SQUARE) == []


def test_points_in_one_line_are_not_a_zone() -> None:
    with pytest.raises(ValueError, match="not all on a straight line"):
        PictureZone(tenths([(0, 0), (10, 10), (20, 20)]))


def winds_round(corners: list[Place], x: int, y: int) -> bool | None:
    """The winding number, after Sunday; None on the edge."""
    turns = 0
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        cross = (bx - ax) * (y - ay) - (x - ax) * (by - ay)
        if cross == 0 and min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by):
            return None
        turns += (ay <= y < by and cross > 0) - (by <= y < ay and cross < 0)
    return turns != 0


@settings(max_examples=examples(25))
@given(rings())
def test_a_point_is_inside_where_the_ring_winds_round_it(corners: list[Place]) -> None:
    zone = PictureZone(corners)
    for x, y in product(range(-13, 14), repeat=2):
        assert zone.place_of(x, y) == {True: 1, None: 0, False: -1}[winds_round(corners, x, y)]


@pytest.mark.thorough
@example(  # it begins on the rim, goes through a narrow zone within one step, and returns
    FootPath((-3, -2, -1), (0, 0, 0), (0, -3, -1), (8, 8, 8), (1, 4, 4)),
    [(-1, -1), (0, -2), (1, -1), (2, -1), (2, 0), (1, 0), (0, 0), (-1, 0)],
)
@given(paths(least_boxes=2), rings())
def test_an_object_clear_of_the_rim_is_either_inside_or_outside(path: Any, corners: list[Place]) -> None:
    zone = PictureZone(corners)
    stays = stays_of(followed(path), zone)
    ends = [ms for stay in stays for ms in stay[:2]]
    assert ends == sorted(ends)
    for time_ms, x, y, height, _ in zip(*path, strict=True):
        if zone.is_clear(x, y, height):
            if zone.place_of(x, y) > 0:
                assert any(stay.from_ms <= time_ms <= stay.to_ms for stay in stays)
            else:
                assert not any(stay.from_ms < time_ms < stay.to_ms for stay in stays)


@pytest.mark.thorough
@given(paths(), rings(), SIMILARITIES, st.integers(0, 20), st.booleans())
def test_rotating_mirroring_scaling_and_shifting_picture_and_zone_changes_nothing(
    path: Any, corners: list[Place], similar: Any, first: int, backwards: bool
) -> None:
    (a, b, scale), mirror, shift = similar
    turn = similarity(a, b, mirror, shift)
    turned = [turn(*corner) for corner in corners]
    first %= len(turned)
    turned = (turned[first:] + turned[:first])[:: -1 if backwards else 1]
    before = stays_of(followed(path), PictureZone(corners))
    assert stays_of(followed(seen_by(path, turn, scale)), PictureZone(turned)) == before


def rows_of_stays(stays: Iterable[Stay]) -> dict[str, Any]:
    """Stays of one zone and label, in the form of a file of flows."""
    rows = [(*ends, CAME.index(came), WENT.index(went), 0, 0) for *ends, came, went in stays]
    names = ("from", "to", "came", "went", "zone", "label")
    return dict(zip(names, np.array(rows, np.int64).reshape(-1, len(names)).T, strict=True))


def count_stays(stays: Iterable[tuple[Any, Stay]], interval_ms: int) -> dict[int, ZoneCounts]:
    """The events in a zone, by the start of the interval."""
    own = [stay for _, stay in {*stays}]
    first, last = (of((ms // interval_ms for stay in own for ms in stay[:2]), default=0) for of in (min, max))
    edges = np.arange(first - 1, last + 2) * interval_ms
    found = zone_counts(rows_of_stays(own), int(edges[0]), edges, int(edges[0]), int(edges[-1]))
    return {int(edges[bar]): counts for (bar, _, _), counts in found.items()}


def check_books(counts: dict[int, ZoneCounts], interval_ms: int) -> None:
    """The occupants after an interval are those before the next one."""
    for start_ms, of_interval in counts.items():
        assert counts.get(start_ms + interval_ms, ZoneCounts()).at_start == of_interval.at_end
        assert of_interval.at_start == counts.get(start_ms - interval_ms, ZoneCounts()).at_end
        assert min(of_interval) >= 0
        assert of_interval.occupied_ms <= of_interval.peak * interval_ms


@pytest.mark.thorough
@given(
    st.lists(st.tuples(paths(), st.sampled_from(["border", "found", "footage", "gap"])), max_size=5),
    rings(),
    st.integers(1, 3000),
)
def test_the_books_of_a_zone_balance_for_any_tracks(tracks: list[Any], corners: list[Place], ms: int) -> None:
    zone = PictureZone(corners)
    stays = [
        (number, stay)
        for number, (path, began) in enumerate(tracks)
        for stay in stays_of(followed(path, began), zone)
    ]
    counts = count_stays(stays, ms)
    check_books(counts, ms)
    total = Counter[str]()
    for of_interval in counts.values():
        total.update(of_interval._asdict())
    assert total["entered"] + total["appeared"] + total["from_start"] == len(stays)
    assert total["left"] + total["vanished"] + total["to_end"] == len(stays)


STAYS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.builds(
            lambda from_ms, long_ms, came, went: Stay(from_ms, from_ms + long_ms, came, went),
            st.integers(-40, 40),
            st.integers(0, 30),
            st.sampled_from(["entered", "appeared", "from_start"]),
            st.sampled_from(["left", "vanished", "to_end"]),
        ),
    )
)


@given(STAYS, st.integers(1, 20))
def test_occupancy_matches_a_count_of_every_millisecond(stays: list[Any], interval_ms: int) -> None:
    counts = count_stays(stays, interval_ms)
    check_books(counts, interval_ms)
    there = Counter(ms for _, stay in {*stays} for ms in range(stay.from_ms, stay.to_ms))
    for start_ms in range(-60, 90):
        if start_ms % interval_ms == 0:
            moments = [there[ms] for ms in range(start_ms, start_ms + interval_ms)]
            of_interval = counts.get(start_ms, ZoneCounts())
            assert (of_interval.occupied_ms, of_interval.peak) == (sum(moments), max(moments))
            assert of_interval.at_start == sum(stay.from_ms < start_ms <= stay.to_ms for _, stay in {*stays})


@given(STAYS, st.randoms())
def test_any_order_of_stays_has_the_same_sums(stays: list[Any], chance: random.Random) -> None:
    again = chance.sample(stays, len(stays))
    assert list(count_stays(again, 7).items()) == list(count_stays(stays, 7).items())
