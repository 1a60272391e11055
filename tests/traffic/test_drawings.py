"""Drawings over a source's picture are kept in whole revisions; a bad one is reported in one line."""

from __future__ import annotations

import bz2
import json
import math
import tracemalloc
import unicodedata
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.fakes.at_once import at_once
from tests.fakes.memory import MemoryStore
from tests.traffic.flow_rule import on_ground

from frametally import keys
from frametally.errors import Poison, Retryable
from frametally.media.polygons import crosses_itself, turn
from frametally_traffic.drawings.drawing_checks import (
    DrawingRefused,
    calibration_of,
    check_drawing,
    check_shape,
)
from frametally_traffic.drawings.drawn_shapes import check_size
from frametally_traffic.drawings.file_forms import Missing, decode_file, encode_file
from frametally_traffic.drawings.revisions import change_drawing, list_drawings, read_drawing, with_shapes
from frametally_traffic.records import (
    MOST_SHAPES,
    Drawing,
    Drawn,
    DrawnCalibration,
    DrawnLine,
    DrawnZone,
    KnownRectangle,
    Point,
)

NAN, INFINITY = float("nan"), float("inf")
CORNERS = ((0.0, 0.0), (600.0, 0.0), (600.0, 400.0), (0.0, 400.0))


def line(name: str = "stop", points: Sequence[Point] = ((10, 20), (300, 200)), **fields: Any) -> DrawnLine:
    return DrawnLine(name=name, points=tuple(points), **{"width_px": 640, "height_px": 480, **fields})


def zone(name: str = "bay", points: Sequence[Point] = CORNERS, **fields: Any) -> DrawnZone:
    return DrawnZone(name=name, points=tuple(points), **{"width_px": 640, "height_px": 480, **fields})


def calibration(points: Sequence[Point] = CORNERS, **fields: Any) -> DrawnCalibration:
    return DrawnCalibration(
        name=fields.pop("name", "ground"), points=tuple(points), width_px=640, height_px=480, **fields
    )


def seen_at(x_m: float, y_m: float) -> Point:
    """The pixel of a place `y_m` in front of a camera over a road: the horizon is at y = 100."""
    return 320 + 300 * x_m / y_m, 100 + 1500 / y_m


PLACES = ((-3.0, 5.0), (3.0, 5.0), (-6.0, 20.0), (6.0, 20.0), (0.0, 10.0))
SEEN = tuple(seen_at(*place) for place in PLACES)


def add(*shapes: Drawn) -> Any:
    return lambda drawing: with_shapes(drawing, [*drawing.shapes, *shapes])


