"""Crossings of lines match those that a person sees, exact at every edge; a visit has at most one
movement."""

from __future__ import annotations

import datetime
import zoneinfo
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.traffic.flow_rule import Movement, movement_of
from tests.traffic.junction_visits import START_MS, Visit, make_flows, make_quarters
from tests.traffic.walks import SIMILARITIES, followed, lines, paths, seen_by, side_by_side, similarity, walk

from frametally.rules.clocks.turns import last_turn
from frametally.rules.path_columns import UNSEEN_MS
from frametally.rules.places import FLOWS, ZONES, ZoneShape, in_words, series_model
from frametally.rules.times import DAY_MS, HOUR_MS, WEEK_MS
from frametally.rules.week_parts import holds, shift
from frametally_traffic.flows.shapes import LineShape, Shapes, Ways
from frametally_traffic.geometry.crossings import (
    FLICKER_PART,
    Border,
    Crossing,
    Direction,
    Place,
    crossings_of,
    jumps,
    tenths,
)
from frametally_traffic.geometry.foot_paths import FollowedPath, FootPath, joined, stitched
from frametally_traffic.geometry.zones import PictureZone
from frametally_traffic.report.movement_table import TrafficTable, make_table
from frametally_traffic.report.quarters import QUARTER_MS, WHOLE, Quarter
from frametally_traffic.report.schemes import groups_of
from frametally_traffic.tasks.zones import stands_in

ACROSS = Border(tenths([(0, 100), (400, 100)]))
"""From left to right: its right hand is below."""
OTHER: dict[Direction, Direction] = {"to_right": "to_left", "to_left": "to_right"}
CORNER = Border(tenths([(0, 0), (100, 100), (200, 0)]))


def told(one: FollowedPath, line: Border = ACROSS) -> list[Any]:
    """`(time_ms, direction)` of measured crossings, the reason of the others."""
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
    "stops on the line and goes on": ([(50, 60), (50, 100), (50, 100), (50, 100), (50, 140)], [(600, DOWN)]),
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
def test_a_drawn_scene_has_the_crossings_that_you_can_see(scene: str) -> None:
    feet, seen = SCENES[scene]
    assert told(walk(*feet)) == seen


@pytest.mark.parametrize("points", [[(0, 0), (100, 100), (200, 0)], [(200, 0), (100, 100), (0, 0)]])
@pytest.mark.parametrize("arm_x", [50, 150])
@pytest.mark.parametrize("side", [[(100, 190), (100, 150)], [(100, -40), (100, 10)]])
def test_going_along_a_line_and_leaving_on_the_same_side_is_not_a_crossing(
    points: list[tuple[float, float]], arm_x: float, side: list[tuple[float, float]]
) -> None:
    assert told(walk(*side, (100, 100), (arm_x, 50), *side[::-1]), Border(tenths(points))) == []


def test_a_car_whose_lower_half_is_hidden_in_a_queue_does_not_drive_back() -> None:
    feet = [(50, 60), (50, 80), (50, 120), (50, 80), (50, 120), (50, 140)]
    one = walk(*feet)
    hidden = one._replace(path=one.path._replace(height=(400, 400, 400, 160, 400, 400)))
    assert told(one) == [(300, DOWN), (500, UP), (700, DOWN)]
    assert told(hidden) == [(300, DOWN), "hidden", "hidden"]
    # A person who shrinks over more than a second walks away, and one who does not return first counts as
    # usual.
    slow = hidden._replace(path=hidden.path._replace(time_ms=tuple(1001 * n for n in range(6))))
    assert "hidden" not in told(slow)
    # A person who returns and stays there has turned round.
    back = walk(*feet[:4])
    assert told(back._replace(path=back.path._replace(height=hidden.path.height[:4]))) == told(back)
    growing = one._replace(path=one.path._replace(height=(400, 200, 400, 400, 400, 400)))
    assert told(growing)[0] == (300, DOWN)


@pytest.mark.parametrize(("lost", "missing"), [(100, "hidden"), (99, None)])
def test_a_box_counts_as_hidden_once_it_loses_a_quarter_of_its_height(lost: int, missing: str | None) -> None:
    one = walk((50, 60), (50, 120), (50, 70), (50, 120))
    path = one.path._replace(height=(400, 400, 400 - lost, 400 - lost))
    assert crossings_of(one._replace(path=path), ACROSS)[1].missing == missing


def test_a_line_10_px_from_the_pictures_border_counts_big_and_small_objects() -> None:
    line = Border(tenths([(0, 470), (640, 470)]))
    for height_px in (10, 40, 200):
        out = walk((300, 400), (300, 440), (300, 465), (300, 478), height_px=height_px)
        assert told(out, line) == [(477, "to_right")]
        back = walk((300, 478), (300, 465), (300, 440), (300, 400), height_px=height_px)
        assert told(back, line) == [(123, "to_left")]


