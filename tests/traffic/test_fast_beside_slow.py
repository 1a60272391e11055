"""At every line, cars of any speed are counted or not measured; none is in neither number."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace
from tests.fakes.records import make_frame

from frametally.records import Detection
from frametally.rules.known import Basis, objects_of
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
    of_all = 0
    for seed in range(SCENES):
        hour = track_hour("m", "cam", NOON_MS, frames_of(Random(seed), fps), CountParams())  # noqa: S311
        objects, fast = (sum(numbers.values()) for numbers in (hour.objects or {}, hour.fast))
        assert CARS - 2 <= objects + fast <= CARS + 1, (seed, objects, fast)
        # At 10 frames a second at most a tenth of the cars are too fast, so nearly all are followed.
        assert objects_of(Basis(objects, fast_objects=fast)).value == (objects if fps == 10 else None)
        of_all += objects + fast
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
    assert of_all == pytest.approx(SCENES * CARS, rel=0.05)
    assert told == pytest.approx([SCENES * CARS] * len(lines), rel=0.06)


def box(x: float, y: float, width: float = 60, height: float = 30) -> Detection:
    return Detection(label="car", confidence=0.9, box=(x, y, width, height))


def flickering(number: int, random: Random) -> list[Detection]:
    """A parked car, and a false alarm in its own place in every other frame."""
    return [box(20, 20), *([box(200, 100)] if number % 2 else [])]


def trembling(number: int, random: Random) -> list[Detection]:
    """A parked car, and a false alarm in its own place whose size changes from frame to frame."""
    width = random.uniform(10, 90)
    return [box(20, 20), box(220 - width / 2, 100, width, random.uniform(10, 60))]


def seldom_wrong(number: int, random: Random) -> list[Detection]:
    """A parked car, and false alarms anywhere in one of 50 frames."""
    return [box(20, 20), *([box(random.uniform(0, 260), 100)] if random.random() < 0.02 else [])]


def crowded(number: int, random: Random) -> list[Detection]:
    """30 objects that stand; a tenth of their boxes are missing."""
    standing = [box(10 + 100 * (place % 3), 5 + 17 * (place // 3), 30, 15) for place in range(30)]
    return [one for one in standing if random.random() < 0.9]


def passing(number: int, random: Random) -> list[Detection]:
    """A parked car, and every four seconds one that is seen twice: too fast to follow."""
    return [box(20, 20), *([box(20 + 130 * (number % 20), 140)] if number % 20 < 2 else [])]


@pytest.mark.parametrize(
    ("boxes_of", "missing"),
    [
        *((flickering, None), (trembling, None), (seldom_wrong, None), (crowded, None)),
        (passing, "too_fast"),
    ],
)
def test_a_false_alarm_is_no_fast_object_and_a_car_that_is_seen_twice_is(
    boxes_of: Callable[[int, Random], list[Detection]], missing: str | None
) -> None:
    random = Random(1)  # noqa: S311
    frames: list[Any] = [
        replace(
            make_frame(NOON_MS + 200 * number, number, boxes_of(number, random)),
            width_px=WIDTH_PX,
            height_px=180,
            picture_digest=f"{number:04d}",
        )
        for number in range(600)
    ]
    hour = track_hour("m", "cam", NOON_MS, frames, CountParams())
    objects, fast = (sum(numbers.values()) for numbers in (hour.objects or {}, hour.fast))
    assert objects_of(Basis(objects, fast_objects=fast)).missing == missing, (objects, fast)
    assert missing is None or fast == 30
