"""Frames with their boxes: in any proportions each box is at the right place, with its name."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import pytest
from tests.examples import first_quick
from tests.kit.clips import grey_jpeg
from tests.web.browser import Locator, Place, Visits, expect
from tests.web.counted_footage import make_lines, publish_lines

from frametally.records import Detection

PROPORTIONS = {"4:3": (640, 480), "16:9": (1280, 720), "portrait": (480, 853), "panorama": (1600, 400)}
# In hundredths of the frame: at its edges, next to each other, one in another.
BOXES = [
    ("bus", 0.91, (1, 1, 30, 40)),
    ("car", 0.96, (80, 70, 19, 29)),
    ("truck", 0.75, (64, 68, 15, 30)),
    ("person", 0.55, (66, 70, 4, 9)),
    ("traffic light", 0.4, (97, 30, 3, 8)),
]
OPEN = "?interval=60&at=2024-05-01T08:00:00Z"


class Rect(NamedTuple):
    """On the screen, in pixels."""

    x: float
    y: float
    width: float
    height: float

    def is_in(self, other: Rect, by: float = 1.5) -> bool:
        return (
            self.x >= other.x - by
            and self.y >= other.y - by
            and self.x + self.width <= other.x + other.width + by
            and self.y + self.height <= other.y + other.height + by
        )

    def gap_to(self, other: Rect) -> float:
        across = max(self.x, other.x) - min(self.x + self.width, other.x + other.width)
        down = max(self.y, other.y) - min(self.y + self.height, other.y + other.height)
        return max(across, down)


def film(place: Place, width: int, height: int, frames: int = 3) -> None:
    """Frames of a size, with the same boxes in each."""
    found = [
        Detection(
            label=label,
            confidence=confidence,
            box=(x * width / 100, y * height / 100, wide * width / 100, high * height / 100),
        )
        for label, confidence, (x, y, wide, high) in BOXES
    ]
    lines = [
        msgspec.structs.replace(line, width_px=width, height_px=height, detections=found)
        for line in make_lines("gate", frames=frames)
    ]
    publish_lines(place, lines)
    jpeg = grey_jpeg(width, height, 90)
    for line in lines:
        place.store.put(line.image_path, jpeg)


def rects(shapes: Locator) -> list[Rect]:
    found: list[Any] = shapes.evaluate_all(
        "(all) => all.map((one) => { const {x, y, width, height} = one.getBoundingClientRect();"
        " return [x, y, width, height]; })"
    )
    return [Rect(*one) for one in found]


def check(picture: Locator, width: int, height: int) -> Rect:
    """Find the positions of the frame, its boxes and their names; return the frame's."""
    expect(picture.locator("img")).to_have_js_property("complete", True)
    expect(picture.locator(".plate")).to_have_count(len(BOXES))
    (place,) = rects(picture.locator("img"))
    assert place.width / place.height == pytest.approx(width / height, rel=0.01)  # no margins, nothing cut
    rising = sorted(BOXES, key=lambda one: one[1])
    boxes = rects(picture.locator("rect.box"))
    names = rects(picture.locator(".plate"))
    words = [f"{label} {confidence:.0%}" for label, confidence, _ in rising]
    assert picture.locator(".plate").all_text_contents() == words
    for (_, _, (x, y, wide, high)), box, name in zip(rising, boxes, names, strict=True):
        expected = (x * place.width / 100, y * place.height / 100)
        assert (box.x - place.x, box.y - place.y) == pytest.approx(expected, abs=3)
        assert box.width == pytest.approx(wide * place.width / 100, abs=5)
        assert box.height == pytest.approx(high * place.height / 100, abs=5)
        assert name.is_in(place)
        assert name.gap_to(box) <= 3  # at its own box
        assert 15 <= name.height <= 20  # legible at any size
    return place


@pytest.mark.parametrize("proportions", first_quick(PROPORTIONS))
@pytest.mark.parametrize("window_px", [(1440, 900), (390, 844)])
def test_each_name_is_at_its_own_box_inside_the_picture_inline_and_large(
    place: Place, visit: Visits, proportions: str, window_px: tuple[int, int]
) -> None:
    width, height = PROPORTIONS[proportions]
    film(place, width, height)
    page = visit(place, viewport={"width": window_px[0], "height": window_px[1]}).open(OPEN)
    inline = check(page.locator(".proof-stage .picture"), width, height)
    page.locator(".proof-picture").click()
    large = check(page.locator("#lightbox .picture"), width, height)
    # "Large" is larger, unless the inline picture already fills the window's width.
    assert large.width > inline.width or large.width > 0.8 * window_px[0]
    assert large.is_in(Rect(0, 0, *window_px))


@pytest.mark.thorough
def test_names_overlap_only_where_there_is_no_room(place: Place, visit: Visits) -> None:
    film(place, 1280, 720)
    page = visit(place).open(OPEN)
    page.locator(".proof-picture").click()
    picture = page.locator("#lightbox .picture")
    check(picture, 1280, 720)
    names = rects(picture.locator(".plate"))
    for number, one in enumerate(names):
        for other in names[number + 1 :]:
            assert one.gap_to(other) >= -0.5