@pytest.mark.parametrize(("far_px", "missing"), [(79, None), (81, "gap")])
def test_a_gap_is_crossed_only_where_both_its_ends_are_near(far_px: float, missing: str | None) -> None:
    feet = [(50, 0), (50, 100 - far_px), (50, 100 + far_px), (50, 200)]
    (crossing,) = crossings_of(walk(*feet, step_ms=3000), ACROSS)
    assert crossing.missing == missing


def test_many_boxes_between_two_points_of_a_path_are_not_a_gap() -> None:
    (crossing,) = crossings_of(walk((50, 0), (50, 200), step_ms=3000, boxes=15), ACROSS)
    assert crossing.missing is None
    (crossing,) = crossings_of(walk((50, -2400), (50, 2600), step_ms=3000, boxes=15), ACROSS)
    assert crossing.missing == "too_few_boxes"


def test_a_corner_is_crossed_from_its_inside_to_its_outside() -> None:
    # Right of the line is below it, outside the corner: straight over its point, and around it.
    assert told(walk((100, 40), (100, 100), (100, 160)), CORNER) == [(200, "to_right")]
    assert told(walk((100, 40), (100, 100), (200, 100)), CORNER) == [(200, "to_right")]
    assert told(walk((0, 100), (100, 100), (200, 100)), CORNER) == []
    assert told(walk((40, 0), (100, 100), (160, 0)), CORNER) == []
    # Along one side, and straight on beyond the corner.
    assert told(walk((60, 20), (50, 50), (150, 150)), CORNER) == [(300, "to_right")]
    assert told(walk((50, 100), (50, 50), (150, 150)), CORNER) == []


def test_a_path_through_a_corner_between_two_boxes_crosses_twice() -> None:
    assert told(walk((-10, 50), (100, 50), (210, 50), boxes=9), CORNER) == [
        (109, "to_left"),
        (291, "to_right"),
    ]
    assert told(walk((-10, 50), (210, 50), (320, 50), boxes=9), CORNER) == [
        (55, "to_left"),
        (145, "to_right"),
    ]


def test_only_crossings_in_its_own_hours_belong_to_a_path() -> None:
    one = walk(*SCENES["comes towards us"][0])
    assert crossings_of(one._replace(from_ms=300), ACROSS) == crossings_of(one, ACROSS)
    assert crossings_of(one._replace(from_ms=301), ACROSS) == []
    assert crossings_of(one._replace(to_ms=300), ACROSS) == []


def test_a_line_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two points"):
        Border(tenths([(5, 5), (5.01, 5), (5, 5)]))


