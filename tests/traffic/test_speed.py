"""Speeds and lengths on the ground are true within their stated errors, or missing with a reason."""

from __future__ import annotations

from collections import Counter
from math import pi, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.traffic.flow_rule import FootPoint, GroundSpeed, boxes_of, on_ground, speed_of_visit, speeds_of
from tests.traffic.plane_cameras import camera, drive, ground_points

from frametally_traffic.calibration.fitting import calibration_of_points
from frametally_traffic.flows.visit_speeds import Way, way_of
from frametally_traffic.geometry.foot_paths import FootPath
from frametally_traffic.geometry.speed import Ground, NotMeasured, SpeedDistribution, speeds_together

# Seen from straight above: ten pixels a metre, sharp to a hundredth.
ABOVE = Ground((0.1, 0, 0, 0, -0.1, 0, 0, 0, 1), (0, 0, 2000, 1000), 0.01)


def path_of(*places: tuple[float, float, float], height: float = 20.0) -> list[FootPoint]:
    """A path through places `(seconds, x, y)`, with a box each tenth of a second between them."""
    path: list[FootPoint] = []
    for s, x, y in places:
        ms = round(1000 * s)
        boxes = (ms - path[-1].time_ms) // 100 if path else 1
        path.append(FootPoint(ms, x, y, height, boxes))
    return path


def in_tenths(path: list[FootPoint]) -> FootPath:
    """The path as stored."""
    rows = ((ms, round(10 * x), round(10 * y), round(10 * height), n) for ms, x, y, height, n in path)
    return FootPath(*zip(*rows, strict=True))


def random_cameras(seed: int, number: int) -> tuple[list[float], list[float], Counter[str]]:
    """Speeds of cars under random cameras: relative errors, errors in stated standard errors, and
    outcomes."""
    rng = np.random.default_rng(seed)
    off, in_errors, outcomes = [], [], Counter[str]()
    for _ in range(number):
        of = camera(rng)
        ground = calibration_of_points(ground_points(of, rng, int(rng.integers(4, 9)), 1.0)).ground
        for _ in range(12):
            true_m_s = rng.uniform(0.2, 30)
            place = rng.uniform(-0.4, 0.4) * of.width_m, rng.uniform(-0.3, 0.3) * of.length_m
            way = rng.choice([0, pi, rng.uniform(0, 2 * pi)])
            speed = speed_of_visit(drive(of, rng, true_m_s, 1.0, place, way), ground)
            if isinstance(speed, GroundSpeed):
                assert speed.speed_km_h > 0
                off.append(speed.speed_km_h / 3.6 / true_m_s - 1)
                in_errors.append((speed.speed_km_h - 3.6 * true_m_s) / speed.error_km_h)
            outcomes["measured" if isinstance(speed, GroundSpeed) else speed] += 1
    return off, in_errors, outcomes


@pytest.mark.thorough
def test_speeds_of_fifty_random_cameras_are_within_5_percent_and_within_10_at_p95() -> None:
    off, in_errors, outcomes = random_cameras(15, 50)
    assert np.median(np.abs(off)) <= 0.05
    assert np.quantile(np.abs(off), 0.95) <= 0.10
    assert outcomes["measured"] >= 0.6 * outcomes.total()
    # The stated error is realistic and not too modest: at least 95 % are within twice of it.
    assert np.mean(np.abs(in_errors) <= 2) >= 0.95
    assert np.mean(np.abs(in_errors) <= 0.1) <= 0.5


@pytest.mark.thorough
def test_without_noise_a_speed_is_exact_in_every_direction() -> None:
    rng = np.random.default_rng(7)
    off, in_errors = [], []
    for _ in range(200):
        speed_m_s, way = rng.uniform(1, 30), rng.uniform(0, 2 * pi)
        of = camera(rng)
        ground = calibration_of_points(ground_points(of, rng, 6, 0)).ground
        speed = speed_of_visit(drive(of, rng, speed_m_s, 0.0, (0, 0), way), ground)
        if isinstance(speed, GroundSpeed):
            off.append(abs(speed.speed_km_h / 3.6 / speed_m_s - 1))
            in_errors.append(abs(speed.speed_km_h - 3.6 * speed_m_s) / speed.error_km_h)
    # Paths omit boxes, so a slow speed may be off by more than its error.
    assert len(off) >= 100
    assert max(off) <= 0.15
    assert np.mean(np.array(in_errors) <= 2) >= 0.97