REFUSED: dict[str, tuple[Drawn, str]] = {
    "a line that crosses itself": (
        line(points=[(0, 0), (100, 100), (100, 0), (0, 100)]),
        "line 'stop' crosses or touches itself",
    ),
    "a line that turns back": (line(points=[(0, 0), (100, 0), (50, 0)]), "crosses or touches itself"),
    "a line that touches itself": (line(points=[(0, 0), (100, 0), (50, 50), (50, 0)]), "touches itself"),
    "a line that stands still": (line(points=[(5, 5), (5, 5)]), "crosses or touches itself"),
    "a line shorter than a tenth of a pixel": (line(points=[(5, 5), (5.01, 5)]), "touches itself"),
    "a line that ends where it began": (line(points=[(0, 0), (9, 0), (9, 9), (0, 0)]), "touches itself"),
    "a line of one point": (line(points=[(5, 5)]), "line 'stop' has 1 points: use 2 to 8"),
    "a line of 1,000,000 points": (
        line(points=[(n % 640, 1) for n in range(1_000_000)]),
        "line 'stop' has 1000000 points: use 2 to 8",
    ),
    "a line outside the picture": (
        line(points=[(0, 0), (641, 5)]),
        "line 'stop' has the point (641, 5) outside the picture of 640x480 pixels",
    ),
    "a line with NaN": (line(points=[(0, 0), (NAN, 5)]), "line 'stop' has an invalid point (nan, 5)"),
    "a line to infinity": (line(points=[(0, 0), (5, -INFINITY)]), "an invalid point (5, -inf)"),
    "a line with one direction twice": (
        line(to_right="in", to_left="in"),
        "has the same name for both directions, 'in'",
    ),
    "a zone that crosses itself": (
        zone(points=[(0, 0), (9, 9), (9, 0), (0, 9)]),
        "zone 'bay' crosses or touches itself",
    ),
    "a zone that is closed twice": (zone(points=[*CORNERS, CORNERS[0]]), "zone 'bay' crosses or touches"),
    "a zone without room": (zone(points=[(0, 0), (5, 5), (9, 9)]), "zone 'bay' crosses or touches itself"),
    "a zone of 33 corners": (
        zone(points=[(300 + 100 * math.cos(n / 6), 200 + 100 * math.sin(n / 6)) for n in range(33)]),
        "zone 'bay' has 33 corners: use 3 to 32",
    ),
    "a picture of no size": (line(width_px=0), "a picture size of 0x480 pixels"),
    "a time that is none": (line(from_ms=10**18), "has an invalid time"),
    "an end before the beginning": (line(from_ms=5, to_ms=5), "line 'stop' ends before it begins"),
    "a name with a control character": (line(name="a\x1b[2J"), "contains U+001B: use letters"),
    "a name of two lines": (line(name="a\nb"), "contains U+000A: use letters"),
    "a name that turns the writing around": (line(name="a\u202eb"), "contains U+202E: use letters"),
    "a name that is no text": (line(name="a\udce9"), "contains U+DCE9: use letters"),
    "a name with markup": (line(name="<b onclick=x>"), "contains <, >: use letters"),
    "a name like a path": (line(name="../../etc/passwd"), "contains /: use letters"),
    "a name of dots": (line(name=".."), "has spaces at its start or end, or accents"),
    "a name with a space at its end": (line(name="stop "), "has spaces at its start or end, or accents"),
    "an accent of two signs": (line(name="Zu\u0308rich"), "has spaces at its start or end, or accents"),
    "no name": (line(name=""), "has 0 characters: use 1 to 100"),
    "a name of 10 MB": (line(name="x" * 10_000_000), "has 10000000 characters: use 1 to 100"),
    "a hostile direction": (line(to_left="<i>"), "the line's name '<i>' contains <, >"),
    "a calibration of points in a line": (
        calibration([(0, 0), (100, 100), (200, 200), (300, 300)], metres=PLACES[:4]),
        "calibration 'ground': points 2, 3 and 4 are on the same straight line in the picture: "
        "move one of them off it",
    ),
    "three of four in a line": (
        calibration([(0, 0), (100, 100), (200, 200), (300, 0)], metres=PLACES[:4]),
        "points 1, 2 and 3 are on the same straight line in the picture",
    ),
    "metres in a line": (
        calibration(metres=((0, 0), (1, 1), (2, 2), (3, 3))),
        "are on the same straight line on the ground",
    ),
    "a point at the horizon": (
        calibration([*SEEN[:4], (320, 100)], metres=(*PLACES[:4], (0, 500))),
        "calibration 'ground': point 5 is at the horizon: move it closer to the camera",
    ),
    "a point in the sky": (
        calibration([*SEEN[:4], (320, 40)], metres=(*PLACES[:4], (0, 90))),
        "px away from where the other points put it: check its position in the picture and on the ground "
        "(in metres)",
    ),
    "four points in crossed order": (
        calibration(SEEN[:4], metres=(PLACES[1], PLACES[0], *PLACES[2:4])),
        "the points are in a different order around on the ground than in the picture: use the same order",
    ),
    "a calibration of three points": (
        calibration(SEEN[:3], metres=PLACES[:3]),
        "3 points with coordinates in metres are too few: add some until there are at least 4, or use a "
        "distance",
    ),
    "metres of other points": (
        calibration(SEEN, metres=PLACES[:4]),
        "has 5 points, but coordinates in metres for 4",
    ),
    "metres that are none": (
        calibration(SEEN[:4], metres=(*PLACES[:3], (NAN, 1))),
        "has an invalid length of nan metres",
    ),
    "the same point twice": (calibration([(5, 5), (5, 5)]), "has the same point twice: delete one"),
    "a distance of nothing": (
        calibration([(5, 5), (9, 9)], distance_m=0.0),
        "has an invalid length of 0.0 metres",
    ),
    "a distance of three points": (
        calibration(SEEN[:3], distance_m=5.0),
        "has 3 points with a distance: use 2",
    ),
    "two ways at once": (
        calibration(SEEN[:4], metres=PLACES[:4], distance_m=5.0),
        "defines the ground in several ways",
    ),
    "a rectangle without an end": (
        calibration((), rectangles=(KnownRectangle(points=CORNERS, sides_m=(5.0, INFINITY)),)),
        "has an invalid length of inf metres",
    ),
    "a rectangle with crossed corners": (
        calibration(
            (),
            rectangles=(KnownRectangle(points=(*CORNERS[:2], CORNERS[3], CORNERS[2]), sides_m=(5.0, 2.0)),),
        ),
        "the corners of rectangle 1 are in a different order around on the ground than in the picture",
    ),
    "seven rectangles": (
        calibration((), rectangles=(KnownRectangle(points=CORNERS, sides_m=(5.0, 2.5)),) * 7),
        "there are 7 rectangles; use 1 to 6",
    ),
    "mirrored metres": (
        calibration(SEEN[:4], metres=tuple((x, -y) for x, y in PLACES[:4])),
        "the points are mirrored: from above, y points left of x; change the sign of one axis",
    ),
    "a calibration of nothing": (calibration(()), "has 0 points: use 1 to 32"),
}


