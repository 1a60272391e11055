"""Objects in pictures of changing size: tracked throughout, measured in each frame's own pixels,
never lost."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.hadoop.conftest import Footage
from tests.hadoop.test_track_hours import HOUR_MS, NOON_MS, counted, drive, objects, tracks

from frametally.books.runs import current_runs, read_paths
from frametally.records import FrameDetections
from frametally.rules.path_columns import PathColumns, size_column
from frametally.rules.places import Size, common_sizes, has_one_shape
from frametally_hadoop.job.params import CountParams, TrackParams
from frametally_hadoop.job.paths import Visit
from frametally_hadoop.job.visits import find_visits

SMALL, LARGE, SQUARE = (320, 240), (1280, 960), (480, 480)


def resized(frame: FrameDetections, size: Size) -> FrameDetections:
    """The frame as sent by the camera in another size."""
    by_x, by_y = size[0] / frame.width_px, size[1] / frame.height_px

    def scaled(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        left, top, width, height = box
        return round(left * by_x, 1), round(top * by_y, 1), round(width * by_x, 1), round(height * by_y, 1)

    return msgspec.structs.replace(
        frame,
        width_px=size[0],
        height_px=size[1],
        detections=[msgspec.structs.replace(found, box=scaled(found.box)) for found in frame.detections],
    )


def from_on(frames: Sequence[Any], time_ms: int, size: Size) -> list[Any]:
    return [resized(frame, size) if frame.captured_at_ms >= time_ms else frame for frame in frames]


def columns(footage: Footage) -> PathColumns:
    [paths] = [paths for run in current_runs(footage.store) for paths in read_paths(footage.store, run)]
    return paths


@pytest.mark.parametrize("size", [SMALL, LARGE, (641, 480)])
def test_an_object_continues_where_its_pictures_change_size(footage: Footage, size: Size) -> None:
    footage.segment(from_on(drive(footage, NOON_MS, NOON_MS + 8000, speed=5), NOON_MS + 4100, size))
    footage.aggregate()
    [track] = tracks(footage)
    assert sum(number or 0 for number in objects(footage).values()) == 1
    assert (track.boxes, track.began, track.ended) == (40, "footage", "footage")
    paths = columns(footage)
    assert paths.sizes == tuple(sorted([(640, 480), size]))
    sizes = [paths.sizes[index] for index in size_column(paths)]
    [path] = paths.paths()
    for (time_ms, x, y, height), of_point in zip(path, sizes, strict=True):
        assert of_point == ((640, 480) if time_ms < NOON_MS + 4100 else size)
        step = (time_ms - NOON_MS) / 200
        scales = of_point[0] / 640, of_point[1] / 480
        assert (x, y, height) == pytest.approx(
            ((130 + step * 5) * scales[0], 240 * scales[1], 40 * scales[1]), abs=0.2
        )


def test_a_tracks_boxes_are_in_pixels_of_their_own_frames(footage: Footage) -> None:
    frames = [resized(frame, SMALL) for frame in drive(footage, NOON_MS, NOON_MS + 4000, speed=5)]
    footage.segment(from_on(frames, NOON_MS + 2000, LARGE))
    footage.aggregate()
    [track] = tracks(footage)
    assert track.first.box == (50.0, 100.0, 30.0, 20.0)
    assert track.first.image_path == frames[0].image_path


def test_an_object_is_split_where_its_pictures_change_shape(footage: Footage) -> None:
    footage.segment(from_on(drive(footage, NOON_MS, NOON_MS + 8000, speed=5), NOON_MS + 4000, SQUARE))
    footage.aggregate()
    first, second = tracks(footage)
    assert (first.boxes, second.boxes) == (20, 20)
    assert (first.began, first.ended, second.began, second.ended) == ("footage",) * 4


def test_one_picture_of_another_shape_splits_nothing_that_continues_around_it(footage: Footage) -> None:
    frames = drive(footage, NOON_MS, NOON_MS + 8000, speed=5)
    frames[20] = resized(frames[20], SQUARE)
    footage.segment(frames)
    footage.aggregate()
    [track] = tracks(footage)
    assert track.boxes == 39


def test_the_smallest_side_of_a_counted_box_is_in_pixels_of_its_own_frame(footage: Footage) -> None:
    footage.segment(from_on(drive(footage, NOON_MS, NOON_MS + 8000, speed=5), NOON_MS + 4000, SMALL))
    footage.aggregate(count_min_side_px=30)
    [_, [coverage]] = counted(footage)
    assert coverage.detections == 20


def test_an_hour_with_one_size_states_it_once_and_its_paths_need_no_size_column(footage: Footage) -> None:
    footage.segment(drive(footage, NOON_MS, NOON_MS + 4000))
    footage.aggregate()
    paths = columns(footage)
    assert (paths.sizes, "size" in paths.columns) == (((640, 480),), False)
    assert paths.pictures == ((NOON_MS, ((640, 480),)),)


def test_a_day_knows_all_picture_sizes_including_those_of_hours_without_objects(footage: Footage) -> None:
    footage.segment(drive(footage, NOON_MS, NOON_MS + 4000))
    later_ms = NOON_MS + 2 * HOUR_MS
    footage.segment([resized(footage.frame(later_ms + n * 200, index=n), SQUARE) for n in range(20)])
    footage.aggregate()
    paths = columns(footage)
    assert paths.sizes == ((640, 480),)
    assert paths.pictures == ((NOON_MS, ((640, 480),)), (later_ms, (SQUARE,)))


def test_the_step_across_an_hour_is_the_same_in_both_even_if_one_has_other_sizes(footage: Footage) -> None:
    start_ms = NOON_MS + HOUR_MS
    frames = [
        resized(frame, (319, 240))
        for frame in drive(footage, start_ms - 10_000, start_ms + 120_000, speed=0.3)
    ]
    footage.segment(from_on(frames, start_ms + 90_000, (957, 720)))
    footage.aggregate()
    paths = columns(footage)
    assert sorted(set(size_column(paths))) == [0, 1]
    before, after = paths.paths()
    assert before[-2:] == after[:2]


Facts = list[tuple[str, int, int, int]]


def facts(visits: Sequence[Visit]) -> Facts:
    return [
        (visit.label, visit.sightings[0].time_ms, visit.sightings[-1].time_ms, len(visit.sightings))
        for visit in visits
    ]


SIZES = [(640, 480), (320, 240), (1280, 960), (960, 720), (1920, 1440)]


@pytest.mark.thorough
@settings(
    max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 1 << 32), changes=st.lists(st.integers(0, 60), max_size=6))
def test_picture_size_does_not_change_which_objects_are_followed(
    footage: Footage, seed: int, changes: list[int]
) -> None:
    chance = random.Random(seed)  # noqa: S311
    walks = [
        (chance.randint(0, 20), chance.uniform(20, 500), 60.0 + 90 * lane, chance.uniform(-8, 8))
        for lane in range(4)
    ]
    frames: list[tuple[Any, Any]] = []
    size = SIZES[0]
    for n in range(61):
        boxes = [(round(x + speed * n, 1), y, 60.0, 50.0) for first, x, y, speed in walks if n >= first]
        frame = footage.frame(NOON_MS + n * 200, *["car"] * len(boxes), index=n, boxes=boxes)
        size = chance.choice(SIZES) if n in changes else size
        frames.append((frame, resized(frame, size)))
    before, after = (
        find_visits(column, CountParams(), TrackParams()) for column in zip(*frames, strict=True)
    )
    assert facts(before) == facts(after)


def test_sizes_of_one_shape_are_scaled_to_the_largest_of_them() -> None:
    assert common_sizes([(320, 180), (1920, 1080), (100, 56), (640, 480), (0, 0), (704, 576)]) == {
        (320, 180): (1920, 1080),
        (1920, 1080): (1920, 1080),
        (100, 56): (1920, 1080),
        (640, 480): (640, 480),
        (704, 576): (704, 576),
        (0, 0): (0, 0),
    }
    assert has_one_shape((1920, 1080), (1920, 1088))
    assert not has_one_shape((320, 180), (320, 184))
