"""A calibration reproduces the ground that a camera sees, reports its error, and refuses bad points."""

from __future__ import annotations

import re
from itertools import combinations
from math import hypot, inf, nan, sqrt

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.traffic.flow_rule import on_ground
from tests.traffic.plane_cameras import WIDTH_PX, Camera, camera, ground_points

from frametally.errors import Misconfigured
from frametally_traffic.calibration.fitting import (
    GroundCalibration,
    GroundPoint,
    Rectangle,
    calibration_of_points,
    calibration_of_rectangles,
    calibration_of_scale,
)

seeds = st.integers(0, 2**32)
SQUARE = [(300.0, 600.0), (900.0, 620.0), (760.0, 200.0), (420.0, 210.0)]
METRES = [(0.0, 0.0), (8.0, 0.0), (8.0, 30.0), (0.0, 30.0)]
POINTS = [GroundPoint(*at, *on) for at, on in zip(SQUARE, METRES, strict=True)]


def rectangles_seen(of: Camera, rng: np.random.Generator, number: int, noise_px: float) -> list[Rectangle]:
    """Rectangles in any position within the scene."""
    found = []
    for _ in range(number):
        x_m, y_m = rng.uniform(-0.3, 0.3) * of.width_m, of.middle_m + rng.uniform(-0.3, 0.3) * of.length_m
        first, second, way = rng.uniform(2, 4), rng.uniform(4, 7), rng.uniform(0, 2 * np.pi)
        along, across = np.array([np.cos(way), np.sin(way)]), np.array([-np.sin(way), np.cos(way)])
        sense = rng.choice([-1, 1])
        corners = []
        for one, other in ((0, 0), (first, 0), (first, second), (0, second)):
            at = np.array([x_m, y_m]) + one * along + sense * other * across
            corners.append(tuple((np.array(of.seen(*at)) + rng.normal(0, noise_px, 2)).tolist()))
        found.append(Rectangle(corners, first, second))
    return found


def measured_m(calibration: GroundCalibration, one: tuple[float, float], other: tuple[float, float]) -> float:
    (x, y, _), (other_x, other_y, _) = [
        on_ground(calibration.ground._replace(reach_px=(-inf, -inf, inf, inf)), *at) or (nan, nan, nan)
        for at in (one, other)
    ]
    return hypot(other_x - x, other_y - y)


@settings(max_examples=examples(25))
@given(seeds, st.integers(4, 8))
def test_points_without_noise_give_back_every_distance_on_the_ground(seed: int, number: int) -> None:
    rng = np.random.default_rng(seed)
    of = camera(rng)
    points = ground_points(of, rng, number, 0)
    # Two points in one place are refused: see below.
    assume(all(hypot(a.x - b.x, a.y - b.y) > 0.01 * WIDTH_PX for a, b in combinations(points, 2)))
    calibration = calibration_of_points(points)
    assert calibration.error_px < 1e-6
    assert calibration.error_m < 1e-6
    for _ in range(5):
        one, other = (rng.uniform(-0.5, 0.5, 2) * (of.width_m, of.length_m) + (0, of.middle_m) for _ in "ab")
        true_m = float(np.hypot(*(other - one)))
        assert measured_m(calibration, of.seen(*one), of.seen(*other)) == pytest.approx(true_m, rel=1e-5)


@pytest.mark.thorough
@settings(max_examples=examples(10))
@given(seeds, st.integers(1, 3))
def test_rectangles_give_back_the_ground_whatever_their_positions(seed: int, number: int) -> None:
    rng = np.random.default_rng(seed)
    of = camera(rng)
    shown = rectangles_seen(of, rng, number, 0)
    calibration = calibration_of_rectangles(shown)
    assert calibration.made_of == "rectangles"
    assert calibration.error_px < 1e-3
    for corners, first_m, second_m in shown:
        assert measured_m(calibration, corners[0], corners[1]) == pytest.approx(first_m, rel=1e-3)
        assert measured_m(calibration, corners[1], corners[2]) == pytest.approx(second_m, rel=1e-3)


@pytest.mark.thorough
def test_several_rectangles_a_pixel_off_are_more_certain_than_one() -> None:
    rng = np.random.default_rng(7)
    one: list[float] = []
    three: list[float] = []
    for _ in range(8):
        of = camera(rng)
        shown = rectangles_seen(of, rng, 3, 1.0)
        ends = (0.0, of.middle_m - 4), (0.0, of.middle_m + 4)
        for errors, given_ones in ((one, shown[:1]), (three, shown)):
            found = measured_m(calibration_of_rectangles(given_ones), of.seen(*ends[0]), of.seen(*ends[1]))
            errors.append(abs(found / 8 - 1))
    assert np.median(three) < 0.7 * np.median(one)


def test_two_points_and_their_distance_give_a_rough_scale_near_them() -> None:
    calibration = calibration_of_scale((100, 300), (400, 700), 25.0)
    assert calibration.is_rough
    assert measured_m(calibration, (100, 300), (400, 700)) == pytest.approx(25)
    assert measured_m(calibration, (0, 0), (0, 100)) == pytest.approx(5)
    assert on_ground(calibration.ground, 100, 300) is not None
    assert on_ground(calibration.ground, 900, 300) is None


