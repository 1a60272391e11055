"""An unseen crossing of a line is reported as not measured, not as absent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from tests.traffic.test_flows_by_numpy import Someone, path_files

from frametally.rules.path_columns import LONE_COLUMNS, Began, Ended, PathColumns
from frametally.rules.places import ZoneShape
from frametally_traffic.flows.day_columns import CAME, CROSSINGS_MISSING, WENT, FlowColumns
from frametally_traffic.flows.day_flows import flows_of_day
from frametally_traffic.flows.shapes import LineShape, Shapes
from frametally_traffic.geometry.foot_paths import FootPath

LINE = LineShape("line", ((3000, 0), (3000, 4000)))


def walk(
    first_x: int,
    last_x: int,
    *,
    from_ms: int = 60_000,
    px_s: int = 100,
    began: Began = "found",
    ended: Ended = "lost",
) -> Someone:
    """A person who walks along the picture at a constant speed, seen five times a second."""
    way = last_x - first_x
    count = abs(way) * 5 // (px_s * 10) + 1
    xs = [first_x + way * number // max(count - 1, 1) for number in range(count)]
    times = tuple(from_ms + 200 * number for number in range(count))
    path = FootPath(times, tuple(xs), (2000,) * count, (400,) * count, (1,) * count)
    return Someone("car", path, began, ended)


def with_lone(files: dict[int, PathColumns], lone: Sequence[tuple[int, ...]]) -> dict[int, PathColumns]:
    """The day with lone boxes of its first hour: their times, x, y and heights, by default 400."""
    if not lone:
        return files
    [(day_ms, of_day)] = files.items()
    first, same = len(of_day.columns["hour"]), [0] * len(lone)
    places = zip(*((*box, 400)[:4] for box in lone), strict=True)
    numbers = [*range(first, first + len(lone))]
    of_lone = dict(zip(LONE_COLUMNS, (same, numbers, same, *places), strict=True))
    return {day_ms: of_day._replace(columns={**of_day.columns, **of_lone})}


def crossed(
    *everybody: Someone, lone: Sequence[tuple[int, ...]] = (), line: LineShape = LINE
) -> Counter[str]:
    """Crossings of the line by the reason why they are not measured; those that are: by none.

    `lone`: as of `with_lone`.
    """
    files = with_lone(path_files(everybody), lone)
    [day_ms] = files
    flows: FlowColumns = flows_of_day(
        files.values(), Shapes(lines=(line,)), model="m", source="s", day_start_ms=day_ms
    )
    return Counter(
        CROSSINGS_MISSING[missing - 1] if missing else "" for missing in flows.columns["crossing_missing"]
    )


def test_a_path_that_ends_before_a_line_it_heads_for_is_not_measured() -> None:
    assert crossed(walk(500, 2800)) == {"cut_path": 1}
    assert crossed(walk(500, 2800, px_s=300)) == {"cut_path": 1}
    assert crossed(walk(2800, 500, began="footage")) == {}
    assert crossed(walk(500, 3400)) == {"": 1}


def test_a_path_that_begins_after_a_line_it_comes_from_is_not_measured() -> None:
    assert crossed(walk(3200, 6000)) == {"cut_path": 1}
    assert crossed(walk(6000, 3200, ended="footage")) == {}


def test_a_line_beyond_the_objects_reach_until_its_track_is_lost_is_not_crossed() -> None:
    assert crossed(walk(500, 1000, px_s=50)) == {}
    assert crossed(walk(500, 1000, px_s=100)) == {"cut_path": 1}


def test_an_object_found_again_before_the_line_is_counted_once() -> None:
    assert crossed(walk(500, 2000), walk(2300, 4000, from_ms=61_700)) == {"": 1}
    assert crossed(walk(500, 2800), walk(3200, 6000, from_ms=62_700)) == {"cut_path": 1}


@pytest.mark.parametrize(("ended", "number"), [("border", 1), ("footage", 0), ("gap", 0)])
def test_an_object_at_the_border_continues_for_a_box_and_unfilmed_crossings_are_not_missed(
    ended: Ended, number: int
) -> None:
    assert crossed(walk(500, 2800, ended=ended))["cut_path"] == number
    assert crossed(walk(500, 2500, ended=ended)) == {}


def test_an_object_that_stands_still_when_it_is_lost_has_not_crossed_a_line() -> None:
    times = tuple(60_000 + 200 * number for number in range(30))
    path = FootPath(times, (2990,) * 30, (2000,) * 30, (400,) * 30, (1,) * 30)
    assert crossed(Someone("car", path, "found", "lost")) == {}


def test_a_strong_box_near_a_line_and_in_no_track_is_not_measured() -> None:
    somebody = walk(6000, 7000)
    assert crossed(somebody, lone=[(5_000, 2300, 2000), (9_000, 3700, 2000)]) == {"too_few_boxes": 2}
    assert crossed(somebody, lone=[(5_000, 2100, 2000), (9_000, 3900, 2000)]) == {}
    assert crossed(somebody, lone=[(5_000, 3000, 3900)]) == {"too_few_boxes": 1}
    assert crossed(somebody, lone=[(5_000, 3000, 4500)]) == {}
    assert crossed(walk(500, 3400), lone=[(5_000, 2300, 2000)]) == {"": 1, "too_few_boxes": 1}
    level = LineShape("line", ((0, 3000), (4000, 3000)))
    assert crossed(somebody, lone=[(5_000, 2000, 2700), (9_000, 2000, 3300)], line=level) == {
        "too_few_boxes": 2
    }
    assert crossed(somebody, lone=[(5_000, 2000, 2500), (9_000, 2000, 3500)], line=level) == {}


@pytest.mark.parametrize(
    ("lone", "crossings"),
    [
        ([(5_000, 1400, 2000), (5_200, 3900, 2000)], 1),  # neither box is near the line
        ([(5_000, 1400, 2000), (5_400, 3900, 2000)], 1),  # the detector missed the box between them
        ([(5_000, 0, 2000), (5_200, 2000, 2000)], 1),  # a step later, it is over the line
        ([(5_000, 1400, 2000), (5_600, 3900, 2000)], 0),
        ([(5_000, -4000, 2000), (5_200, 3900, 2000)], 0),  # too far for a vehicle
        ([(5_000, 1400, 2000), (5_200, 3900, 2000), (9_000, 1400, 2100)], 2),  # goes the way of the others
    ],
)
def test_single_boxes_of_one_object_cross_a_line_if_a_step_between_them_does(
    lone: list[tuple[int, int, int]], crossings: int
) -> None:
    assert crossed(walk(6000, 7000), lone=lone)["too_few_boxes"] == crossings


def test_single_boxes_of_cars_in_a_row_are_not_one_car_that_turns_back() -> None:
    ahead, behind = [(5_000, 1200, 2000), (5_200, 3800, 2000)], [(5_400, 1000, 2000), (5_600, 3600, 2000)]
    assert crossed(walk(6000, 7000), lone=[*ahead, *behind])["too_few_boxes"] == 2


def test_single_boxes_of_cars_that_meet_are_joined_to_those_of_the_same_height() -> None:
    other = (5_200, -900, 2000, 500)
    """Nearer to the first box than the second one, and a quarter higher."""
    assert crossed(walk(6000, 7000), lone=[(5_000, 1400, 2000), (5_200, 3900, 2000), other]) == {
        "too_few_boxes": 1
    }


@pytest.mark.parametrize(
    ("x", "missing"), [(3500, {"cut_path": 1}), (2900, {"cut_path": 1, "too_few_boxes": 1})]
)
def test_a_single_box_on_the_way_beyond_a_track_is_not_another_object(
    x: int, missing: dict[str, int]
) -> None:
    """The track ends at 2500; a step leads to 3500."""
    assert crossed(walk(500, 2500, px_s=500), lone=[(60_600, x, 2000 + 2 * (3500 - x))]) == missing


@pytest.mark.parametrize(("line_x", "number"), [(3000, 1), (1900, 0)])
def test_a_path_that_begins_soon_after_the_footage_may_have_crossed_a_line_before(
    line_x: int, number: int
) -> None:
    """Another object is seen from 60.0 s on; this one from 61.0 s, at 100 px a second."""
    other, late = walk(6000, 7000, began="footage"), walk(3200, 5000, from_ms=61_000, began="footage")
    line = LineShape("line", ((line_x, 0), (line_x, 4000)))
    assert crossed(other, late, line=line)["cut_path"] == number
    assert crossed(late, line=line) == {}


@pytest.mark.parametrize("step", [1, -1])
def test_a_path_that_ends_on_a_line_while_it_crosses_is_not_measured(step: int) -> None:
    assert crossed(walk(3000 - step * 2000, 3000)) == {"cut_path": 1}
    assert crossed(walk(3000 - step * 2000, 3000, ended="border")) == {"cut_path": 1}
    assert crossed(walk(3000, 3000 - step * 2000)) == {"cut_path": 1}


def stays(walker: Someone, lone: Sequence[tuple[int, int, int]]) -> list[tuple[str, str, int]]:
    """Stays in a zone from 2000 to 4000: how they began and ended, and how long they were."""
    zone = ZoneShape("zone", ((2000, 1000), (4000, 1000), (4000, 3000), (2000, 3000)))
    files = with_lone(path_files([walker]), lone)
    [day_ms] = files
    flows = flows_of_day(files.values(), Shapes(zones=(zone,)), model="m", source="s", day_start_ms=day_ms)
    columns = (flows.columns[f"stay_{name}"] for name in ("came", "went", "from", "to"))
    return [(CAME[came], WENT[went], end - start) for came, went, start, end in zip(*columns, strict=True)]


@pytest.mark.parametrize("xs", [(3000, 4100), (1500, 4200), (500, 1900)])
def test_a_strong_box_in_no_track_appears_and_vanishes_in_the_zone_that_it_is_in_or_passes(
    xs: tuple[int, int],
) -> None:
    """It is in the zone; it passes between two frames; its next step leads there."""
    lone = [(5_000 + 200 * number, x, 2000) for number, x in enumerate(xs)]
    assert stays(walk(6000, 7000), lone) == [("appeared", "vanished", 0)]


def test_a_single_box_after_a_track_that_ends_in_a_zone_belongs_to_the_same_stay() -> None:
    track = walk(500, 2500, px_s=500)
    assert stays(track, [(60_600, 3500, 2000)]) == stays(track, [])
    assert len(stays(track, [(60_600, 3500, 2950)])) == 2
