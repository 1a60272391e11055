"""Rules at their edges: the values at which a rule that decides a number goes the other way."""

from __future__ import annotations

import datetime
import zoneinfo
from typing import NamedTuple

import pytest
from tests.traffic.junction_visits import START_MS, Visit, make_flows, make_quarters
from tests.traffic.walks import walk

from frametally.rules.clocks.turns import last_turn
from frametally.rules.path_columns import UNSEEN_MS
from frametally.rules.places import FLOWS, ZONES, ZoneShape, in_words, series_model
from frametally.rules.times import DAY_MS, HOUR_MS, WEEK_MS
from frametally.rules.week_parts import holds, moved
from frametally_traffic.flows.shapes import LineShape, Shapes
from frametally_traffic.flows.ways import Ways
from frametally_traffic.flows.zone_boxes import stands_in
from frametally_traffic.geometry.borders import FLICKER_PART, Border, tenths
from frametally_traffic.geometry.crossings import LineCounts, crossings_of, jumps
from frametally_traffic.geometry.foot_paths import FollowedPath, FootPath, joined, stitched
from frametally_traffic.geometry.zones import PictureZone
from frametally_traffic.report.movement_table import TrafficTable, make_table
from frametally_traffic.report.quarters import QUARTER_MS, WHOLE, Quarter
from frametally_traffic.report.schemes import groups_of

SQUARE = ((0, 0), (1000, 0), (1000, 1000), (0, 1000))


class Box(NamedTuple):
    label: str
    confidence: float
    box: tuple[float, float, float, float]


def test_a_part_of_the_week_moves_later_and_comes_in_at_the_other_end() -> None:
    assert moved(((0, HOUR_MS),), HOUR_MS) == ((HOUR_MS, 2 * HOUR_MS),)
    assert moved(((WEEK_MS - HOUR_MS, WEEK_MS),), HOUR_MS) == ((0, HOUR_MS),)


def test_a_part_of_the_week_holds_in_every_week_from_its_start_to_its_end() -> None:
    monday_ms = 4 * DAY_MS + 2 * WEEK_MS  # 1970-01-01 was a Thursday
    part = ((DAY_MS, 2 * DAY_MS),)
    moments_ms = (DAY_MS - 1, DAY_MS, 2 * DAY_MS - 1, 2 * DAY_MS)
    assert [holds(part, monday_ms + ms) for ms in moments_ms] == [False, True, True, False]


@pytest.mark.parametrize(("top_px", "inside"), [(-11.0, False), (-10.0, True), (90.0, True), (90.1, False)])
def test_a_foot_point_is_the_middle_of_a_boxs_lower_side(top_px: float, inside: bool) -> None:
    zone = PictureZone(SQUARE)
    assert stands_in(zone, Box("car", 0.9, (40.0, top_px, 20.0, 10.0))) is inside


def test_a_drawing_is_told_from_others_by_16_hex_and_written_as_it_is_spelled() -> None:
    shapes = Shapes(zones=(ZoneShape("Überweg", SQUARE),))
    assert '"Überweg"' in shapes.to_json()
    assert len(shapes.digest()) == 16


def test_a_shape_counts_in_the_hours_in_which_it_holds_alone() -> None:
    shapes = Shapes(lines=(LineShape("l", ((0, 0), (9, 9)), from_ms=100, to_ms=200),))
    ranges_ms = ((0, 100), (0, 101), (199, 300), (200, 300))
    assert [bool(shapes.within(*range_ms).lines) for range_ms in ranges_ms] == [False, True, True, False]


def test_of_a_line_that_moved_the_former_place_comes_first() -> None:
    before = LineShape("l", ((0, 0), (9, 9)), to_ms=-5)
    after = LineShape("l", ((0, 0), (5, 9)), from_ms=-5)
    for lines in ((before, after), (after, before)):
        assert [shape for shape, _ in Ways.of(Shapes(lines=lines), -10).lines] == [before, after]


def test_there_and_back_are_two_crossings_and_no_surplus() -> None:
    counts = LineCounts(to_right=3, to_left=2)
    assert (counts.gross, counts.net) == (5, 1)


def test_a_crossing_after_a_hidden_one_is_counted() -> None:
    # Down; up and down again, hidden; up at last: the last change is no part of the hiding.
    feet = [(50, 60), (50, 80), (50, 120), (50, 80), (50, 120), (50, 140), (50, 80), (50, 60)]
    one = walk(*feet)
    hidden = one._replace(path=one.path._replace(height=(400, 400, 400, 160, 400, 400, 400, 400)))
    crossings = crossings_of(hidden, Border(((0, 1000), (4000, 1000))))
    assert [crossing.missing for crossing in crossings] == [None, "hidden", "hidden", None]


