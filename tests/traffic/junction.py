"""A junction of three legs, generated frame by frame and counted by the real job: every drive is known."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from tests.fakes.records import make_frame, make_segment
from tests.kit.clips import jpeg_of
from tests.web.conftest import Place

from frametally import keys
from frametally.books.runs import current_runs, read_run
from frametally.process.reports import NoProgress
from frametally.records import Detection, FrameDetections
from frametally_hadoop.driver import aggregate
from frametally_hadoop.planning.plan import ALL_DAYS, DaySelection
from frametally_traffic.drawings.revisions import change_drawing, with_shapes
from frametally_traffic.geometry.crossings import Direction
from frametally_traffic.records import Drawing, Drawn, DrawnCalibration, DrawnLine, DrawnZone, Side

MODEL = "m"
SOURCE = "gate"
START_MS = 1_714_550_400_000  # 2024-05-01T08:00:00Z
WIDTH_PX, HEIGHT_PX = 640, 480
STEP_MS = 200
SECONDS = 300
NOT_FILMED_S = (120, 180)
PX_PER_M = 10
SPEED_PX_S = 80
LEAST_APART_S = 10

_ENDS = {"west": (-30, 300), "east": (670, 300), "south": (330, 510)}
_CENTRE = (330, 300)


class Car(NamedTuple):
    """A vehicle that crosses the junction at constant speed.

    Attributes:
        from_leg: Where it comes from.
        to_leg: Where it goes.
        label: Class name.
        since_ms: When it starts, outside the picture.
    """

    from_leg: str
    to_leg: str
    label: str
    since_ms: int

    def foot(self, at_ms: int) -> tuple[float, float] | None:
        """Its position; None before and after."""
        way = (at_ms - self.since_ms) / 1000 * SPEED_PX_S
        for start, end in ((_ENDS[self.from_leg], _CENTRE), (_CENTRE, _ENDS[self.to_leg])):
            length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
            if 0 <= way <= length:
                part = way / length
                return start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part
            way -= length
        return None


_TURNS = [("west", "east"), ("east", "west"), ("west", "south"), ("south", "east"), ("west", "east")]
CARS = [
    Car(*_TURNS[n % len(_TURNS)], "bus" if n % 4 == 3 else "car", START_MS + 2_000 + n * LEAST_APART_S * 1000)
    for n in range((SECONDS - 20) // LEAST_APART_S)
    if not NOT_FILMED_S[0] - 12 <= 2 + n * LEAST_APART_S < NOT_FILMED_S[1]
]


def is_filmed(at_ms: int) -> bool:
    """Whether there is footage at a time."""
    return not NOT_FILMED_S[0] <= (at_ms - START_MS) / 1000 < NOT_FILMED_S[1]


def frames() -> list[FrameDetections]:
    """All frames, by time."""
    medium = hashlib.sha256(SOURCE.encode()).hexdigest()
    made = []
    for number in range(SECONDS * 1000 // STEP_MS):
        at_ms = START_MS + number * STEP_MS
        if not is_filmed(at_ms):
            continue
        boxes = [box for car in CARS if (box := _box(car, at_ms))]
        made.append(
            make_frame(
                at_ms, number, boxes, source=SOURCE, media=medium, size_px=(WIDTH_PX, HEIGHT_PX), model=MODEL
            )
        )
    return made


def film(place: Place) -> None:
    """Detect, count and index the junction."""
    made = frames()
    for frame in made:
        place.store.put(frame.image_path, _picture(tuple(box.box for box in frame.detections)))
    count(place, made)


def count(
    place: Place,
    made: list[FrameDetections],
    first_offset: int = 0,
    selection: DaySelection = ALL_DAYS,
    **settings: Any,
) -> None:
    """Put frames into a segment; count and index them."""
    place.store.put(
        keys.segment_key(made[0].model, "log", "frames", 0, first_offset),
        make_segment(made, [], first_offset, model=made[0].model, log_id="log"),
    )
    chosen = place.settings.model_copy(update=settings).resolved()
    aggregate(settings=chosen, store=place.store, progress=NoProgress(), selection=selection)
    known = place.real_index.current_runs()
    for run in current_runs(place.store):
        assert run in known or place.real_index.publish(run, *read_run(place.store, run))


def line(name: str, *points: tuple[float, float], side: Side | None = None) -> DrawnLine:
    """A line over the junction; with a side, a leg that `to_right` leads into it."""
    inward: Direction | None = "to_right" if side else None
    return DrawnLine(
        name=name, points=points, inward=inward, side=side, width_px=WIDTH_PX, height_px=HEIGHT_PX
    )


LEGS = (
    line("west", (120, 400), (120, 200), side="W"),
    line("east", (540, 200), (540, 400), side="E"),
    line("south", (400, 420), (260, 420), side="S"),
)
BOX = DrawnZone(
    name="box",
    points=((240, 240), (420, 240), (420, 360), (240, 360)),
    width_px=WIDTH_PX,
    height_px=HEIGHT_PX,
)
_CORNERS = ((20, 220), (620, 220), (620, 460), (20, 460), (320, 300))
GROUND = DrawnCalibration(
    name="ground",
    points=_CORNERS,
    metres=tuple((x / PX_PER_M, -y / PX_PER_M) for x, y in _CORNERS),
    width_px=WIDTH_PX,
    height_px=HEIGHT_PX,
)


def draw(place: Place, *shapes: Drawn) -> Drawing:
    """Draw shapes over the source, replacing all earlier ones; by default legs, a zone and a calibration."""
    wanted = shapes or (*LEGS, BOX, GROUND)
    return change_drawing(place.store, SOURCE, lambda before: with_shapes(before, wanted))[0]


def _box(car: Car, at_ms: int) -> Detection | None:
    foot = car.foot(at_ms)
    if foot is None:
        return None
    wide, tall = (64, 40) if car.label == "bus" else (44, 30)
    left, top = max(foot[0] - wide / 2, 0), max(foot[1] - tall, 0)
    right, bottom = min(foot[0] + wide / 2, WIDTH_PX), min(foot[1], HEIGHT_PX)
    if right - left < 12 or bottom - top < 12:
        return None
    return Detection(label=car.label, confidence=0.9, box=(left, top, right - left, bottom - top))


@cache
def _picture(boxes: tuple[tuple[float, float, float, float], ...]) -> bytes:
    picture = np.full((HEIGHT_PX, WIDTH_PX, 3), (96, 122, 104), np.uint8)
    cv2.rectangle(picture, (0, 250), (WIDTH_PX, 350), (92, 88, 86), -1)
    cv2.rectangle(picture, (280, 300), (380, HEIGHT_PX), (92, 88, 86), -1)
    for box in boxes:
        left, top, wide, tall = (round(value) for value in box)
        cv2.rectangle(picture, (left, top), (left + wide, top + tall), (60, 60, 190), -1)
    return jpeg_of(picture, quality=80)
