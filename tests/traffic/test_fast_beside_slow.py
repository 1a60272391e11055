"""At every line, cars of any speed are counted or not measured; none is in neither number."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace
from tests.fakes.records import make_frame

from frametally.records import Detection
from frametally.rules.path_columns import decode_paths
from frametally.rules.times import DAY_MS
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.job.visits import track_hour
from frametally_traffic.flows.day_flows import flows_of_day
from frametally_traffic.flows.shapes import LineShape, Shapes

WIDTH_PX, PX_PER_M, CARS, SCENES = 320, 16, 27, 3
LINES_PX = (80, 110, 140, 170, 200, 230)
NOON_MS = 1_767_268_800_000
DAY_START_MS = NOON_MS // DAY_MS * DAY_MS


def frames_of(random: Random, fps: int) -> Iterator[Any]:
    """Cars at 10 to 200 km/h, in both directions of three lanes, in a view 20 m wide."""
    cars, at_s = [], 2.0
    for _ in range(CARS):
        px_s = random.uniform(10, 200) / 3.6 * PX_PER_M
        height_px = random.uniform(16, 32)
        cars.append((at_s, px_s, height_px, random.choice([90, 130, 170]), random.choice([True, False])))
        at_s += max(2.5, 0.3 * (WIDTH_PX + 6 * height_px) / px_s) + random.random()
    end_s = max(start_s + (WIDTH_PX + 6 * height_px) / px_s for start_s, px_s, height_px, *_ in cars) + 4
    for number in range(int(end_s * fps)):
        boxes = []
        for start_s, px_s, height_px, y, is_left in cars:
            width_px = 3 * height_px
            x = (number / fps - start_s) * px_s - width_px / 2
            x = WIDTH_PX - x if is_left else x
            left, right = max(0.0, x - width_px / 2), min(float(WIDTH_PX), x + width_px / 2)
            if number >= start_s * fps and right - left >= 0.4 * width_px:
                jitter = random.uniform(-0.5, 0.5)
                place = left + jitter, y - height_px - jitter, right - left, height_px
                boxes.append(Detection(label="car", confidence=0.9, box=place))
        frame = make_frame(NOON_MS + 1000 * number // fps, number, boxes)
        yield replace(frame, width_px=WIDTH_PX, height_px=180, picture_digest=f"{number:04d}")


@pytest.mark.parametrize("fps", [5, 10])
def test_cars_of_any_speed_are_counted_or_not_measured_at_every_line(fps: int) -> None:
    lines = tuple(LineShape(f"{x:03d}", ((10 * x, 0), (10 * x, 1800))) for x in LINES_PX)
    told = [0] * len(lines)
    for seed in range(SCENES):
        hour = track_hour("m", "cam", NOON_MS, frames_of(Random(seed), fps), CountParams())  # noqa: S311
        paths = [
            decode_paths(base64.b64decode(json.loads(value)["columns"]))
            for key, value in hour.pairs
            if json.loads(key)[0] == "paths"
        ]
        flows = flows_of_day(paths, Shapes(lines=lines), model="m", source="cam", day_start_ms=DAY_START_MS)
        of_line = [0] * len(lines)
        for line in flows.columns["crossing_line"]:
            of_line[line] += 1
        assert all(CARS - 1 <= number <= CARS + 3 for number in of_line), (seed, of_line)
        told = [*map(sum, zip(told, of_line, strict=True))]
    assert told == pytest.approx([SCENES * CARS] * len(lines), rel=0.06)