@pytest.mark.parametrize(("apart_ms", "jump"), [(UNSEEN_MS, True), (UNSEEN_MS + 1, False)])
def test_a_box_jumps_in_a_second_at_most(apart_ms: int, jump: bool) -> None:
    assert jumps(FootPath((0, apart_ms), (0, 0), (0, 0), (400, 200), (1, 1)), 0) is jump


def test_who_goes_along_a_piece_in_the_middle_and_off_at_its_corner_crosses_nothing() -> None:
    border = Border(tenths([(0, 50), (100, 100), (100, 200), (200, 150)]))
    over = walk((100, 200), (100, 100), (50, 0), (100, 50))
    assert [crossing.direction for crossing in crossings_of(over, border)] == []


def test_a_foot_point_is_clear_of_a_border_beyond_a_part_of_its_height_and_not_at_it() -> None:
    border, height = Border(((0, 1000), (4000, 1000))), 400
    at = height // FLICKER_PART
    assert [border.is_clear(2000, 1000 + off, height) for off in (at, at + 1)] == [False, True]


def test_a_path_of_three_hours_ends_as_its_last_one() -> None:
    def hour(number: int, *at: int) -> FollowedPath:
        began, ended = "found" if number == 1 else "hour", "lost" if number == 3 else "hour"
        same = tuple(9 for _ in at)
        path = FootPath(at, at, same, same, tuple(1 for _ in at))
        return FollowedPath((f"{number}",), number, number + 1, began, ended, path)  # type: ignore[arg-type]

    [whole] = joined([hour(1, 0, 10, 20), hour(2, 10, 20, 30, 40), hour(3, 30, 40, 50)])
    assert (whole.ids, whole.began, whole.ended) == (("1", "2", "3"), "found", "lost")
    assert whole.path.time_ms == (0, 10, 20, 30, 40, 50)


def test_of_a_point_that_two_hours_share_the_greater_number_of_boxes_holds() -> None:
    first = FootPath((0, 10), (0, 1), (0, 0), (9, 9), (0, 4))
    second = FootPath((10, 20), (1, 2), (0, 0), (9, 9), (1, 2))
    assert stitched([first, second]).boxes == (0, 4, 2)


def test_a_day_that_a_zone_left_out_begins_with_the_next() -> None:
    samoa = zoneinfo.ZoneInfo("Pacific/Apia")
    now_ms = int(datetime.datetime(2011, 12, 31, 12, tzinfo=samoa).timestamp() * 1000)
    turn = last_turn("day", 0, samoa, now_ms)
    assert turn is not None
    assert turn.to_ms == turn.from_ms


def test_classes_that_follow_each_other_are_written_as_a_range() -> None:
    names = {group.name for group in groups_of(["car", "truck", "bus"], "fhwa")}
    assert any("-" in name for name in names), names


def test_a_quarter_of_which_so_much_was_seen_is_whole() -> None:
    assert Quarter(0, round(WHOLE * QUARTER_MS)).is_whole
    assert not Quarter(0, round(WHOLE * QUARTER_MS) - 1).is_whole


def test_who_turns_back_has_a_column_where_somebody_did() -> None:
    table = TrafficTable((), ("a", "b"), (), {(0, "a", "a", "car"): 1}, {})
    assert table.pairs == [("a", "b"), ("a", "a"), ("b", "a")]
    assert TrafficTable((), ("a",), (), {}, {}).pairs == [("a", "a")]


def test_visits_in_a_gap_are_left_out_and_those_that_were_not_asked_for_are_not() -> None:
    through = ("south", "north")
    in_the_gap = [Visit(START_MS + ms, "car", through) for ms in (1, 2)]
    visits = [*in_the_gap, Visit(START_MS + 5 * QUARTER_MS, "car", through)]
    table = make_table(make_flows(visits), make_quarters(2, missing={0}))
    assert (table.left_out, dict(table.movements)) == (2, {})


def test_a_series_is_named_by_its_model_and_where_it_counts() -> None:
    assert in_words("m") == "m"
    assert in_words(series_model("m", FLOWS)) == "m, at lines and zones"
    assert in_words(series_model("m", ZONES)) == "m, within zones"


def test_a_zone_is_as_deep_as_the_middle_of_its_diagonal_is_far_from_the_rim() -> None:
    zone = PictureZone(SQUARE)
    assert zone.narrow2 == 500**2 * FLICKER_PART * FLICKER_PART / 4