def test_a_speed_is_the_least_squares_fit_of_all_boxes() -> None:
    # 300 px in 3 s are 10 m/s; the box in the middle is off.
    path = path_of((0, 100, 500), (1, 200, 500), (2, 310, 500), (3, 400, 500))
    speed = speed_of_visit(path, ABOVE)
    assert isinstance(speed, GroundSpeed)
    times = [box.time_ms / 1000 for box in boxes_of(path)]
    fitted = np.polyfit(times, [box.x / 10 for box in boxes_of(path)], 1)[0]
    assert sqrt(speed.squared_m2_s2) == pytest.approx(fitted, rel=1e-9)


def test_the_boxes_of_a_path_are_spread_evenly_between_its_points() -> None:
    path = [FootPoint(0, 0, 0, 10, 1), FootPoint(900, 30, 60, 40, 3), FootPoint(5000, 30, 60, 40, 1)]
    assert [(*box[:4],) for box in boxes_of(path)] == [
        (0, 0, 0, 10),
        (300, 10, 20, 20),
        (600, 20, 40, 30),
        (900, 30, 60, 40),
        (5000, 30, 60, 40),
    ]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ([], "too_few_boxes"),
        (path_of((0, 100, 500), (0.1, 110, 500)), "too_few_boxes"),
        ([FootPoint(0, 0, 500, 20, 1), FootPoint(9000, 1900, 500, 20, 18)], "too_few_boxes"),
        (path_of((0, 100, 500), (0.9, 190, 500)), "too_brief"),
        (path_of((0, 100, 500), (30, 100.5, 500)), "too_short"),
        (path_of((0, 100, 500), (30, 100, 500)), "too_short"),
        (path_of((0, 100, 1500), (5, 600, 1500)), "out_of_reach"),
        (path_of((0, 1990, 500), (5, 2490, 500)), "out_of_reach"),
        (path_of((0, 100, 500), (5, 300, 500), (10, 300, 700), (15, 100, 700)), "too_uncertain"),
    ],
)
def test_an_unmeasured_speed_has_a_reason_and_no_number(path: list[FootPoint], why: NotMeasured) -> None:
    assert speed_of_visit(path, ABOVE) == why


def test_a_rough_calibration_gives_no_speed() -> None:
    path = path_of((0, 100, 500), (5, 600, 500))
    assert isinstance(speed_of_visit(path, ABOVE), GroundSpeed)
    assert speed_of_visit(path, ABOVE._replace(scale_error=0.11)) == "too_uncertain"
    assert way_of(in_tenths(path), ABOVE._replace(scale_error=0.11)) == "too_uncertain"


def test_the_standard_error_combines_that_of_the_ends_and_of_the_scale() -> None:
    """By hand: half a metre off at each box, two of eight coordinates' freedom for each of x and y."""
    path = [FootPoint(1000 * n, 100 + 90 * n, 500 + y, 20, 1) for n, y in enumerate((5, -5, -5, 5))]
    speed = speed_of_visit(path, ABOVE)
    assert isinstance(speed, GroundSpeed)
    place_m2 = 0.25 * 4 / (4 - 2) + 0.5 * 0.5 * 0.02
    assert speed.variance_m2_s2 == pytest.approx(2 * place_m2 / 3**2 + 9**2 * 0.01**2, rel=1e-12)
    assert speed.error_km_h == pytest.approx(3.6 * sqrt(2 * place_m2 / 9 + 0.0081), rel=1e-12)


@pytest.mark.parametrize(("last_ms", "is_measured"), [(1000, True), (999, False)])
def test_a_visit_of_a_second_is_long_enough(last_ms: int, is_measured: bool) -> None:
    path = [FootPoint(ms, 100 + ms / 5, 500, 20, 1) for ms in (0, 200, 400, 600, 800, last_ms)]
    speed = speed_of_visit(path, ABOVE)
    assert isinstance(speed, GroundSpeed) if is_measured else speed == "too_brief"


