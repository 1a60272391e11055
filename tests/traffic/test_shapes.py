"""Drawings over frames that are smaller than the picture that they were made on."""

from __future__ import annotations

from typing import Any

import pytest
from tests.traffic.flow_rule import on_ground

from frametally.rules.places import Size, ZoneShape
from frametally_traffic.drawings.drawing_checks import DrawingRefused
from frametally_traffic.drawings.drawn_shapes import shapes_of
from frametally_traffic.flows.shapes import LineShape
from frametally_traffic.geometry.speed import Ground
from frametally_traffic.records import Drawing, DrawnCalibration, DrawnLine, DrawnZone, KnownRectangle, Point

SIZE: dict[str, Any] = {"width_px": 1920, "height_px": 1080}
SQUARE = ((0.0, 0.0), (960.0, 0.0), (960.0, 540.0), (0.0, 540.0))
METRES = ((0.0, 30.0), (20.0, 30.0), (16.0, 0.0), (4.0, 0.0))
LINE = DrawnLine(name="stop", points=((100.0, 700.0), (1800.0, 720.03)), inward="to_left", from_ms=5, **SIZE)
ZONE = DrawnZone(name="box", points=SQUARE, to_ms=9, **SIZE)


def drawing(*, calibration: DrawnCalibration | None = None) -> Drawing:
    calibrations = (calibration,) if calibration else ()
    return Drawing(source="gate", revision=1, lines=(LINE,), zones=(ZONE,), calibrations=calibrations)


def test_points_are_tenths_of_a_pixel_of_the_stored_frame() -> None:
    shapes = shapes_of(drawing()).on_frames((640, 360))
    assert shapes.lines == (LineShape("stop", ((333, 2333), (6000, 2400)), "to_left", 5, None),)
    assert shapes.zones == (ZoneShape("box", ((0, 0), (3200, 0), (3200, 1800), (0, 1800)), None, 9),)
    assert shapes_of(drawing()).on_frames((1920, 1080)).lines[0].points == ((1000, 7000), (18000, 7200))


RECTANGLE = KnownRectangle(
    points=((600.0, 300.0), (900.0, 320.0), (1100.0, 700.0), (300.0, 650.0)), sides_m=(3, 12)
)


@pytest.mark.parametrize(
    "drawn",
    [
        {"points": SQUARE, "metres": METRES},
        {"rectangles": (RECTANGLE,)},
        {"points": SQUARE[:2], "distance_m": 9.0},
    ],
)
def test_a_point_of_the_picture_is_the_same_place_on_the_ground_however_small_frames_are(
    drawn: dict[str, Any],
) -> None:
    calibration = DrawnCalibration(name="ground", from_ms=3, **SIZE, **drawn)
    places = []
    for size in ((1920, 1080), (640, 360), (320, 180)):
        (found,) = shapes_of(drawing(calibration=calibration)).on_frames(size).grounds
        assert found.from_ms == 3
        ground = Ground(found.matrix, found.reach_px, found.scale_error)
        at: Point = (600 * size[0] / 1920, 200 * size[1] / 1080)
        place = on_ground(ground, *at)
        places.append(place)
    assert places[0] is not None
    for place in places:
        assert place[:2] == pytest.approx(places[0][:2])


def test_points_without_metres_are_not_a_calibration_for_counting() -> None:
    assert not shapes_of(drawing(calibration=DrawnCalibration(name="ground", points=SQUARE, **SIZE))).grounds


def test_a_calibration_without_information_is_named() -> None:
    in_line = tuple((float(n), float(n)) for n in range(0, 400, 100))
    calibration = DrawnCalibration(name="ground", points=in_line, metres=in_line, **SIZE)
    with pytest.raises(DrawingRefused, match=r"^calibration 'ground': "):
        shapes_of(drawing(calibration=calibration))


def test_a_line_too_small_for_small_frames_is_named() -> None:
    dot = DrawnLine(name="dot", points=((1.0, 1.0), (1.1, 1.0)), **SIZE)
    with pytest.raises(
        ValueError, match=r"^line 'dot' is too small on frames of 320x180 pixels: draw it larger$"
    ):
        shapes_of(Drawing(source="gate", revision=1, lines=(dot,))).on_frames((320, 180))


@pytest.mark.parametrize(
    ("size", "is_there"), [((320, 240), False), ((320, 180), True), ((100, 56), True), ((1088, 1920), False)]
)
def test_shapes_apply_only_to_pictures_of_their_own_shape(size: Size, is_there: bool) -> None:
    calibration = DrawnCalibration(name="ground", **SIZE, points=SQUARE, metres=METRES)
    on_frames = shapes_of(drawing(calibration=calibration)).on_frames(size)
    assert [len(kind) for kind in on_frames] == [int(is_there)] * 3
