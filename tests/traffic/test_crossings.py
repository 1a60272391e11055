"""A crossing counts once, in its direction, at its time; or it is said why it is not measured."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.traffic.walks import (
    SIMILARITIES,
    followed,
    lines,
    paths,
    seen_by,
    side_by_side,
    similarity,
    walk,
)

from frametally_traffic.geometry.borders import Border, Place, tenths
from frametally_traffic.geometry.crossings import Direction, crossings_of
from frametally_traffic.geometry.foot_paths import FollowedPath

ACROSS = Border(tenths([(0, 100), (400, 100)]))
"""From left to right: its right hand is below."""
OTHER: dict[Direction, Direction] = {"to_right": "to_left", "to_left": "to_right"}
CORNER = Border(tenths([(0, 0), (100, 100), (200, 0)]))


def told(one: FollowedPath, line: Border = ACROSS) -> list[Any]:
    """`(time_ms, direction)` of what is measured, the reason of what is not."""
    return [
        crossing.missing or (crossing.time_ms, crossing.direction) for crossing in crossings_of(one, line)
    ]


DOWN, UP = "to_right", "to_left"
SCENES: dict[str, tuple[list[tuple[float, float]], list[Any]]] = {
    "comes towards us": ([(50, 40), (50, 80), (50, 120), (50, 160)], [(300, DOWN)]),
    "goes away": ([(50, 160), (50, 120), (50, 70), (50, 40)], [(280, UP)]),
    "turns behind the line": (
        [(50, 60), (50, 90), (50, 130), (60, 130), (60, 90), (60, 60)],
        [(250, DOWN), (750, UP)],
    ),
    "turns before the line": ([(50, 60), (50, 99), (60, 99), (60, 60)], []),
    "comes a little over the line and goes back": ([(50, 60), (50, 105), (60, 105), (60, 60)], []),
    "touches the line and goes back": ([(50, 60), (50, 100), (60, 60)], []),
    "stops on the line and goes on": (
        [(50, 60), (50, 100), (50, 100), (50, 100), (50, 140)],
        [(600, DOWN)],
    ),
    "stops on the line and goes back": ([(50, 60), (50, 100), (50, 100), (50, 100), (50, 60)], []),
    "jitters on the line and goes on": (
        [(50, 60), (50, 98), (50, 102), (50, 97), (50, 103), (50, 150)],
        [(700, DOWN)],
    ),
    "jitters on the line and goes back": ([(50, 60), (50, 98), (50, 102), (50, 97), (50, 103), (50, 60)], []),
    "goes along the line and over it": (
        [(50, 60), (50, 100), (150, 100), (250, 100), (260, 140)],
        [(600, DOWN)],
    ),
    "goes along the line and back": ([(50, 60), (50, 100), (150, 100), (250, 100), (260, 60)], []),
    "goes beside the line, jittering": ([(n * 40, 100 + (-4) ** (n % 2)) for n in range(9)], []),
    "passes the line's end": ([(410, 40), (410, 80), (410, 120), (410, 160)], []),
    "goes over the line's end": ([(400, 40), (400, 80), (400, 120), (400, 160)], [(300, DOWN)]),
    "comes round the line's end after it slid off": (
        [(350, 60), (350, 100), (450, 100), (450, 140), (450, 100), (350, 100), (350, 140)],
        [],
    ),
    "goes over the line and off beyond its beginning": ([(5, 98), (5, 102), (-60, 101)], [(100, DOWN)]),
    "goes over the line and off beyond its end": ([(395, 98), (395, 102), (460, 101)], [(100, DOWN)]),
    "begins on the line": ([(50, 100), (50, 130), (50, 160)], []),
    "ends on the line": ([(50, 40), (50, 70), (50, 100)], []),
    "stands on the line for ever": ([(50, 100)] * 9, []),
    "is parked on the line": ([(50, 98), (50, 102), (50, 98), (50, 102)], ["never_clear"]),
    "comes in 5 px from the line": ([(50, 95), (50, 104), (50, 118), (50, 140)], [(111, DOWN)]),
    "goes off 5 px behind the line": ([(50, 60), (50, 80), (50, 96), (50, 105)], [(489, DOWN)]),
    "is seen twice only": ([(50, 60), (50, 140)], ["too_few_boxes"]),
    "is seen too rarely": ([(50, -300), (50, -100), (50, 190), (50, 300)], ["too_few_boxes"]),
}


@pytest.mark.parametrize("scene", SCENES)
def test_a_drawn_scene_has_the_crossings_that_one_sees(scene: str) -> None:
    feet, seen = SCENES[scene]
    assert told(walk(*feet)) == seen


def test_a_car_whose_lower_half_is_hidden_in_a_queue_does_not_drive_back() -> None:
    feet = [(50, 60), (50, 80), (50, 120), (50, 80), (50, 120), (50, 140)]
    one = walk(*feet)
    hidden = one._replace(path=one.path._replace(height=(400, 400, 400, 160, 400, 400)))
    assert told(one) == [(300, DOWN), (500, UP), (700, DOWN)]
    assert told(hidden) == [(300, DOWN), "hidden", "hidden"]
    # Who shrinks over more than a second goes away, and who does not come back first is counted as ever.
    slow = hidden._replace(path=hidden.path._replace(time_ms=tuple(1001 * n for n in range(6))))
    assert "hidden" not in told(slow)
    # Who comes back and stays there has turned round.
    back = walk(*feet[:4])
    assert told(back._replace(path=back.path._replace(height=hidden.path.height[:4]))) == told(back)
    growing = one._replace(path=one.path._replace(height=(400, 200, 400, 400, 400, 400)))
    assert told(growing)[0] == (300, DOWN)


@pytest.mark.parametrize(("lost", "missing"), [(100, "hidden"), (99, None)])
def test_a_quarter_of_the_height_is_the_least_that_is_hidden(lost: int, missing: str | None) -> None:
    one = walk((50, 60), (50, 120), (50, 70), (50, 120))
    path = one.path._replace(height=(400, 400, 400 - lost, 400 - lost))
    assert crossings_of(one._replace(path=path), ACROSS)[1].missing == missing


def test_a_line_10_px_from_the_pictures_border_counts_big_and_small() -> None:
    line = Border(tenths([(0, 470), (640, 470)]))
    for height_px in (10, 40, 200):
        out = walk((300, 400), (300, 440), (300, 465), (300, 478), height_px=height_px)
        assert told(out, line) == [(477, "to_right")]
        back = walk((300, 478), (300, 465), (300, 440), (300, 400), height_px=height_px)
        assert told(back, line) == [(123, "to_left")]


@pytest.mark.parametrize(("far_px", "missing"), [(79, None), (81, "gap")])
def test_a_gap_is_crossed_only_where_both_its_sides_are_near(far_px: float, missing: str | None) -> None:
    feet = [(50, 0), (50, 100 - far_px), (50, 100 + far_px), (50, 200)]
    (crossing,) = crossings_of(walk(*feet, step_ms=3000), ACROSS)
    assert crossing.missing == missing


def test_many_boxes_between_two_points_of_a_path_are_no_gap() -> None:
    (crossing,) = crossings_of(walk((50, 0), (50, 200), step_ms=3000, boxes=15), ACROSS)
    assert crossing.missing is None
    (crossing,) = crossings_of(walk((50, -2400), (50, 2600), step_ms=3000, boxes=15), ACROSS)
    assert crossing.missing == "too_few_boxes"


def test_a_corner_is_crossed_where_one_goes_from_its_hollow_to_its_outside() -> None:
    # Right of the line is below it, outside the corner: straight over its point, and round it.
    assert told(walk((100, 40), (100, 100), (100, 160)), CORNER) == [(200, "to_right")]
    assert told(walk((100, 40), (100, 100), (200, 100)), CORNER) == [(200, "to_right")]
    assert told(walk((0, 100), (100, 100), (200, 100)), CORNER) == []
    assert told(walk((40, 0), (100, 100), (160, 0)), CORNER) == []
    # Along the one side, and straight on beyond the corner.
    assert told(walk((60, 20), (50, 50), (150, 150)), CORNER) == [(300, "to_right")]
    assert told(walk((50, 100), (50, 50), (150, 150)), CORNER) == []


def test_who_comes_through_a_corner_between_two_boxes_crosses_twice() -> None:
    assert told(walk((-10, 50), (100, 50), (210, 50), boxes=9), CORNER) == [
        (109, "to_left"),
        (291, "to_right"),
    ]
    assert told(walk((-10, 50), (210, 50), (320, 50), boxes=9), CORNER) == [
        (55, "to_left"),
        (145, "to_right"),
    ]


def test_only_what_lies_in_its_hours_is_told_of_a_path() -> None:
    one = walk(*SCENES["comes towards us"][0])
    assert crossings_of(one._replace(from_ms=300), ACROSS) == crossings_of(one, ACROSS)
    assert crossings_of(one._replace(from_ms=301), ACROSS) == []
    assert crossings_of(one._replace(to_ms=300), ACROSS) == []


def test_a_line_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match="two points at least"):
        Border(tenths([(5, 5), (5.01, 5), (5, 5)]))


@pytest.mark.thorough
@given(paths(), lines(), SIMILARITIES)
def test_turning_mirroring_scaling_and_moving_picture_and_line_changes_nothing(
    path: Any, line: list[Place], similar: Any
) -> None:
    (a, b, scale), mirror, shift = similar
    turn = similarity(a, b, mirror, shift)
    before = crossings_of(followed(path), Border(line))
    after = crossings_of(followed(seen_by(path, turn, scale)), Border([turn(*place) for place in line]))
    if mirror < 0:
        after = [crossing._replace(direction=OTHER[crossing.direction]) for crossing in after]
    assert after == before


@given(paths(), lines())
def test_a_line_drawn_the_other_way_has_the_other_directions(path: Any, line: list[Place]) -> None:
    before = crossings_of(followed(path), Border(line))
    after = crossings_of(followed(path), Border(line[::-1]))
    assert [crossing._replace(direction=OTHER[crossing.direction]) for crossing in after] == before


@pytest.mark.thorough
@given(paths(), lines())
def test_a_path_walked_back_crosses_as_often(path: Any, line: list[Place]) -> None:
    back = path._replace(
        time_ms=tuple(-ms for ms in path.time_ms[::-1]),
        boxes=(1, *path.boxes[:0:-1]),
        **{name: getattr(path, name)[::-1] for name in ("x", "y", "height")},
    )
    before = [crossing.direction for crossing in crossings_of(followed(path), Border(line))]
    after = [OTHER[crossing.direction] for crossing in crossings_of(followed(back), Border(line))]
    assert after == before[::-1]


@pytest.mark.thorough
@given(paths(), st.integers(-12, 12), st.integers(-12, 12))
def test_net_is_in_less_out_where_the_line_goes_through_the_whole_picture(
    path: Any, left: int, right: int
) -> None:
    line = [(-13, left), (13, right)]
    border = Border(line)
    crossings = crossings_of(followed(path), border)
    directions = [crossing.direction for crossing in crossings]
    assert all(one != next_one for one, next_one in pairwise(directions))
    clear = [
        side_by_side(line, x, y)
        for x, y, height in zip(path.x, path.y, path.height, strict=True)
        if border.is_clear(x, y, height)
    ]
    if all(border.is_clear(path.x[end], path.y[end], path.height[end]) for end in (0, -1)):
        net = directions.count("to_right") - directions.count("to_left")
        assert 2 * net == clear[-1] - clear[0]


@pytest.mark.thorough
@given(paths(most_height=6, least_boxes=2), lines(most=2))
def test_a_point_more_on_the_way_changes_nothing(path: Any, line: list[Place]) -> None:
    coarse = path._replace(
        time_ms=tuple(ms // 4 * 2 for ms in path.time_ms),
        boxes=(1, *(number // 2 * 2 for number in path.boxes[1:])),
        **{name: tuple(2 * value for value in getattr(path, name)) for name in ("x", "y", "height")},
    )
    points = [*zip(*coarse, strict=True)]
    finer = [points[0]]
    for before, now in pairwise(points):
        middle = [(one + other) // 2 for one, other in zip(before[:4], now[:4], strict=True)]
        finer += [(*middle, now[4] // 2), (*now[:4], now[4] // 2)]
    fine = coarse._make(tuple(column) for column in zip(*finer, strict=True))
    border = Border([(2 * x, 2 * y) for x, y in line])
    one, other = (
        # How fast a box changes in size, a point more does change.
        [
            crossing._replace(step=0, missing=None if crossing.missing == "hidden" else crossing.missing)
            for crossing in crossings_of(followed(path), border)
        ]
        for path in (coarse, fine)
    )
    assert one == other