@pytest.mark.parametrize(("shape", "why"), REFUSED.values(), ids=REFUSED)
def test_an_invalid_shape_gives_one_line_with_its_name_and_changes_nothing(
    shape: Drawn, why: str, store: MemoryStore
) -> None:
    before, _ = change_drawing(store, "gate", add(zone("kept")))
    stored = [info.key for info in store.list("")]
    with pytest.raises(DrawingRefused) as raised:
        change_drawing(store, "gate", add(shape))
    message = str(raised.value)
    assert why in message
    assert len(message) < 400
    assert message.isprintable()
    assert [info.key for info in store.list("")] == stored
    assert read_drawing(store, "gate") == before


ACCEPTED: dict[str, Drawn] = {
    "a line along the border": line(points=[(0, 0), (640, 0), (640, 480)]),
    "a line that nearly closes": line(points=[(0, 0), (9, 0), (9, 9), (0, 1)]),
    "a zone that is not convex": zone(points=[(0, 0), (100, 0), (100, 100), (50, 10)]),
    "a name of any writing": line(name="北門, Zürich & co. (A→B)", to_right="入", to_left="出"),
    "four points with metres": calibration(SEEN[:4], metres=PLACES[:4]),
    "five points with metres": calibration(SEEN, metres=PLACES),
    "rectangles with their sides": calibration(
        (), rectangles=(KnownRectangle(points=CORNERS, sides_m=(5.0, 2.5)),) * 2
    ),
    "two points and a distance": calibration([(5, 5), (90, 5)], distance_m=3.5),
    "points without metres, as a seed has them": calibration([(0, 0), (100, 100)]),
}


@pytest.mark.parametrize("shape", ACCEPTED.values(), ids=ACCEPTED)
def test_a_valid_shape_is_stored_as_drawn(shape: Drawn, store: MemoryStore) -> None:
    assert change_drawing(store, "gate", add(shape))[0].shapes == (shape,)
    assert read_drawing(store, "gate").shapes == (shape,)


def test_a_name_can_be_used_at_two_times_but_not_twice_at_the_same_time() -> None:
    before, after = line(to_ms=5000), line(from_ms=5000, points=[(0, 0), (9, 9)])
    check_drawing(Drawing(source="gate", revision=1, lines=(before, after)))
    for other in (line(from_ms=4999), line(to_ms=1), zone("stop", from_ms=0)):
        drawing = with_shapes(Drawing(source="gate", revision=1), [before, other])
        with pytest.raises(DrawingRefused, match="line 'stop' exists twice at the same time: rename one"):
            check_drawing(drawing)


def test_a_picture_has_one_calibration_at_a_time() -> None:
    first, second = calibration(to_ms=5000), calibration(name="new", from_ms=5000)
    check_drawing(Drawing(source="gate", revision=1, calibrations=(first, second)))
    with pytest.raises(DrawingRefused, match="'ground' and calibration 'new' are valid at the same time"):
        check_drawing(Drawing(source="gate", revision=1, calibrations=(calibration(), second)))