def test_the_reprojection_error_is_given_in_pixels_and_metres_and_for_each_point() -> None:
    rng = np.random.default_rng(3)
    of = camera(rng)
    points = ground_points(of, rng, 8, 0)
    exact = calibration_of_points(points)
    points[5] = points[5]._replace(x=points[5].x + 12)
    found = calibration_of_points(points)
    assert np.argmax(found.errors_px) == 5
    assert 2 < found.error_px < 12 / sqrt(8) + 0.1
    assert found.error_px == pytest.approx(sqrt(np.mean(np.square(found.errors_px))))
    assert found.error_m > 100 * exact.error_m
    assert found.scale_error > 2 * exact.scale_error
    assert found.is_checked


def test_four_points_fit_exactly_so_their_error_is_unknown_but_lengths_have_one() -> None:
    calibration = calibration_of_points(POINTS)
    assert not calibration.is_checked
    assert calibration.error_px < 1e-9
    assert 0.001 < calibration.scale_error < 0.05


@pytest.mark.thorough
def test_the_error_of_lengths_matches_that_of_points_a_pixel_off() -> None:
    rng = np.random.default_rng(11)
    of = camera(rng)
    exact = ground_points(of, rng, 6, 0)
    truly = calibration_of_points(exact)
    off = []
    for _ in range(100):
        points = [one._replace(x=one.x + rng.normal(0, 1), y=one.y + rng.normal(0, 1)) for one in exact]
        calibration = calibration_of_points(points)
        for one in exact:
            for step_x, step_y in ((1, 0), (0, 1)):
                near = (one.x + step_x, one.y + step_y)
                true = measured_m(truly, (one.x, one.y), near)
                off.append(measured_m(calibration, (one.x, one.y), near) / true - 1)
    assert truly.scale_error == pytest.approx(sqrt(np.mean(np.square(off))), rel=0.2)


@settings(max_examples=examples(25))
@given(seeds, st.randoms(use_true_random=False))
def test_the_order_of_points_changes_only_rounding(seed: int, random: object) -> None:
    rng = np.random.default_rng(seed)
    points = ground_points(camera(rng), rng, 6, 1.0)
    shuffled = [*points]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = calibration_of_points(points), calibration_of_points(shuffled)
    assert one.matrix == pytest.approx(other.matrix, rel=1e-6, abs=1e-9)
    assert one.reach_px == other.reach_px
    assert one.scale_error == pytest.approx(other.scale_error, rel=1e-4)


def test_a_calibration_is_kept_with_twelve_digits_and_read_back_bit_by_bit() -> None:
    calibration = calibration_of_points(POINTS)
    assert all(number == float(f"{number:.12g}") for number in calibration.matrix)
    read = msgspec.json.decode(msgspec.json.encode(calibration), type=GroundCalibration)
    assert read == calibration
    assert read.ground == calibration.ground


def changed(number: int, **change: float) -> list[GroundPoint]:
    return [one._replace(**change) if at == number else one for at, one in enumerate(POINTS)]


def exchanged(one: int, other: int) -> list[GroundPoint]:
    """Two points have each other's metres."""
    metres = [point[2:] for point in POINTS]
    metres[one], metres[other] = metres[other], metres[one]
    return [GroundPoint(*point[:2], *on) for point, on in zip(POINTS, metres, strict=True)]


def behind(number: int) -> list[GroundPoint]:
    """A point of the sky, with the metres that the matrix of the others gives there."""
    matrix = np.array(calibration_of_points(POINTS).matrix).reshape(3, 3)
    x, y, w = matrix @ (600, -2000, 1)
    assert w < 0
    return changed(number, x=600.0, y=-2000.0, x_m=x / w, y_m=y / w)


def at_the_horizon() -> list[GroundPoint]:
    matrix = np.array(calibration_of_points(POINTS).matrix).reshape(3, 3)
    y = (0.02 - matrix[2, 0] * 600 - matrix[2, 2]) / matrix[2, 1]
    x_m, y_m, w = matrix @ (600, y, 1)
    assert w == pytest.approx(0.02)
    return [*POINTS, GroundPoint(600, float(y), float(x_m / w), float(y_m / w))]


