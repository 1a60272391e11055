"""Flows that are counted in bulk equal those that the rule counts one by one, byte for byte."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.traffic import flow_rule as one_by_one
from tests.traffic.flow_days import DAY, MODEL, SOURCE, Someone, path_files
from tests.traffic.walks import lines, rings

from frametally.rules.path_columns import Began, Ended, PathColumns
from frametally.rules.places import ZoneShape
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally_traffic.flows import day_flows as at_once
from frametally_traffic.flows import visit_speeds as speeds
from frametally_traffic.flows.day_columns import SPEEDS_MISSING, encode_flows
from frametally_traffic.flows.shapes import LineShape, Shapes
from frametally_traffic.geometry.crossings import Direction
from frametally_traffic.geometry.foot_paths import FootPath
from frametally_traffic.geometry.speed import Ground

BEGAN = [began for began in get_args(Began) if began != "hour"]
ENDED = [ended for ended in get_args(Ended) if ended != "hour"]
METRES = (0.1, 0, 0, 0, 0.1, 0, 0, 0, 1)


@st.composite
def people(draw: st.DrawFn, reach: int, most: int = 6) -> list[Someone]:
    """Objects of a day, some across midnight or an hour; on a coarse grid, or on a fine one."""
    found = []
    place = st.integers(-reach, reach)
    for _ in range(draw(st.integers(0, most))):
        ms = DAY + draw(st.sampled_from([-700, HOUR_MS - 900, 5 * HOUR_MS, DAY_MS - 1100, DAY_MS + HOUR_MS]))
        points = []
        for _ in range(draw(st.integers(1, 9))):
            points.append(
                (ms, draw(place), draw(place), draw(st.integers(0, reach)), draw(st.integers(1, 3)))
            )
            ms += draw(st.sampled_from([1, 7, 200, 1500]))
        path = FootPath(*zip(*points, strict=True))
        path = path._replace(boxes=(1, *path.boxes[1:]))
        ways = draw(st.sampled_from(BEGAN)), draw(st.sampled_from(ENDED))
        found.append(Someone(draw(st.sampled_from(["car", "bus", "van"])), path, *ways))
    return found


MOMENTS = st.sampled_from([None, None, None, DAY, DAY + HOUR_MS - 500, DAY + 5 * HOUR_MS + 300, DAY + DAY_MS])


@st.composite
def drawn(draw: st.DrawFn, reach: int) -> Shapes:
    """Lines, legs among them, zones and a calibration; some only apply for a time."""
    scale = max(reach // 12, 1)

    def scaled(points: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
        return tuple((scale * x, scale * y) for x, y in points)

    inward: st.SearchStrategy[Direction | None] = st.sampled_from([None, "to_right", "to_left"])
    return Shapes(
        tuple(
            LineShape(f"line {n % 3}", scaled(draw(lines())), draw(inward), draw(MOMENTS), draw(MOMENTS))
            for n in range(draw(st.integers(0, 4)))
        ),
        tuple(
            ZoneShape(f"zone {n}", scaled(draw(rings())), draw(MOMENTS), draw(MOMENTS))
            for n in range(draw(st.integers(0, 2)))
        ),
        tuple(
            Ground(METRES, (-reach, -reach, reach, reach), 0.01, draw(MOMENTS), draw(MOMENTS))
            for _ in range(draw(st.integers(0, 1)))
        ),
    )


def agree(files: list[PathColumns], shapes: Shapes) -> None:
    about = {"model": MODEL, "source": SOURCE, "day_start_ms": DAY}
    wanted = one_by_one.flows_of_day(files, shapes, **about)  # type: ignore[arg-type]
    found = at_once.flows_of_day(files, shapes, **about)  # type: ignore[arg-type]
    assert found._replace(columns={}) == wanted._replace(columns={})
    for name, column in wanted.columns.items():
        assert list(found.columns[name]) == list(column), name
    assert encode_flows(found) == encode_flows(wanted)
    speeds = at_once.flows_of_day(files, Shapes(grounds=shapes.grounds), **about)  # type: ignore[arg-type]
    with_known = at_once.flows_of_day(files, shapes, **about, speeds=speeds)  # type: ignore[arg-type]
    assert encode_flows(with_known) == encode_flows(wanted)


@pytest.mark.thorough
@given(people(12), drawn(12))
def test_numpy_agrees_with_the_rule_on_a_coarse_grid_with_paths_on_and_along_lines(
    everyone: list[Someone], shapes: Shapes
) -> None:
    agree([*path_files(everyone).values()], shapes)


@pytest.mark.thorough
@given(people(600), drawn(600))
def test_numpy_agrees_with_the_rule_on_a_fine_grid_of_mostly_plain_paths(
    everyone: list[Someone], shapes: Shapes
) -> None:
    agree([*path_files(everyone).values()], shapes)


@pytest.mark.thorough
@given(people(90_000, most=3), drawn(90_000))
def test_numpy_agrees_with_the_rule_where_products_would_overflow(
    everyone: list[Someone], shapes: Shapes
) -> None:
    agree([*path_files(everyone).values()], shapes)


@st.composite
def movers(draw: st.DrawFn) -> list[Someone]:
    """Objects that move straight, so that they have speeds."""
    found = []
    for _ in range(draw(st.integers(1, 4))):
        x, y = draw(st.integers(0, 4000)), draw(st.integers(0, 4000))
        pace, off = st.sampled_from([0, 0, 40, -150, 300]), st.integers(-9, 9)
        by_x, by_y = draw(pace), draw(pace)
        ms = DAY + HOUR_MS
        points = []
        for step in range(draw(st.integers(1, 12))):
            ms += draw(st.integers(50, 900))
            place = x + by_x * step + draw(off), y + by_y * step + draw(off)
            points.append((ms, *place, draw(st.integers(100, 900)), draw(st.integers(1, 9))))
        ways = draw(st.sampled_from(BEGAN)), draw(st.sampled_from(ENDED))
        found.append(Someone("car", FootPath(*zip(*points, strict=True)), *ways))
    return found


GROUNDS = st.builds(
    Ground,
    st.sampled_from(
        [METRES, (0.05, 0, 1, 0, -0.05, 3, 0.0004, 0.001, 1), (0.1, 0, 0, 0, 0.1, 0, 0, -0.004, 1)]
    ),
    st.sampled_from([(-999, -999, 999, 999), (50, 60, 300, 310)]),
    st.sampled_from([0.0, 0.01, 0.09]),
    MOMENTS,
    MOMENTS,
    drawn_over=st.none(),
)


@pytest.mark.thorough
@given(movers(), st.lists(GROUNDS, min_size=1, max_size=2), st.sampled_from([3, 20, 1 << 19]))
def test_speeds_are_the_same_bits_however_many_are_counted_at_once(
    everyone: list[Someone], grounds: list[Ground], most_boxes: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speeds, "_MOST_BOXES", most_boxes)
        agree([*path_files(everyone).values()], Shapes((), (), tuple(grounds)))


@pytest.mark.parametrize(("last_ms", "missing"), [(1000, 0), (999, 1 + SPEEDS_MISSING.index("too_brief"))])
def test_a_visit_of_exactly_a_second_has_a_speed_in_both(last_ms: int, missing: int) -> None:
    times = tuple(DAY + HOUR_MS + ms for ms in (0, 200, 400, 600, 800, last_ms))
    xs = tuple(1000 + 2 * (ms - times[0]) for ms in times)
    someone = Someone("car", FootPath(times, xs, (5000,) * 6, (200,) * 6, (1,) * 6), "found", "lost")
    shapes = Shapes(grounds=(Ground(METRES, (0, 0, 999, 999), 0.01),))
    files = [*path_files([someone]).values()]
    agree(files, shapes)
    flows = at_once.flows_of_day(files, shapes, model=MODEL, source=SOURCE, day_start_ms=DAY)
    assert [*flows.columns["visit_speed_missing"]] == [missing]


def test_the_error_of_a_speed_is_the_same_in_both_and_by_hand() -> None:
    times = tuple(DAY + HOUR_MS + 1000 * n for n in range(4))
    path = FootPath(times, (1000, 1900, 2800, 3700), (5050, 4950, 4950, 5050), (200,) * 4, (1,) * 4)
    shapes = Shapes(grounds=(Ground(METRES, (0, 0, 999, 999), 0.01),))
    files = [*path_files([Someone("car", path, "found", "lost")]).values()]
    agree(files, shapes)
    flows = at_once.flows_of_day(files, shapes, model=MODEL, source=SOURCE, day_start_ms=DAY)
    # 9 m/s; the square root of 2 * 0.505 / 9 + 0.0081 (m/s)^2, in tenths of a km/h: see test_speed.
    assert ([*flows.columns["visit_speed"]], [*flows.columns["visit_error"]]) == ([324], [12])


@pytest.mark.parametrize(
    ("began", "waits_s", "speed"),
    [("border", 0, 288), ("found", 0, 285), ("border", 1, 274), ("found", 1, 274)],
)
def test_boxes_clipped_by_the_border_count_only_for_objects_that_wait_there(
    began: Began, waits_s: int, speed: int
) -> None:
    """A car of 8 m/s enters more slowly, or waits there; the speed is in tenths of a km/h."""
    ms = [200 * n for n in range(60)]
    xs = [max(400 + at // 2, 100 + 8 * at // 10) for at in ms]
    times = tuple(DAY + HOUR_MS + at + (1000 * waits_s if at > 400 else 0) for at in ms)
    boxes = tuple(1 + 5 * waits_s * (at == 600) for at in ms)
    path = FootPath(times, tuple(xs), (5000,) * 60, (200,) * 60, boxes)
    shapes = Shapes(grounds=(Ground(METRES, (0, 0, 999, 999), 0.01),))
    files = [*path_files([Someone("car", path, began, "lost")]).values()]
    agree(files, shapes)
    flows = at_once.flows_of_day(files, shapes, model=MODEL, source=SOURCE, day_start_ms=DAY)
    assert [*flows.columns["visit_speed"]] == [speed]


@pytest.mark.thorough
def test_random_visits_include_speeds_and_every_reason_for_none() -> None:
    """The property above is useful: its objects are of several kinds."""
    found: set[int] = set()

    @settings(max_examples=examples(300), database=None, derandomize=True)
    @given(movers(), GROUNDS)
    def gather(everyone: list[Someone], ground: Ground) -> None:
        about = {"model": MODEL, "source": SOURCE, "day_start_ms": DAY}
        ground = ground._replace(from_ms=None, to_ms=None)
        files = [*path_files(everyone).values()]
        flows = at_once.flows_of_day(files, Shapes((), (), (ground,)), **about)  # type: ignore[arg-type]
        found.update(flows.columns["visit_speed_missing"])

    gather()
    assert found == {0, *range(1, 1 + len(SPEEDS_MISSING))}


LINE = Shapes((LineShape("line", ((0, 1000), (4000, 1000)), "to_right"),))
BENT = Shapes((LineShape("bent", ((0, 1000), (2000, 1000), (4000, 3000))),))
ZONE = Shapes((), (ZoneShape("zone", ((0, 1000), (4000, 1000), (4000, 1200), (0, 1200))),))
AT_NOON = DAY + 12 * HOUR_MS


def down(*ys: int, height: int = 400, boxes: int = 3, start_ms: int = AT_NOON, step_ms: int = 200) -> Someone:
    """A person at these y, in tenths of a pixel, and x = 2000."""
    times = tuple(start_ms + step_ms * n for n in range(len(ys)))
    path = FootPath(times, (2000,) * len(ys), ys, (height,) * len(ys), (1, *[boxes] * (len(ys) - 1)))
    return Someone("car", path)


def hidden() -> Someone:
    """A person the lower half of whose box is missing behind the line for a moment."""
    someone = down(500, 800, 1200, 700, 1300, 1500)
    return someone._replace(path=someone.path._replace(height=(400, 400, 400, 100, 400, 400)))


@pytest.mark.parametrize(
    ("shapes", "someone"),
    [
        pytest.param(LINE, down(950, 1050), id="never clear"),
        pytest.param(LINE, hidden(), id="its lower half is hidden"),
        pytest.param(ZONE, down(500, 1010, 1010, 990, 500, step_ms=700), id="a second on the rim"),
        pytest.param(LINE, down(500, 950, 1050, 950, 1050, 1500), id="it trembles on the line"),
        pytest.param(LINE, down(500, 1050, 950, 500), id="there and back within the margin"),
        pytest.param(LINE, down(500, 1000, 1500), id="a box on the line"),
        pytest.param(LINE, down(500, 1500, boxes=1), id="two boxes"),
        pytest.param(LINE, down(500, 2500, 2600, boxes=1, height=100), id="boxes too far apart"),
        pytest.param(LINE, down(500, 2500, 2600, boxes=1, step_ms=1500, height=100), id="a gap"),
        pytest.param(LINE, down(0, 1600, 1700, boxes=1), id="as far apart as boxes may be"),
        pytest.param(BENT, down(500, 1500), id="over the corner"),
        pytest.param(ZONE, down(500, 1100, 1500), id="through a narrow zone"),
        pytest.param(ZONE, down(500, 1500, 1600), id="through a zone in one step"),
        pytest.param(ZONE, down(1100, 1101, 1102), id="within all the time"),
        pytest.param(ZONE, down(1100), id="one box within"),
        pytest.param(ZONE, down(1000, 1000, 1000), id="on the rim all the time"),
    ],
)
def test_numpy_asks_the_rule_about_a_path_that_is_not_plain(shapes: Shapes, someone: Someone) -> None:
    agree([*path_files([someone]).values()], shapes)


@pytest.mark.parametrize("shapes", [LINE, ZONE])
@pytest.mark.parametrize("start_ms", [DAY - 5 * HOUR_MS // 2, DAY + 10 * HOUR_MS, DAY + 43 * HOUR_MS // 2])
def test_a_stay_of_hours_is_followed_through_all_of_them(shapes: Shapes, start_ms: int) -> None:
    ys = (500, *(1100 for _ in range(9)), 1500)
    stays = down(*ys, start_ms=start_ms, step_ms=HOUR_MS // 2)
    agree([*path_files([stays, down(500, 1500, start_ms=start_ms + 400)]).values()], shapes)


def test_a_box_after_an_uncounted_hour_ends_a_stay_with_its_hours() -> None:
    """Its last track has ended, and yet it continues over midnight: the day's books have its stay."""
    everyone = [down(*(1100,) * 8, start_ms=DAY - 3 * HOUR_MS - 1000, step_ms=HOUR_MS // 2 - 200)]
    files = path_files(everyone)
    before = files[DAY - DAY_MS]
    columns = {name: [*column] for name, column in before.columns.items()}
    columns["ended"][-1], columns["time"][-1] = ENDED.index("lost"), HOUR_MS + 5
    agree([before._replace(columns=columns)], ZONE)


@pytest.mark.parametrize("moment_ms", [AT_NOON + 300, AT_NOON + 600, AT_NOON + 601])
@pytest.mark.parametrize("from_there", [True, False])
def test_numpy_agrees_with_the_rule_on_a_shape_that_begins_or_ends_on_the_way(
    moment_ms: int, from_there: bool
) -> None:
    bounds = {"from_ms": moment_ms} if from_there else {"to_ms": moment_ms}
    for shapes in (LINE, ZONE):
        shape = shapes._replace(
            lines=tuple(line._replace(**bounds) for line in shapes.lines),  # type: ignore[arg-type]
            zones=tuple(zone._replace(**bounds) for zone in shapes.zones),  # type: ignore[arg-type]
        )
        agree([*path_files([down(500, 900, 1050, 1150, 1500)]).values()], shape)