def test_a_drawing_larger_than_a_record_can_hold_is_refused(store: MemoryStore) -> None:
    many = [line(f"line {n}") for n in range(MOST_SHAPES)]
    change_drawing(store, "gate", add(*many))
    with pytest.raises(
        DrawingRefused, match="would have 201 lines, zones and calibrations, but the maximum is 200"
    ):
        change_drawing(store, "gate", add(line("one more")))


def test_every_change_is_a_complete_revision_and_older_ones_stay_unchanged(store: MemoryStore) -> None:
    assert read_drawing(store, "gate") == Drawing(source="gate", revision=0)
    change_drawing(store, "gate", add(line()))
    first = store.get(keys.drawing_key("gate", 1))
    second, is_new = change_drawing(store, "gate", add(zone()))
    assert (second.revision, is_new) == (2, True)
    assert change_drawing(store, "gate", add(zone())) == (second, False), "what is there already is no change"
    assert change_drawing(store, "gate", lambda drawing: with_shapes(drawing, []))[0].shapes == ()
    assert store.get(keys.drawing_key("gate", 1)) == first
    assert [info.key for info in store.list(keys.DRAWINGS)] == [
        f"drawings/gate/{n:06d}.json" for n in (1, 2, 3)
    ]


def test_each_source_has_its_own_drawing_and_the_list_shows_the_newest_of_each(store: MemoryStore) -> None:
    for source, times in (("yard", 1), ("gate", 3), ("gate-2", 2)):
        for n in range(times):
            change_drawing(store, source, add(line(f"{source} {n}")))
    store.put("drawings/gate/.DS_Store", b"?")
    found = list_drawings(store)
    assert [(one.source, one.revision, len(one.shapes)) for one in found] == [
        ("gate", 3, 3),
        ("gate-2", 2, 2),
        ("yard", 1, 1),
    ]


def test_eight_simultaneous_changes_lose_nothing(store: MemoryStore) -> None:
    at_once(*(partial(change_drawing, store, "gate", add(line(f"line {n}"))) for n in range(8)))
    assert {one.name for one in read_drawing(store, "gate").lines} == {f"line {n}" for n in range(8)}
    assert read_drawing(store, "gate").revision == 8


class OvertakenStore(MemoryStore):
    """Another user saves a drawing between the read and the write, this many times."""

    def __init__(self, *others: Drawn) -> None:
        super().__init__()
        self._others = list(others)

    def put(self, key: str, data: bytes, *, if_absent: bool = False, durable: bool = True) -> bool:
        if self._others:
            other = self._others.pop()
            change_drawing(self, "gate", add(other))
        return super().put(key, data, if_absent=if_absent, durable=durable)


def test_the_second_of_two_simultaneous_changes_is_added_to_the_first() -> None:
    store = OvertakenStore(zone("theirs"))
    assert change_drawing(store, "gate", add(line("ours")))[0].revision == 2
    assert [shape.name for shape in read_drawing(store, "gate").shapes] == ["ours", "theirs"]


def test_the_second_of_two_shapes_with_one_name_is_refused_and_the_first_stays() -> None:
    theirs = line(points=[(0, 0), (9, 9)])
    store = OvertakenStore(theirs)
    with pytest.raises(DrawingRefused, match="exists twice at the same time"):
        change_drawing(store, "gate", add(line()))
    assert read_drawing(store, "gate").shapes == (theirs,)


def test_a_store_that_never_accepts_a_change_is_reported_as_busy() -> None:
    class Taken(MemoryStore):
        def put(self, key: str, data: bytes, *, if_absent: bool = False, durable: bool = True) -> bool:
            return False

    with pytest.raises(Retryable, match="other programs keep changing the drawing of gate"):
        change_drawing(Taken(), "gate", add(line()))


def test_an_older_revision_never_replaces_a_damaged_one(store: MemoryStore) -> None:
    change_drawing(store, "gate", add(line()))
    change_drawing(store, "gate", add(zone()))
    key = keys.drawing_key("gate", 2)
    store.put(key, store.get(key).replace(b"bay", b"bax"))
    for read in (lambda: read_drawing(store, "gate"), lambda: list_drawings(store)):
        with pytest.raises(Poison, match=r"drawings/gate/000002\.json: .*restore it from a backup"):
            read()