@pytest.mark.parametrize(
    ("points", "line"),
    [
        (
            [],
            "0 points with coordinates in metres are too few: add some until there are at least 4, or use a "
            "distance",
        ),
        (
            POINTS[:3],
            "3 points with coordinates in metres are too few: add some until there are at least 4, or use a "
            "distance",
        ),
        (POINTS * 250_000, "1000000 points are too many: delete some until at most 32 are left"),
        (changed(1, x=nan), "point 2 has an invalid coordinate: set it again"),
        (changed(2, y_m=-inf), "point 3 has an invalid coordinate: set it again"),
        (changed(3, x=1e300), "point 4 has an invalid coordinate: set it again"),
        (
            changed(3, x=300.0, y=600.5),
            "points 1 and 4 are in the same place in the picture: move or delete one of them",
        ),
        (
            changed(3, x_m=8.0, y_m=30.0),
            "points 3 and 4 are in the same place on the ground: move or delete one of them",
        ),
        (
            changed(3, x=600.0, y=611.0),
            "points 1, 2 and 4 are on the same straight line in the picture: move one of them off it",
        ),
        (
            changed(3, x_m=8.02, y_m=15.0),
            "points 2, 3 and 4 are on the same straight line on the ground: move one of them off it",
        ),
        (
            [*POINTS[:3], *(GroundPoint(600 - 50 * d, 400 - 60 * d, 8.0, 15 + d) for d in (0, 2))],
            "points 2, 3, 4 and 5 are on the same straight line on the ground: move one of them off it",
        ),
        (
            exchanged(2, 3),
            "the points are in a different order around on the ground than in the picture: use the same "
            "order",
        ),
        (
            [one._replace(x_m=-one.x_m) for one in POINTS],
            "the points are mirrored: from above, y points left of x; change the sign of one axis",
        ),
        (
            behind(3),
            "point 4 is beyond the horizon that the others define: check its position in the "
            "picture and on the ground (in metres)",
        ),
        (
            behind(0),
            "point 1 is beyond the horizon that the others define: check its position in the "
            "picture and on the ground (in metres)",
        ),
        (at_the_horizon(), "point 5 is at the horizon: move it closer to the camera"),
    ],
)
def test_invalid_points_are_refused_with_one_line(points: list[GroundPoint], line: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        calibration_of_points(points)
    assert str(refused.value) == line


@pytest.mark.parametrize(
    ("off_px", "line"),
    [
        (
            90,
            r"point 7 is \d+ px away from where the other points put it: check its position in the "
            r"picture and on the ground \(in metres\)",
        ),
        (
            300,
            "point (2 or )?7 does not fit the positions of the other points on the ground: "
            "check its position .*",
        ),
    ],
)
def test_a_point_that_does_not_fit_the_others_is_named(off_px: float, line: str) -> None:
    rng = np.random.default_rng(5)
    points = ground_points(camera(rng), rng, 8, 0)
    points[6] = points[6]._replace(x=points[6].x + off_px)
    with pytest.raises(Misconfigured) as refused:
        calibration_of_points(points)
    assert re.fullmatch(line, str(refused.value))


def test_two_exchanged_points_are_found_among_many() -> None:
    rng = np.random.default_rng(5)
    points = ground_points(camera(rng), rng, 6, 0)
    points[1], points[2] = (
        GroundPoint(*points[one][:2], *points[other][2:]) for one, other in ((1, 2), (2, 1))
    )
    with pytest.raises(
        Misconfigured, match=r"^point 2 or 3 does not fit the positions of the other points on the ground: "
    ):
        calibration_of_points(points)


@pytest.mark.parametrize(
    ("rectangles", "line"),
    [
        ([], "there are 0 rectangles; use 1 to 6"),
        ([Rectangle(SQUARE, 8, 30)] * 9, "there are 9 rectangles; use 1 to 6"),
        ([Rectangle(SQUARE[:3], 8, 30)], "rectangle 1 has 3 corners: set four, in order around it"),
        (
            [Rectangle(SQUARE, 8, 30), Rectangle(SQUARE, 8, -30)],
            "rectangle 2: a corner or a side is not a number: enter pixels, and metres above 0",
        ),
        (
            [Rectangle([*SQUARE[:3], (nan, 0)], 8, 30)],
            "rectangle 1: a corner or a side is not a number: enter pixels, and metres above 0",
        ),
        (
            [Rectangle([SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3]], 8, 30)],
            "the corners of rectangle 1 are in a different order around on the ground than in the picture: "
            "use the same order",
        ),
        (
            [Rectangle([*SQUARE[:3], SQUARE[0]], 8, 30)],
            "corners 1 and 4 of rectangle 1 are in the same place in the picture: move or delete one of them",
        ),
    ],
)
def test_invalid_rectangles_are_refused_with_one_line(rectangles: list[Rectangle], line: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        calibration_of_rectangles(rectangles)
    assert str(refused.value) == line


@pytest.mark.parametrize(
    ("start", "end", "distance_m", "line"),
    [
        ((0, 0), (1, 1), 5.0, "the two points of the scale are the same: move them apart"),
        *[
            (
                (0, 0),
                end,
                distance,
                "a scale needs two points in pixels and the distance between them in metres, greater than 0",
            )
            for end, distance in (((100, 0), 0.0), ((100, 0), -1.0), ((100, 0), nan), ((inf, 0), 5.0))
        ],
    ],
)
def test_an_invalid_scale_is_refused_with_one_line(
    start: tuple[float, float], end: tuple[float, float], distance_m: float, line: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        calibration_of_scale(start, end, distance_m)
    assert str(refused.value) == line
