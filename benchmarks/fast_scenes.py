"""Generates roads with cars that are too fast to be tracked, beside slow ones."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import footage

from frametally.records import Detection, FrameDetections
from frametally.rules.places import ZoneShape
from frametally_traffic.flows.shapes import LineShape, Shapes
from frametally_traffic.geometry.crossings import tenths

WIDTH_PX, HEIGHT_PX, PX_PER_M, CARS = 320, 180, 16, 27
LANES_PX = (90, 130, 170)
MOST_KM_H = 200
LINES_PX = (80, 110, 140, 170, 200, 230)
ZONES_PX = ((60, 120), (130, 170), (150, 260))


class Traffic(NamedTuple):
    """How close the cars of a scene follow each other.

    Attributes:
        least_km_h: Speed of the slowest car.
        pause_s: Least and greatest time between cars, from one's start to the next one's; None if nearly all
            drive alone.
    """

    name: str
    least_km_h: int
    pause_s: tuple[float, float] | None


TRAFFICS = (Traffic("one by one", 10, None), Traffic("several at a time", 60, (0.4, 1.2)))


def scene(seed: int, fps: int, start_ms: int, traffic: Traffic) -> list[FrameDetections]:
    """Return frames of cars that drive straight through a view 20 m wide, with boxes off by half a pixel.

    A car is seen as soon as two fifths of it are in the picture.
    """
    chance = Random(seed)  # noqa: S311
    cars, at_s = [], 2.0
    for _ in range(CARS):
        px_s = chance.uniform(traffic.least_km_h, MOST_KM_H) / 3.6 * PX_PER_M
        height_px = chance.uniform(16, 32)
        lane = chance.randrange(3)
        is_left = lane == 0 if traffic.pause_s else chance.choice([True, False])
        cars.append((at_s, px_s, height_px, LANES_PX[lane], is_left))
        alone_s = max(2.5, 0.3 * (WIDTH_PX + 6 * height_px) / px_s) + chance.random()
        at_s += chance.uniform(*traffic.pause_s) if traffic.pause_s else alone_s
    end_s = max(start_s + (WIDTH_PX + 6 * height_px) / px_s for start_s, px_s, height_px, *_ in cars) + 4
    frames = []
    for number in range(int(end_s * fps)):
        boxes = []
        for start_s, px_s, height_px, lower_px, is_left in cars:
            width_px = 3 * height_px
            x = (number / fps - start_s) * px_s - width_px / 2
            x = WIDTH_PX - x if is_left else x
            left, right = max(0.0, x - width_px / 2), min(float(WIDTH_PX), x + width_px / 2)
            if number >= start_s * fps and right - left >= 0.4 * width_px:
                off_px = chance.uniform(-0.5, 0.5)
                box = left + off_px, lower_px - height_px - off_px, right - left, height_px
                boxes.append(Detection(label="car", confidence=0.9, box=box))
        at_ms = start_ms + 1000 * number // fps
        frames.append(footage.frame("truth", "road", at_ms, number, boxes, size=(WIDTH_PX, HEIGHT_PX)))
    return frames


def shapes() -> Shapes:
    """Return the lines and zones of the scenes, across all lanes."""
    lines = (LineShape(f"{x:03}", tuple(tenths([(x, 0), (x, HEIGHT_PX)]))) for x in LINES_PX)
    rings = ([(x, 10), (to_x, 10), (to_x, 179), (x, 179)] for x, to_x in ZONES_PX)
    zones = (ZoneShape(f"{number}", tuple(tenths(ring))) for number, ring in enumerate(rings))
    return Shapes(tuple(lines), tuple(zones))