# The forms that files have.

NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20).filter(
    lambda name: name == unicodedata.normalize("NFC", name)
)
COORDINATES = st.tuples(st.floats(0, 640), st.floats(0, 480))


@st.composite
def shapes(draw: st.DrawFn) -> Drawn:
    ends = sorted(draw(st.tuples(st.integers(0, 10**12), st.integers(0, 10**12))))
    fields: dict[str, Any] = {
        "name": draw(NAMES),
        "from_ms": draw(st.sampled_from([None, ends[0]])),
        "to_ms": draw(st.sampled_from([None, ends[1] + 1])),
        "width_px": 640,
        "height_px": 480,
    }
    match draw(st.sampled_from(["line", "zone", "points", "metres", "rectangles", "distance"])):
        case "line":
            points = draw(st.lists(COORDINATES, min_size=2, max_size=3))
            return DrawnLine(points=tuple(points), to_right=draw(NAMES), to_left=draw(NAMES), **fields)
        case "zone":
            return DrawnZone(points=tuple(draw(st.lists(COORDINATES, min_size=3, max_size=4))), **fields)
        case "points":
            return DrawnCalibration(points=tuple(draw(st.lists(COORDINATES, min_size=1))[:32]), **fields)
        case "metres":
            scale = draw(st.floats(0.01, 100))
            metres = tuple((x * scale, y * scale) for x, y in PLACES)
            return DrawnCalibration(points=SEEN, metres=metres, **fields)
        case "rectangles":
            sides = draw(st.tuples(st.floats(0.1, 50), st.floats(0.1, 50)))
            return DrawnCalibration(rectangles=(KnownRectangle(points=CORNERS, sides_m=sides),), **fields)
        case _:
            points = draw(st.lists(COORDINATES, min_size=2, max_size=2))
            return DrawnCalibration(points=tuple(points), distance_m=draw(st.floats(0.1, 500)), **fields)


def can_be(drawn: list[Drawn]) -> list[Drawn]:
    kept: list[Drawn] = []
    for shape in drawn:
        try:
            check_drawing(with_shapes(Drawing(source="gate", revision=1), [*kept, shape]))
        except DrawingRefused:
            continue
        kept.append(shape)
    return kept


@pytest.mark.thorough
@given(st.lists(shapes(), max_size=6).map(can_be).filter(bool))
@hypothesis_settings(max_examples=examples(60))
def test_exporting_and_importing_elsewhere_gives_the_same_drawing(drawn: list[Drawn]) -> None:
    here, there = MemoryStore(), MemoryStore()
    exported, _ = change_drawing(here, "gate", add(*drawn))
    content = decode_file(encode_file(exported), "file", Missing())
    assert content.source == "gate"
    assert change_drawing(there, "gate", add(*content.shapes)) == (exported, True)
    assert there.get(exported.key) == here.get(exported.key)
    assert change_drawing(here, "gate", add(*content.shapes)) == (exported, False), "again is no change"


@given(st.permutations([line("a"), line("b", to_ms=5), line("b", from_ms=5), zone("c"), calibration()]))
def test_the_order_of_shapes_does_not_change_the_drawing(drawn: list[Drawn]) -> None:
    store = MemoryStore()
    for shape in drawn:
        last, _ = change_drawing(store, "gate", add(shape))
    other = MemoryStore()
    at_once, _ = change_drawing(other, "gate", add(*reversed(drawn)))
    assert last.shapes == at_once.shapes


OF_640X480 = Missing(size_px=(640, 480))


def read(form: object, missing: Missing = OF_640X480) -> list[Drawn]:
    return decode_file(json.dumps(form).encode(), "file", missing).shapes


def test_a_region_of_the_earlier_api_becomes_a_zone_unchanged() -> None:
    [found] = read({"x": 100, "y": 50, "width": 500, "height": 300})
    assert found == zone("ROI", [(100, 50), (600, 50), (600, 350), (100, 350)])
    check_shape(found)
    named = Missing((640, 480), name="yard", from_ms=5, to_ms=9)
    [found] = read({"x": 0, "y": 0, "width": 640, "height": 480}, named)
    assert (found.name, found.from_ms, found.to_ms) == ("yard", 5, 9)