def through_the_picture(px_per_s: int, length_px: int, fps: int) -> list[FootPoint]:
    """A vehicle seen from its side, from the left border of a picture of 640 pixels to the right one."""
    path = []
    for ms in range(0, 1000 * (640 + length_px) // px_per_s, 1000 // fps):
        front = px_per_s * ms / 1000
        left, right = round(10 * max(0, front - length_px)), round(10 * min(640, front))
        if right - left > 40:
            path.append(FootPoint(ms, (left + (right - left) // 2) / 10, 500, length_px / 3, 1))
    return path


@pytest.mark.parametrize(("px_per_s", "length_px", "fps"), [(60, 40, 5), (80, 45, 5), (100, 100, 10)])
def test_a_vehicle_clipped_by_the_border_is_not_measured_too_slow(
    px_per_s: int, length_px: int, fps: int
) -> None:
    """While the border clips a box, its middle moves at half the vehicle's speed."""
    path = through_the_picture(px_per_s, length_px, fps)
    speed = speed_of_visit(path, ABOVE, came_in=True, went_out=True)
    assert isinstance(speed, GroundSpeed)
    assert speed.speed_km_h == pytest.approx(0.36 * px_per_s, rel=0.001)
    with_cut_boxes = speed_of_visit(path, ABOVE)
    assert isinstance(with_cut_boxes, GroundSpeed)
    assert with_cut_boxes.speed_km_h < 0.995 * 0.36 * px_per_s


def test_waiting_at_the_border_counts_as_waiting() -> None:
    """Some boxes show a person who stands, not one whom the border clips."""
    path = path_of((0, 20, 500), (1, 40, 500), (3, 42, 500), (8, 540, 500))
    assert speed_of_visit(path, ABOVE, came_in=True) == speed_of_visit(path, ABOVE)
    moves_on = path_of((0, 20, 500), (1, 80, 500), (6, 540, 500))
    assert speed_of_visit(moves_on, ABOVE, came_in=True) != speed_of_visit(moves_on, ABOVE)


def test_half_of_a_short_path_is_kept_even_if_both_its_ends_are_at_the_border() -> None:
    path = path_of((0, 100, 500), (3, 160, 500), height=100)
    speed = speed_of_visit(path, ABOVE, came_in=True, went_out=True)
    assert isinstance(speed, GroundSpeed)
    assert speed.speed_km_h == pytest.approx(7.2)


def test_the_error_grows_with_the_calibrations_error_and_with_unevenness() -> None:
    even, uneven = (path_of((0, 100, 500), (2.5, 350 + off, 500), (5, 600, 500)) for off in (0, 40))
    sharp, blurred = (speed_of_visit(even, ABOVE._replace(scale_error=error)) for error in (0.001, 0.05))
    shaken = speed_of_visit(uneven, ABOVE._replace(scale_error=0.001))
    assert (
        isinstance(sharp, GroundSpeed)
        and isinstance(blurred, GroundSpeed)
        and isinstance(shaken, GroundSpeed)
    )
    assert blurred.error_km_h == pytest.approx(0.05 * blurred.speed_km_h, rel=0.05)
    assert shaken.error_km_h > 5 * sharp.error_km_h


def test_there_is_no_ground_beyond_the_horizon() -> None:
    ground = Ground((1, 0, 0, 0, 1, 0, 0, 0.01, -1), (-1e3, -1e3, 1e3, 1e3), 0.01)
    assert on_ground(ground, 10, 101) is not None
    assert on_ground(ground, 10, 100) is None
    assert on_ground(ground, 10, 99) is None


@given(st.floats(50, 1900), st.floats(50, 950), st.floats(0.5, 0.99))
def test_the_error_of_a_pixel_in_metres_is_as_stated(x: float, y: float, tilt: float) -> None:
    ground = Ground((0.02, 0.001, 3, 0, -0.03, 9, 0.00001, tilt / 1000, 0.01), (0, 0, 2000, 1000), 0)
    x_m, y_m, pixel_m2 = on_ground(ground, x, y) or (0.0, 0.0, 0.0)
    squares = 0.0
    for step_x, step_y in ((1e-4, 0), (0, 1e-4)):
        near = on_ground(ground, x + step_x, y + step_y)
        assert near
        squares += ((near[0] - x_m) ** 2 + (near[1] - y_m) ** 2) / 1e-8
    assert pixel_m2 == pytest.approx(squares, rel=1e-3)


def test_a_paths_length_includes_its_bends() -> None:
    # 30 m ahead, 40 m to the side: a chord of 50 m, a path of 70 m.
    way = way_of(in_tenths(path_of((0, 100, 100), (3, 400, 100), (7, 400, 500))), ABOVE)
    assert isinstance(way, Way)
    assert way.length_m == pytest.approx(70)
    assert way.error_m == pytest.approx(sqrt(0.7**2 + 0.5 * 0.02))


def test_a_length_is_measured_from_where_the_ground_is_first_known_to_where_last() -> None:
    path = path_of((0, 100, 1100), (1, 100, 1050), (3, 400, 900), (7, 800, 900), (9, 800, 1200))
    way = way_of(in_tenths(path), ABOVE)
    assert isinstance(way, Way)
    assert way.length_m == pytest.approx(40)


def test_a_parked_car_with_a_trembling_box_goes_nowhere() -> None:
    rng = np.random.default_rng(2)
    places = [(s, 500 + rng.uniform(-2, 2), 500 + rng.uniform(-2, 2)) for s in range(600)]
    path = path_of(*places, height=40)
    assert way_of(in_tenths(path), ABOVE) == "too_short"
    assert speed_of_visit(path, ABOVE) == "too_short"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        (path_of((0, 100, 500), (0.9, 2900, 500), (9, 100, 500)), "out_of_reach"),
        (path_of((0, 2900, 500), (9, 3900, 500)), "out_of_reach"),
        (path_of((0, 100, 500), (0.1, 110, 500)), "too_few_boxes"),
        ([FootPoint(0, 0, 500, 20, 1), FootPoint(900, 1000, 500, 20, 4)], "too_few_boxes"),
    ],
)
def test_an_unmeasured_length_has_its_reason(path: list[FootPoint], why: NotMeasured) -> None:
    assert way_of(in_tenths(path), ABOVE) == why


@given(
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 1000)), min_size=2, max_size=6),
    st.integers(-(2**40), 2**40),
)
def test_time_and_mirroring_change_only_rounding(places: list[tuple[int, int]], later_ms: int) -> None:
    path = path_of(*((2 * at, x, y) for at, (x, y) in enumerate(places)))
    later = [point._replace(time_ms=point.time_ms + later_ms) for point in path]
    assert speed_of_visit(later, ABOVE) == speed_of_visit(path, ABOVE)
    mirrored = [point._replace(x=2000 - point.x) for point in path]
    one, other = speed_of_visit(path, ABOVE), speed_of_visit(mirrored, ABOVE)
    assert isinstance(one, GroundSpeed) == isinstance(other, GroundSpeed)
    if isinstance(one, GroundSpeed) and isinstance(other, GroundSpeed):
        assert one.speed_km_h == pytest.approx(other.speed_km_h, rel=1e-6)