@pytest.mark.thorough
@given(paths(), lines(), SIMILARITIES)
def test_rotating_mirroring_scaling_and_shifting_picture_and_line_changes_nothing(
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
def test_a_line_drawn_the_other_way_has_the_opposite_directions(path: Any, line: list[Place]) -> None:
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
def test_net_equals_in_minus_out_where_the_line_spans_the_whole_picture(
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
def test_an_extra_point_on_a_path_changes_nothing(path: Any, line: list[Place]) -> None:
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
        # A change of one box's rate of growth moves the result a little.
        [
            crossing._replace(step=0, missing=None if crossing.missing == "hidden" else crossing.missing)
            for crossing in crossings_of(followed(path), border)
        ]
        for path in (coarse, fine)
    )
    assert one == other


SQUARE = ((0, 0), (1000, 0), (1000, 1000), (0, 1000))


class Box(NamedTuple):
    label: str
    confidence: float
    box: tuple[float, float, float, float]


def test_a_part_of_the_week_shifted_past_its_end_continues_at_its_start() -> None:
    assert shift(((0, HOUR_MS),), HOUR_MS) == ((HOUR_MS, 2 * HOUR_MS),)
    assert shift(((WEEK_MS - HOUR_MS, WEEK_MS),), HOUR_MS) == ((0, HOUR_MS),)


def test_a_part_of_the_week_applies_every_week_from_its_start_to_its_end() -> None:
    monday_ms = 4 * DAY_MS + 2 * WEEK_MS  # 1970-01-01 was a Thursday
    part = ((DAY_MS, 2 * DAY_MS),)
    moments_ms = (DAY_MS - 1, DAY_MS, 2 * DAY_MS - 1, 2 * DAY_MS)
    assert [holds(part, monday_ms + ms) for ms in moments_ms] == [False, True, True, False]


@pytest.mark.parametrize(("top_px", "inside"), [(-11.0, False), (-10.0, True), (90.0, True), (90.1, False)])
def test_the_foot_point_is_the_middle_of_a_boxs_lower_side(top_px: float, inside: bool) -> None:
    assert stands_in(PictureZone(SQUARE), Box("car", 0.9, (40.0, top_px, 20.0, 10.0))) is inside


def test_a_drawing_is_identified_by_16_hex_digits_and_written_with_its_own_spelling() -> None:
    shapes = Shapes(zones=(ZoneShape("Überweg", SQUARE),))
    assert '"Überweg"' in shapes.to_json()
    assert len(shapes.digest()) == 16


def test_a_shape_counts_only_in_the_hours_in_which_it_applies() -> None:
    shapes = Shapes(lines=(LineShape("l", ((0, 0), (9, 9)), from_ms=100, to_ms=200),))
    ranges_ms = ((0, 100), (0, 101), (199, 300), (200, 300))
    assert [bool(shapes.between(*range_ms).lines) for range_ms in ranges_ms] == [False, True, True, False]


def test_the_earlier_place_of_a_moved_line_comes_first() -> None:
    before = LineShape("l", ((0, 0), (9, 9)), to_ms=-5)
    after = LineShape("l", ((0, 0), (5, 9)), from_ms=-5)
    for either in ((before, after), (after, before)):
        assert [shape for shape, _ in Ways.from_shapes(Shapes(lines=either), -10).lines] == [before, after]


def test_a_crossing_after_a_hidden_one_is_counted() -> None:
    # Down; up and down again, hidden; up at last: the last change is not hidden.
    feet = [(50, 60), (50, 80), (50, 120), (50, 80), (50, 120), (50, 140), (50, 80), (50, 60)]
    one = walk(*feet)
    hidden = one._replace(path=one.path._replace(height=(400, 400, 400, 160, 400, 400, 400, 400)))
    crossings = crossings_of(hidden, Border(((0, 1000), (4000, 1000))))
    assert [crossing.missing for crossing in crossings] == [None, "hidden", "hidden", None]


@pytest.mark.parametrize(("apart_ms", "jump"), [(UNSEEN_MS, True), (UNSEEN_MS + 1, False)])
def test_a_box_can_only_jump_within_a_second(apart_ms: int, jump: bool) -> None:
    assert jumps(FootPath((0, apart_ms), (0, 0), (0, 0), (400, 200), (1, 1)), 0) is jump


def test_going_along_a_middle_piece_and_off_at_its_corner_crosses_nothing() -> None:
    border = Border(tenths([(0, 50), (100, 100), (100, 200), (200, 150)]))
    over = walk((100, 200), (100, 100), (50, 0), (100, 50))
    assert [crossing.direction for crossing in crossings_of(over, border)] == []


def test_a_foot_point_is_clear_of_a_border_only_beyond_a_fraction_of_its_height() -> None:
    border, height = Border(((0, 1000), (4000, 1000))), 400
    at = height // FLICKER_PART
    assert [border.is_clear(2000, 1000 + off, height) for off in (at, at + 1)] == [False, True]


def test_a_path_over_three_hours_ends_like_its_last_one() -> None:
    def hour(number: int, *at: int) -> FollowedPath:
        began, ended = "found" if number == 1 else "hour", "lost" if number == 3 else "hour"
        same = tuple(9 for _ in at)
        path = FootPath(at, at, same, same, tuple(1 for _ in at))
        return FollowedPath((f"{number}",), number, number + 1, began, ended, path)  # type: ignore[arg-type]

    [whole] = joined([hour(1, 0, 10, 20), hour(2, 10, 20, 30, 40), hour(3, 30, 40, 50)])
    assert (whole.ids, whole.began, whole.ended) == (("1", "2", "3"), "found", "lost")
    assert whole.path.time_ms == (0, 10, 20, 30, 40, 50)


def test_the_larger_number_of_boxes_counts_for_a_point_that_two_hours_share() -> None:
    first = FootPath((0, 10), (0, 1), (0, 0), (9, 9), (0, 4))
    assert stitched([first, FootPath((10, 20), (1, 2), (0, 0), (9, 9), (1, 2))]).boxes == (0, 4, 2)


def test_a_day_skipped_by_a_time_zone_begins_with_the_next_one() -> None:
    samoa = zoneinfo.ZoneInfo("Pacific/Apia")
    now_ms = int(datetime.datetime(2011, 12, 31, 12, tzinfo=samoa).timestamp() * 1000)
    turn = last_turn("day", 0, samoa, now_ms)
    assert turn.to_ms == turn.from_ms


def test_consecutive_classes_are_written_as_a_range() -> None:
    names = {group.name for group in groups_of(["car", "truck", "bus"], "fhwa")}
    assert any("-" in name for name in names), names


def test_a_quarter_hour_is_whole_if_enough_of_it_was_seen() -> None:
    assert Quarter(0, round(WHOLE * QUARTER_MS)).is_whole
    assert not Quarter(0, round(WHOLE * QUARTER_MS) - 1).is_whole


def test_u_turns_have_a_column_if_there_was_one() -> None:
    table = TrafficTable((), ("a", "b"), (), {(0, "a", "a", "car"): 1}, {})
    assert table.pairs == [("a", "b"), ("a", "a"), ("b", "a")]
    assert TrafficTable((), ("a",), (), {}, {}).pairs == [("a", "a")]


def test_visits_in_a_gap_count_as_left_out_and_those_outside_the_report_do_not() -> None:
    through = ("south", "north")
    in_the_gap = [Visit(START_MS + ms, "car", through) for ms in (1, 2)]
    visits = [*in_the_gap, Visit(START_MS + 5 * QUARTER_MS, "car", through)]
    table = make_table(make_flows(visits), make_quarters(2, missing={0}))
    assert (table.left_out, dict(table.movements)) == (2, {})


def test_a_series_is_named_by_its_model_and_by_where_it_counts() -> None:
    assert in_words("m") == "m"
    assert in_words(series_model("m", FLOWS)) == "m, at lines and zones"
    assert in_words(series_model("m", ZONES)) == "m, within zones"


def test_a_zones_depth_is_the_distance_of_its_diagonals_middle_from_the_rim() -> None:
    assert PictureZone(SQUARE).narrow2 == 500**2 * FLICKER_PART * FLICKER_PART / 4


LEGS = {
    "north": Border(tenths([(100, 100), (300, 100)])),
    "south": Border(tenths([(100, 300), (300, 300)])),
    "west": Border(tenths([(100, 100), (100, 300)])),
}
INWARD: dict[str, Direction] = {"north": "to_right", "south": "to_left", "west": "to_left"}


def movement(one: FollowedPath) -> Any:
    found = movement_of({leg: crossings_of(one, LEGS[leg]) for leg in LEGS}, INWARD)
    return found[:2] if isinstance(found, Movement) else found


def test_a_drawn_junction_has_the_movements_that_you_can_see() -> None:
    assert movement(walk((200, 50), (200, 150), (200, 250), (200, 350))) == ("north", "south")
    assert movement(walk((200, 350), (200, 250), (150, 200), (50, 200))) == ("south", "west")
    assert movement(walk((180, 50), (180, 150), (220, 150), (220, 50))) == ("north", "north")
    assert movement(walk((50, 200), (150, 200), (200, 200))) == "unassigned"
    assert movement(walk((200, 200), (200, 250), (200, 350))) == "unassigned"
    assert movement(walk((150, 200), (200, 200), (250, 200))) == "never_at_a_leg"


def test_the_pair_of_crossings_furthest_apart_is_the_movement() -> None:
    # In from the north, out to the west, in again, and out to the south.
    lost = walk((200, 50), (200, 150), (50, 150), (50, 250), (150, 250), (200, 350))
    assert movement(lost) == ("north", "south")


def test_an_unmeasured_crossing_gives_no_movement_but_counts_as_a_visit_to_a_leg() -> None:
    assert movement(walk((200, 50), (200, 150), (200, 250), (200, 850))) == "unassigned"
    assert movement(walk((200, -500), (200, 150), (200, 200))) == "unassigned"


CROSSINGS = st.builds(
    Crossing,
    st.integers(0, 8),
    st.sampled_from(["to_right", "to_left"]),
    st.just(0),
    st.sampled_from([None, None, None, "gap"]),
)
VISITS = st.dictionaries(st.sampled_from(sorted(LEGS)), st.lists(CROSSINGS, max_size=4))


@pytest.mark.thorough
@given(VISITS, st.randoms())
def test_no_pair_is_further_apart_than_the_movement(visit: dict[str, list[Crossing]], chance: Any) -> None:
    found = movement_of(visit, INWARD)
    measured = [(leg, one) for leg in visit for one in visit[leg] if one.missing is None]
    pairs = [
        went.time_ms - came.time_ms
        for from_leg, came in measured
        for to_leg, went in measured
        if came.direction == INWARD[from_leg]
        and went.direction != INWARD[to_leg]
        and came.time_ms < went.time_ms
    ]
    if isinstance(found, Movement):
        assert found.went.time_ms - found.came.time_ms == max(pairs)
        assert found.came in visit[found.from_leg] and found.went in visit[found.to_leg]
    else:
        assert not pairs
        assert (found == "never_at_a_leg") == (not any(visit.values()))
    legs = sorted(visit, key=lambda _: chance.random())
    assert movement_of({leg: chance.sample(visit[leg], len(visit[leg])) for leg in legs}, INWARD) == found