def test_points_of_the_earlier_api_become_a_calibration_unchanged() -> None:
    [found] = read({"points": [[0, 0], [100, 100]]})
    assert found == calibration([(0, 0), (100, 100)], name="calibration")
    check_shape(found)


SECTIONS = [
    {
        "id": "1",
        "name": "Süd",
        "type": "line",
        "relative_offset_coordinates": {"section-enter": {"x": 0.5, "y": 0.5}},
        "coordinates": [{"x": 43, "y": 184}, {"x": 137, "y": 200}, {"x": 352, "y": 145}],
        "plugin_data": {},
    },
    {
        "id": "West",
        "type": "area",
        "coordinates": [{"x": 0, "y": 0}, {"x": 90, "y": 0}, {"x": 90, "y": 90}, {"x": 0, "y": 0}],
    },
]
FLOWS = [{"id": "1", "start": "1", "end": "West", "distance": 25.0}]


@pytest.mark.parametrize("packed", [bytes, bz2.compress], ids=["as text", "as bz2"])
def test_a_flow_file_of_otanalytics_gives_its_sections(packed: Any) -> None:
    data = packed(json.dumps({"sections": SECTIONS, "flows": FLOWS}).encode())
    assert decode_file(data, "a.otflow", Missing((640, 480))).shapes == [
        line("Süd", [(43, 184), (137, 200), (352, 145)]),
        zone("West", [(0, 0), (90, 0), (90, 90)]),
    ]


FILES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "file is not JSON"),
    "no JSON": (b"<html>", "file is not JSON"),
    "a list": (b"[1, 2]", "file is not a JSON object"),
    "an empty object": (b"{}", "file contains no shapes"),
    "no sections": (b'{"sections": []}', "file contains no shapes"),
    "NaN": (b'{"x": NaN, "y": 0, "width": 5, "height": 5}', "file contains NaN, which JSON does not allow"),
    "Infinity": (b'{"points": [[0, -Infinity]]}', "file contains -Infinity, which JSON does not allow"),
    "a number of 5000 digits": (b'{"x": ' + b"9" * 5000 + b"}", "file is not JSON"),
    "very deep": (b'{"points": ' + b"[" * 200_000, "file is not JSON"),
    "1,000,000 points": (
        b'{"points": [' + b"[0,0]," * 999_999 + b"[0,0]]}",
        "file is larger than 1 MB, the maximum",
    ),
    "100,000 points": (
        b'{"points": [' + b"[0,0]," * 99_999 + b"[0,0]]}",
        "file is not valid: Expected `array` of length <= 1000",
    ),
    "a bomb": (bz2.compress(b" " * 5_000_000), "file is larger than 1 MB"),
    "a damaged bz2": (b"BZh9" + b"?" * 50, "file is damaged: its bz2 cannot be read"),
    "a line of another type": (b'{"lines": [{"name": 5}]}', "file is not valid: Expected `str`, got `int`"),
    "a line without a size": (
        b'{"lines": [{"name": "a", "points": [[0, 0], [1, 1]]}]}',
        "missing required field `width_px` - at `$.lines[0]`",
    ),
    "a misspelt field": (
        b'{"zones": [{"name": "a", "points": [[0,0],[1,1],[0,1]], "width_px": 9, "height_px": 9, "at": 5}]}',
        "file has an unknown field 'at",
    ),
    "a form of a later version": (b'{"v": 2, "lines": []}', "file is not valid: Invalid enum value 2"),
    "a section of no type": (b'{"sections": [{"id": "1", "type": "gate"}]}', "Invalid enum value 'gate'"),
    "a name that is no text": (
        b'{"sections": [{"id": "\\ud800", "type": "line", "coordinates": []}]}',
        "has 0 points",
    ),
}


@pytest.mark.parametrize(("data", "why"), FILES.values(), ids=FILES)
def test_an_invalid_drawing_file_gives_one_line(data: bytes, why: str) -> None:
    with pytest.raises(DrawingRefused) as raised:
        for shape in decode_file(data, "file", Missing((640, 480))).shapes:
            check_shape(msgspec.structs.replace(shape, name="stop"))
    assert why in str(raised.value)
    assert len(str(raised.value)) < 400


