"""Which box continues a track: the rule on a few boxes, without an hour around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pytest

from frametally.rules.places import Size
from frametally_hadoop.job.following import (
    Track,
    TrackedBox,
    Tracker,
    by_time,
    chained,
    size_changes,
    sizes_by_minute,
)
from frametally_hadoop.job.params import TrackParams

WIDTH, HEIGHT = 300, 400
"""Of a box, in tenths of a pixel."""


class Shown(NamedTuple):
    """The parts of a frame that tracking needs."""

    width_px: int = 1920
    height_px: int = 1080
    captured_at_ms: int = 0


def box(
    time_ms: int, left: int, *, width: int = WIDTH, confidence: int = 9000, size: Size = (1920, 1080)
) -> TrackedBox:
    frame = Shown(*size, time_ms)
    return TrackedBox(time_ms, confidence, left, 2000, width, HEIGHT, True, frame, "car")  # type: ignore[arg-type]


def followed(times_ms: Sequence[int], boxes: Sequence[TrackedBox]) -> tuple[Tracker, list[Track]]:
    """The tracker after frames at these times, and its tracks; a repeated time is a second, empty frame."""
    tracker = Tracker(TrackParams())
    for number, time_ms in enumerate(times_ms):
        here = [] if time_ms in times_ms[:number] else [one for one in boxes if one.time_ms == time_ms]
        tracker.frames.append((time_ms, sorted(here, key=by_time)))
    return tracker, tracker.follow()


def test_of_two_boxes_that_overlap_a_track_equally_the_stronger_one_continues_it() -> None:
    stands = [box(ms, 1000) for ms in (0, 200, 400)]
    weaker, stronger = box(600, 900, confidence=8000), box(600, 1100, confidence=9000)
    _, [track] = followed((0, 200, 400, 600), [*stands, weaker, stronger])
    assert track == [*stands, stronger]


def test_a_track_takes_back_no_box_of_an_object_that_passed_where_it_begins() -> None:
    times_ms = range(0, 2000, 200)
    passes = [box(ms, 1000 + ms) for ms in times_ms]
    stands = [box(ms, 1800) for ms in times_ms if ms >= 1000]
    tracker, tracks = followed(times_ms, [*passes, *stands])
    assert sorted(tracks) == sorted([passes, stands])
    assert [boxes for _, boxes in tracker.frames] == [[] for _ in times_ms]


def test_the_speed_is_known_from_the_second_box_even_if_it_comes_a_few_frames_later() -> None:
    moves = [box(ms, 1000 + 3 * ms // 2) for ms in (0, 200, 500, 600, 700)]
    _, tracks = followed(range(0, 1000, 100), moves)
    assert tracks == [moves]


STEP = 600


def leaps(frames: Mapping[int, int], times_ms: Sequence[int]) -> list[list[int]]:
    """The frames of each track of a car that leaps on; `frames` has the width of its box in each of them."""
    boxes = [
        box(times_ms[number], 1000 + times_ms[number] * STEP // 200 - width // 2, width=width)
        for number, width in frames.items()
    ]
    tracker, tracks = followed(times_ms, boxes)
    assert tracks == []
    return [[times_ms.index(one.time_ms) for one in track] for track in chained(tracker.lone)[0]]


@pytest.mark.parametrize(
    ("seen", "is_followed"),
    [
        ((0, 1, 2, 3), True),
        ((0, 1, 3, 4), True),
        ((0, 1, 2, 4), True),
        ((0, 1, 3, 5), True),
        ((0, 2, 3, 4), False),
        ((0, 1, 4, 5), False),
        ((0, 1, 2), False),
    ],
)
def test_a_fast_object_may_miss_one_frame_at_a_time_after_its_second_box(
    seen: Sequence[int], is_followed: bool
) -> None:
    found = leaps(dict.fromkeys(seen, WIDTH), range(0, 2000, 200))
    assert found == ([[*seen]] if is_followed else [])


@pytest.mark.parametrize(("width", "is_followed"), [(450, True), (454, False), (200, True), (196, False)])
def test_boxes_of_a_fast_object_differ_in_width_by_half_at_most(width: int, is_followed: bool) -> None:
    found = leaps({0: width, 1: WIDTH, 2: WIDTH, 3: WIDTH}, range(0, 2000, 200))
    assert found == ([[0, 1, 2, 3]] if is_followed else [])


def test_a_fast_object_is_followed_though_two_frames_have_one_time() -> None:
    times_ms = (0, 0, 200, 400, 600, 800, 1000, 1200)
    assert leaps(dict.fromkeys((0, 2, 3, 4), WIDTH), times_ms) == [[0, 2, 3, 4]]


def test_the_pictures_of_another_size_begin_where_a_box_is_not_of_the_size_before() -> None:
    small, large = (640, 480), (1280, 960)
    sizes = [small, small, large, large, small]
    assert size_changes([box(200 * n, 1000, size=size) for n, size in enumerate(sizes)]) == [2, 4]


def test_an_hour_tells_the_minutes_in_which_its_pictures_get_another_shape() -> None:
    wide, large, high = (640, 360), (1280, 720), (360, 640)
    sizes = {1_000: wide, 30_000: large, 61_000: large, 121_000: large, 122_000: high, 180_000: high}

    def minutes(from_ms: int, to_ms: int) -> list[tuple[int, list[Size]]]:
        frames = [Shown(*size, time_ms) for time_ms, size in sizes.items()]
        return sizes_by_minute(frames, from_ms, to_ms)  # type: ignore[arg-type]

    assert minutes(500, 240_000) == [(500, [large]), (120_000, [high, large]), (180_000, [high])]
    assert minutes(500, 122_000) == []
