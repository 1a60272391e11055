"""A crossroads of four legs, generated frame by frame and counted by the real job: every drive is known."""

from __future__ import annotations

import bisect
import hashlib
import itertools
import math
import random
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from tests.fakes.records import make_frame
from tests.kit.clips import jpeg_of
from tests.traffic.junction import count
from tests.web.conftest import Place
from tests.web.counted_footage import put_manifest

from frametally.ports.count_index import CountQuery
from frametally.records import Detection, FrameDetections
from frametally_traffic.drawings.revisions import change_drawing, with_shapes
from frametally_traffic.records import DrawnLine, Side

MODEL = "yolov4-tiny"
SOURCE = "crossroads"
START_MS = 1_714_543_200_000  # 2024-05-01T06:00:00Z
WIDTH_PX, HEIGHT_PX = 960, 720
STEP_MS = 200
SPEED_PX_S = 100
_MIDDLE = (480, 360)
_LANE_PX = 26
# The outer end of a leg, and the way from there to the middle.
_WAYS = {
    "Mill Road": ((480, -50), (0, 1)),
    "Bridge Street": ((1010, 360), (-1, 0)),
    "Station Road": ((480, 770), (0, -1)),
    "Market Lane": ((-50, 360), (1, 0)),
}
LEGS: dict[str, Side] = {"Mill Road": "N", "Bridge Street": "E", "Station Road": "S", "Market Lane": "W"}
_LINES = {
    "Mill Road": ((400, 120), (560, 120)),
    "Bridge Street": ((800, 280), (800, 440)),
    "Station Road": ((560, 600), (400, 600)),
    "Market Lane": ((160, 440), (160, 280)),
}
_SIZES = {"car": (52, 38), "truck": (76, 58), "bus": (92, 62), "motorbike": (38, 42), "bicycle": (34, 44)}
_LABELS = ("car",) * 15 + ("truck", "truck", "bus", "motorbike", "bicycle")


class Driver(NamedTuple):
    """A vehicle that crosses the junction at constant speed, along a path with corners.

    Attributes:
        since_ms: When it starts, outside the picture.
        from_leg: Where it comes from.
        to_leg: Where it goes.
        label: Class name.
    """

    since_ms: int
    from_leg: str
    to_leg: str
    label: str

    @property
    def corners(self) -> list[tuple[float, float]]:
        """The path of its foot point, on the right-hand lane."""
        (x, y), (dx, dy) = _WAYS[self.from_leg]
        (end_x, end_y), (back_x, back_y) = _WAYS[self.to_leg]
        start = (x - dy * _LANE_PX, y + dx * _LANE_PX)
        end = (end_x + back_y * _LANE_PX, end_y - back_x * _LANE_PX)
        if self.from_leg == self.to_leg or dx * back_x + dy * back_y == -1:
            return [start, end]
        corner = (start[0] if dy else end[0], start[1] if dx else end[1])
        return [start, corner, end]

    def foot(self, at_ms: int) -> tuple[float, float] | None:
        """Return its position; None before and after."""
        way = (at_ms - self.since_ms) / 1000 * SPEED_PX_S
        corners = self.corners
        for (x, y), (to_x, to_y) in itertools.pairwise(corners):
            length = math.hypot(to_x - x, to_y - y)
            if 0 <= way <= length:
                return x + (to_x - x) * way / length, y + (to_y - y) * way / length
            way -= length
        return None


