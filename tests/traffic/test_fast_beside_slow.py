"""At every line, cars of any speed are counted or not measured; none is in neither number."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from tests.fakes.records import make_frame
from tests.kit.scripts import script

from frametally.records import Detection
from frametally.rules.known import Basis, objects_of
from frametally.rules.path_columns import decode_paths
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.job.visits import track_hour
from frametally_traffic.flows.day_flows import flows_of_day

NOON_MS, SEEDS = 1_767_268_800_000, 3

fast_scenes: Any = script("benchmarks/fast_scenes.py")


@pytest.mark.parametrize(("traffic", "least"), [(0, 27), (1, 26)])
@pytest.mark.parametrize("fps", [5, 10])
def test_cars_of_any_speed_are_counted_or_not_measured_at_every_line(
    fps: int, traffic: int, least: int
) -> None:
    """One by one, and several at a time."""
    shapes = fast_scenes.shapes()
    for seed in range(SEEDS):
        frames = fast_scenes.scene(seed, fps, NOON_MS, fast_scenes.TRAFFICS[traffic])
        hour = track_hour("m", "road", NOON_MS, frames, CountParams())
        objects, fast = (sum(numbers.values()) for numbers in (hour.objects or {}, hour.fast))
        assert fast_scenes.CARS - 2 <= objects + fast <= fast_scenes.CARS + 1, (seed, objects, fast)
        # At 10 frames a second at most a tenth of the cars are too fast, so nearly all are followed.
        assert objects_of(Basis(objects, fast_objects=fast)).value == (objects if fps == 10 else None)
        paths = [
            decode_paths(base64.b64decode(json.loads(value)["columns"]))
            for key, value in hour.pairs
            if json.loads(key)[0] == "paths"
        ]
        day_ms = paths[0].day_start_ms
        flows = flows_of_day(paths, shapes, model="m", source="road", day_start_ms=day_ms)
        crossings = [*flows.columns["crossing_line"]]
        of_lines = [crossings.count(line) for line in range(len(shapes.lines))]
        assert all(least <= number <= fast_scenes.CARS + 1 for number in of_lines), (seed, of_lines)
        stays = [*flows.columns["stay_zone"]]
        of_zones = [stays.count(zone) for zone in range(len(shapes.zones))]
        assert all(least - 1 <= number <= fast_scenes.CARS + 1 for number in of_zones), (seed, of_zones)


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
    [*((flickering, None), (trembling, None), (seldom_wrong, None), (crowded, None)), (passing, "too_fast")],
)
def test_a_false_alarm_is_not_a_fast_object_and_a_car_seen_twice_is(
    boxes_of: Callable[[int, Random], list[Detection]], missing: str | None
) -> None:
    random = Random(1)  # noqa: S311
    frames: list[Any] = [
        make_frame(
            NOON_MS + 200 * number,
            number,
            boxes_of(number, random),
            size_px=(fast_scenes.WIDTH_PX, fast_scenes.HEIGHT_PX),
            picture_digest=f"{number:04d}",
        )
        for number in range(600)
    ]
    hour = track_hour("m", "cam", NOON_MS, frames, CountParams())
    objects, fast = (sum(numbers.values()) for numbers in (hour.objects or {}, hour.fast))
    assert objects_of(Basis(objects, fast_objects=fast)).missing == missing, (objects, fast)
    assert missing is None or fast == 30