speeds = st.builds(
    GroundSpeed, st.floats(0, 5000, allow_subnormal=False), st.floats(0, 10, allow_subnormal=False)
)
visits = st.dictionaries(st.integers(0, 99).map(str), speeds, max_size=40)


def km_h(*values: float) -> dict[str, GroundSpeed]:
    return {str(at): GroundSpeed((value / 3.6) ** 2, 0.25) for at, value in enumerate(values)}


@pytest.mark.thorough
@given(visits, st.data())
def test_splitting_reordering_and_repeating_visits_changes_nothing(
    found: dict[str, GroundSpeed], data: st.DataObject
) -> None:
    whole = speeds_of(found)
    order = data.draw(st.permutations([*found.items(), *[*found.items()][:3]]))
    assert speeds_of(dict(order)) == whole
    parts: list[dict[str, GroundSpeed]] = [{}, {}, {}]
    for visit, speed in found.items():
        parts[data.draw(st.integers(0, 2))][visit] = speed
    assert speeds_together(map(speeds_of, parts)) == whole
    nested = speeds_together(
        [speeds_together([speeds_of(parts[2]), speeds_of(parts[0])]), speeds_of(parts[1])]
    )
    assert nested == whole


@given(st.lists(st.integers(0, 2500), min_size=1, max_size=60), st.integers(1, 100))
def test_a_percentile_is_the_lowest_speed_that_enough_visits_do_not_exceed(
    tenths: list[int], percent: int
) -> None:
    found = speeds_of(km_h(*(tenth / 10 for tenth in tenths))).percentile_km_h(percent)
    assert found is not None
    assert round(found * 10) in tenths
    assert 100 * sum(tenth <= round(found * 10) for tenth in tenths) >= percent * len(tenths)
    assert 100 * sum(tenth < round(found * 10) for tenth in tenths) < percent * len(tenths)


def test_a_hundred_visits_have_the_median_and_p85_counted_by_hand() -> None:
    found = speeds_of(km_h(*range(1, 101)))
    assert (found.measured, found.median_km_h, found.p85_km_h) == (100, 50.0, 85.0)
    assert found.error_km_h == pytest.approx(3.6 * 0.5)


def test_no_visits_give_an_empty_distribution() -> None:
    nothing = speeds_together([])
    assert nothing == speeds_of({}) == SpeedDistribution()
    assert (nothing.measured, nothing.median_km_h, nothing.error_km_h) == (0, None, None)
