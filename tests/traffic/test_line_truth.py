"""The truth of a scene equals its counts, for any delivery of footage: from boxes to movements."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.fakes.records import make_frame
from tests.hadoop.conftest import Footage, twin
from tests.kit.scripts import script

from frametally import keys
from frametally.books.runs import current_runs, read_paths
from frametally.records import Detection, FrameDetections
from frametally.rules.places import ZoneShape
from frametally.rules.times import DAY_MS
from frametally_traffic.drawings.drawn_shapes import shapes_of
from frametally_traffic.flows.day_columns import DIRECTIONS, FlowColumns, encode_flows
from frametally_traffic.flows.day_flows import flows_of_day
from frametally_traffic.flows.shapes import LineShape, Shapes
from frametally_traffic.geometry.crossings import tenths

ROOT = Path(__file__).resolve().parents[2]
NOON_MS = 1_772_366_400_000
DAY_START_MS = NOON_MS // DAY_MS * DAY_MS
WIDTH_PX, HEIGHT_PX = 640, 480


scenes = script("benchmarks/junction_scenes.py")


@pytest.fixture(scope="module")
def junction() -> Any:
    """At 5 frames a second: two legs that queue, one vehicle that turns round, and two that drive through."""
    return scenes.junction(2, 5, NOON_MS)


def flows_by_day(footage: Footage, shapes: Shapes) -> list[FlowColumns]:
    """The counted days, by time."""
    runs = list(current_runs(footage.store))
    files = [paths for run in runs for paths in read_paths(footage.store, run)]
    days = sorted({paths.day_start_ms for paths in files})
    return [
        flows_of_day(
            [paths for paths in files if abs(paths.day_start_ms - day_ms) <= DAY_MS],
            shapes,
            model=files[0].model,
            source=files[0].source,
            day_start_ms=day_ms,
        )
        for day_ms in days
    ]


def counted(footage: Footage, frames: Sequence[FrameDetections], shapes: Shapes) -> FlowColumns:
    footage.segment(frames, model=frames[0].model)
    footage.aggregate()
    [flows] = flows_by_day(footage, shapes)
    return flows


def drawn(junction: Any) -> Shapes:
    return shapes_of(junction.drawing).on_frames((scenes.WIDTH_PX, scenes.HEIGHT_PX))


def crossings(days: Iterable[FlowColumns]) -> Counter[tuple[str, str]]:
    """By line and direction, with unmeasured crossings separate."""
    found: Counter[tuple[str, str]] = Counter()
    for flows in days:
        columns = (flows.columns[f"crossing_{name}"] for name in ("line", "direction", "missing"))
        for line, direction, missing in zip(*columns, strict=True):
            found[flows.lines[line], "not_measured" if missing else DIRECTIONS[direction]] += 1
    return found


def moved(frames: Iterable[FrameDetections], by_ms: int = 0, media: str = "ab" * 32) -> list[FrameDetections]:
    """The same frames at another time, in another medium."""
    return [
        msgspec.structs.replace(
            frame,
            captured_at_ms=frame.captured_at_ms + by_ms,
            media=media,
            image_path=keys.image_key(frame.source, frame.captured_at_ms + by_ms, media, frame.frame_index),
        )
        for frame in frames
    ]


@pytest.mark.thorough
def test_origins_destinations_and_speeds_match_the_generated_scene(footage: Footage, junction: Any) -> None:
    shapes = drawn(junction)
    flows = counted(footage, junction.frames, shapes)
    assert scenes.movements_of(flows) == junction.movements
    speeds = list(scenes.speeds_of(junction, flows, shapes.grounds[0].reach_px))
    even = [(told, true) for told, _, true, is_even in speeds if is_even]
    assert len(even) >= 6
    assert all(told == pytest.approx(true, rel=0.05) for told, true in even)


@pytest.mark.thorough
@given(cuts=st.lists(st.integers(1, 524), min_size=1, max_size=4, unique=True), seed=st.integers(0, 99))
@settings(max_examples=examples(4), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_splitting_the_footage_anywhere_changes_nothing(
    footage: Footage, junction: Any, cuts: list[int], seed: int
) -> None:
    """Files of other lengths, in any order, with some frames twice."""
    frames = moved(junction.frames)
    whole, parts = twin(footage), twin(footage)
    shapes = drawn(junction)
    expected = encode_flows(counted(whole, frames, shapes))
    bounds = [0, *sorted(cuts), len(frames)]
    files = [
        moved(frames[first:end], media=f"{number:02x}" * 32)
        for number, (first, end) in enumerate(pairwise(bounds))
    ]
    random.Random(seed).shuffle(files)  # noqa: S311
    for file in [*files, files[0]]:
        parts.segment(file, model=file[0].model)
    parts.aggregate()
    assert [encode_flows(flows) for flows in flows_by_day(parts, shapes)] == [expected]


@pytest.mark.thorough
@pytest.mark.parametrize("into_s", [20, 55, 58, 74, 79])
def test_midnight_in_the_middle_of_the_footage_changes_nothing(
    footage: Footage, junction: Any, into_s: int
) -> None:
    """A person between two legs at the end of the day is one visit, of the day of arrival."""
    shapes = drawn(junction)
    by_ms = DAY_START_MS + DAY_MS - NOON_MS - 1000 * into_s
    frames = moved(junction.frames, by_ms)
    footage.segment(frames, model=frames[0].model)
    footage.aggregate()
    days = flows_by_day(footage, shapes)
    assert len(days) == 2
    assert sum(map(scenes.movements_of, days), Counter()) == junction.movements
    over_legs: Counter[tuple[str, str]] = Counter()
    for line in shapes.lines:
        inward = line.inward
        outward = "to_left" if inward == "to_right" else "to_right"
        for (from_leg, to_leg), vehicles in junction.movements.items():
            over_legs[line.name, str(inward)] += vehicles * (from_leg == line.name)
            over_legs[line.name, outward] += vehicles * (to_leg == line.name)
    assert crossings(days) == +over_legs


def test_everyone_turns_to_the_other_side_in_a_mirrored_picture(footage: Footage, junction: Any) -> None:
    def mirrored(frame: FrameDetections) -> FrameDetections:
        boxes = [
            msgspec.structs.replace(seen, box=(round(frame.width_px - left - width, 1), top, width, height))
            for seen in frame.detections
            for left, top, width, height in [seen.box]
        ]
        return msgspec.structs.replace(frame, detections=boxes)

    shapes = drawn(junction)
    width = 10 * scenes.WIDTH_PX
    in_mirror = Shapes(
        tuple(
            line._replace(
                points=tuple((width - x, y) for x, y in line.points),
                inward="to_left" if line.inward == "to_right" else "to_right",
            )
            for line in shapes.lines
        )
    )
    here = counted(twin(footage), junction.frames, shapes._replace(grounds=()))
    there = counted(twin(footage), [mirrored(frame) for frame in junction.frames], in_mirror)
    assert scenes.movements_of(there) == scenes.movements_of(here) == junction.movements
    other: dict[str, str] = dict(zip(DIRECTIONS, DIRECTIONS[::-1], strict=True))
    assert crossings([there]) == Counter(
        {(line, other.get(way, way)): number for (line, way), number in crossings([here]).items()}
    )


BORDERS = {
    "left": ((10.0, 0.0), (10.0, 480.0), (1, 0)),
    "right": ((630.0, 0.0), (630.0, 480.0), (-1, 0)),
    "top": ((0.0, 10.0), (640.0, 10.0), (0, 1)),
    "bottom": ((0.0, 470.0), (640.0, 470.0), (0, -1)),
}


@pytest.mark.thorough
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("step_px", [3, 8])
def test_a_line_10_px_from_the_border_counts_arrivals_and_departures(
    footage: Footage, border: str, step_px: int
) -> None:
    """The part beyond the border is not in the box; from four pixels on a detector sees a car."""
    start, end, (right, down) = BORDERS[border]
    ways = [*range(-40, 200, step_px), *range(200, -41, -step_px)]
    frames = []
    for number, way in enumerate(ways):
        middle_x, middle_y = (
            way if right > 0 else WIDTH_PX - way if right else 320,
            way if down > 0 else HEIGHT_PX - way if down else 240,
        )
        left, top = max(middle_x - 30, 0), max(middle_y - 20, 0)
        width, height = min(middle_x + 30, WIDTH_PX) - left, min(middle_y + 20, HEIGHT_PX) - top
        there = width >= 4 and height >= 4
        at_ms = NOON_MS + 200 * number
        frames.append(
            make_frame(
                at_ms,
                number,
                [Detection(label="car", confidence=0.9, box=(left * 1.0, top * 1.0, width, height))] * there,
                source="gate",
                size_px=(WIDTH_PX, HEIGHT_PX),
                model="tiny-1",
            )
        )
    line = LineShape("rim", tuple(tenths([start, end])))
    found = crossings([counted(footage, frames, Shapes(lines=(line,)))])
    assert found == {("rim", "to_right"): 1, ("rim", "to_left"): 1}


def person(at_ms: int, x: float | None) -> FrameDetections:
    """A frame with a person of 90 px whose foot is at `x`; None if the person is hidden."""
    return make_frame(
        at_ms,
        (at_ms - NOON_MS) // 100,
        [] if x is None else [Detection(label="person", confidence=0.9, box=(x - 20, 210.0, 40.0, 90.0))],
        source="gate",
        size_px=(WIDTH_PX, HEIGHT_PX),
        image_path=keys.image_key("gate", at_ms, "ab" * 32, at_ms),
        model="tiny-1",
    )


@pytest.mark.parametrize("fps", [10, 5])
def test_a_person_hidden_for_12_s_stays_in_the_zone_and_crosses_the_line_once(
    footage: Footage, fps: int
) -> None:
    """The path is continuous between two sightings, for crossings and for occupancy."""

    def x(at_s: float) -> float | None:
        return 300.0 if at_s < 8 else None if at_s < 20 else 340 + 50 * max(at_s - 22, 0)

    frames = [person(NOON_MS + n * 1000 // fps, x(n / fps)) for n in range(28 * fps)]
    shapes = Shapes(
        lines=(LineShape("post", tuple(tenths([(320, 0), (320, 480)]))),),
        zones=(ZoneShape("square", tuple(tenths([(200, 100), (500, 100), (500, 400), (200, 400)]))),),
    )
    flows = counted(footage, frames, shapes)
    assert crossings([flows]) == {("post", "to_left"): 1}
    [stay] = zip(*(flows.columns[f"stay_{name}"] for name in ("from", "to")), strict=True)
    assert [(time_ms + DAY_START_MS - NOON_MS) / 1000 for time_ms in stay] == pytest.approx(
        [0, 25.2], abs=0.1
    )


def test_the_page_shows_the_measured_numbers_and_names_each_missed_goal() -> None:
    page = (ROOT / "docs/lines.md").read_text(encoding="utf-8")
    result = json.loads((ROOT / "benchmarks/results/line-truth.json").read_bytes())
    assert result["command"] in page
    for table in result["tables"]:
        for row in [table["columns"], *table["rows"]]:
            assert f"| {' | '.join(str(cell) for cell in row)} |" in page
    for goal in result["goals"]:
        most, least, measured = goal["at_most"], goal["at_least"], goal["measured"]
        is_missed = (most is not None and measured > most) or (least is not None and measured < least)
        bound = least if most is None else most
        assert (f"- {goal['what']}: {measured}, goal {bound:g}\n" in page) == is_missed, goal["what"]