@pytest.mark.thorough
def test_a_decompression_bomb_is_not_unpacked_beyond_the_limit_of_a_file() -> None:
    data = bz2.compress(b" " * 100_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(DrawingRefused):
            decode_file(data, "file", OF_640X480)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_name_time_or_size_given_twice_or_not_at_all_is_refused() -> None:
    with pytest.raises(DrawingRefused, match="add --size WIDTHxHEIGHT"):
        read({"points": [[0, 0]]}, Missing())
    with pytest.raises(DrawingRefused, match="already has names"):
        read({"sections": SECTIONS}, Missing((640, 480), name="all"))
    with pytest.raises(DrawingRefused, match="already has names and times"):
        read({"lines": []}, Missing((640, 480), from_ms=5))


# A drawing belongs to a picture, and to a ground.


@pytest.mark.parametrize(
    ("drawn", "stored", "fits"),
    [
        ((640, 480), [(640, 480)], True),
        ((640, 480), [(1280, 720), (640, 480)], True),
        ((1280, 960), [(640, 480)], True),
        ((1280, 958), [(640, 480)], True),
        ((320, 240), [(640, 480)], True),
        ((1280, 720), [(640, 480)], False),
        ((480, 640), [(640, 480)], False),
        ((999, 1), [], True),
    ],
)
def test_a_line_must_be_drawn_over_a_picture_of_its_sources_shape_in_any_size(
    drawn: tuple[int, int], stored: list[tuple[int, int]], fits: bool
) -> None:
    shape = line(width_px=drawn[0], height_px=drawn[1])
    if fits:
        check_size(shape, stored)
    else:
        with pytest.raises(DrawingRefused, match=f"picture of {drawn[0]}x{drawn[1]} pixels, but pictures of"):
            check_size(shape, stored)


WHOLE = st.tuples(st.integers(0, 20), st.integers(0, 20))


@given(st.lists(WHOLE, min_size=2, max_size=8), st.booleans())
def test_a_line_crosses_itself_or_not_whether_rotated_mirrored_or_reversed(
    points: list[tuple[int, int]], closed: bool
) -> None:
    crosses = crosses_itself(points, closed=closed)
    assert crosses_itself(points[::-1], closed=closed) == crosses
    assert crosses_itself([(-x, y) for x, y in points], closed=closed) == crosses
    assert crosses_itself([(-y, x) for x, y in points], closed=closed) == crosses
    if closed:
        assert crosses_itself([*points[1:], points[0]], closed=True) == crosses


def test_right_is_the_right_hand_in_the_picture() -> None:
    """For a person who walks to the right over a picture, its lower part is at the right hand."""
    assert turn((0, 0), (100, 0), (50, 10)) > 0
    assert turn((0, 0), (100, 0), (50, -10)) < 0


def test_the_ground_of_a_drawing_has_the_given_metres() -> None:
    def metres_at(drawn: DrawnCalibration, point: Point) -> Point:
        ground = calibration_of(drawn)
        return on_ground(ground.ground, *point)[:2]

    def apart_m(drawn: DrawnCalibration, *points: Point) -> float:
        return math.dist(*(metres_at(drawn, point) for point in points))

    by_points = calibration(SEEN, metres=PLACES)
    corners = tuple(seen_at(*place) for place in ((-3, 5), (3, 5), (3, 20), (-3, 20)))
    rectangle = KnownRectangle(points=corners, sides_m=(6.0, 15.0))  # type: ignore[arg-type]
    for drawn in (by_points, calibration((), rectangles=(rectangle,))):
        assert apart_m(drawn, seen_at(0, 6), seen_at(0, 18)) == pytest.approx(12)
        assert apart_m(drawn, seen_at(-2, 9), seen_at(2, 9)) == pytest.approx(4)
    assert apart_m(calibration([(5, 5), (90, 5)], distance_m=3.4), (10, 5), (35, 5)) == pytest.approx(1)
    assert calibration_of(calibration([(0, 0), (100, 100)])) is None