def make_drivers(seconds: int, apart_s: Sequence[float], seed: int = 1) -> list[Driver]:
    """Return the vehicles of this many seconds from `START_MS` on; `apart_s` has their distance in time, by
    hour."""
    rng = random.Random(seed)  # noqa: S311 - the same drivers each time
    drivers, at_s = [], 2.0
    while at_s < seconds - 15:
        from_leg = rng.choices([*LEGS], (4, 3, 5, 2))[0]
        to_leg = rng.choices([leg for leg in LEGS if leg != from_leg], (5, 3, 3))[0]
        drivers.append(Driver(START_MS + round(at_s * 1000), from_leg, to_leg, rng.choice(_LABELS)))
        apart = apart_s[int(at_s // 3600) % len(apart_s)]
        at_s += rng.uniform(0.6 * apart, 1.4 * apart)
    return drivers


def film(
    place: Place, drivers: Sequence[Driver], seconds: int, *, not_filmed_s: tuple[int, int] = (0, 0)
) -> None:
    """Detect, count and index them, draw the legs, and store the pictures that prove the counts."""
    starts = [driver.since_ms for driver in drivers]
    medium = hashlib.sha256(SOURCE.encode()).hexdigest()
    made = []
    for number in range(seconds * 1000 // STEP_MS):
        at_ms = START_MS + number * STEP_MS
        if not_filmed_s[0] <= number * STEP_MS / 1000 < not_filmed_s[1]:
            continue
        first = bisect.bisect_left(starts, at_ms - 15_000)
        near = drivers[first : bisect.bisect_right(starts, at_ms)]
        made.append(frame_of(near, at_ms, number, medium))
    put_manifest(place, made[0], made[-1], "Crossroads", len(made))
    count(place, made)
    by_key = {frame.image_path: frame for frame in made}
    for item in place.real_index.evidence(CountQuery(MODEL, 60)):
        frame = by_key[item.evidence.image_path]
        place.store.put(frame.image_path, _picture(frame.detections))


def frame_of(drivers: Sequence[Driver], at_ms: int, number: int, medium: str) -> FrameDetections:
    """Return a frame of a medium with the boxes of the vehicles in it."""
    return make_frame(
        at_ms,
        number,
        [box for driver in drivers if (box := _box(driver, at_ms))],
        source=SOURCE,
        media=medium,
        size_px=(WIDTH_PX, HEIGHT_PX),
        model=MODEL,
    )


def draw_legs(place: Place, sides: dict[str, Side | None] | None = None) -> None:
    """Draw a line over each leg, with these sides."""
    chosen = LEGS if sides is None else sides
    legs = [
        DrawnLine(
            name=leg,
            points=_LINES[leg],
            width_px=WIDTH_PX,
            height_px=HEIGHT_PX,
            inward="to_right",
            side=chosen[leg],
        )
        for leg in chosen
    ]
    change_drawing(place.store, SOURCE, lambda drawing: with_shapes(drawing, legs))


def _box(driver: Driver, at_ms: int) -> Detection | None:
    foot = driver.foot(at_ms)
    if foot is None:
        return None
    wide, tall = _SIZES[driver.label]
    left, top = max(foot[0] - wide / 2, 0), max(foot[1] - tall, 0)
    right, bottom = min(foot[0] + wide / 2, WIDTH_PX), min(foot[1], HEIGHT_PX)
    if right - left < 14 or bottom - top < 14:
        return None
    box = tuple(round(value, 1) for value in (left, top, right - left, bottom - top))
    return Detection(label=driver.label, confidence=0.9, box=box)  # type: ignore[arg-type]


def _picture(boxes: Sequence[Detection]) -> bytes:
    picture = np.full((HEIGHT_PX, WIDTH_PX, 3), (104, 138, 118), np.uint8)
    half = 2 * _LANE_PX
    road, mark = (96, 92, 90), (206, 210, 212)
    cv2.rectangle(picture, (0, _MIDDLE[1] - half), (WIDTH_PX, _MIDDLE[1] + half), road, -1)
    cv2.rectangle(picture, (_MIDDLE[0] - half, 0), (_MIDDLE[0] + half, HEIGHT_PX), road, -1)
    for along in range(0, WIDTH_PX, 40):
        if abs(along - _MIDDLE[0]) > half:
            cv2.line(picture, (along, _MIDDLE[1]), (along + 18, _MIDDLE[1]), mark, 2)
        if along < HEIGHT_PX and abs(along - _MIDDLE[1]) > half:
            cv2.line(picture, (_MIDDLE[0], along), (_MIDDLE[0], along + 18), mark, 2)
    colors = {"car": (150, 70, 40), "truck": (60, 60, 170), "bus": (40, 150, 190)}
    for one in boxes:
        left, top, wide, tall = (round(value) for value in one.box)
        color = colors.get(one.label, (70, 70, 70))
        cv2.rectangle(picture, (left, top), (left + wide, top + tall), color, -1)
        cv2.rectangle(picture, (left, top), (left + wide, top + tall), (30, 30, 30), 2)
    return jpeg_of(picture, quality=85)
