"""Which box continues a track: the rule on a few boxes, without an hour around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pytest

from frametally.rules.places import Size
from frametally_hadoop.job.fast_tracks import chained
from frametally_hadoop.job.following import (
    Motion,
    Track,
    TrackedBox,
    Tracker,
    by_time,
    overlap_of,
    size_changes,
    sizes_by_minute,
    widened,
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
    time_ms: int,
    left: int,
    top: int = 2000,
    *,
    width: int = WIDTH,
    height: int = HEIGHT,
    confidence: int = 9000,
    size: Size = (1920, 1080),
    label: str = "car",
) -> TrackedBox:
    frame = Shown(*size, time_ms)
    return TrackedBox(time_ms, confidence, left, top, width, height, True, frame, label)  # type: ignore[arg-type]


def followed(
    times_ms: Sequence[int], boxes: Sequence[TrackedBox], group: str = "car"
) -> tuple[Tracker, list[Track]]:
    """The tracker after frames at these times, and its tracks; a repeated time is a second, empty frame."""
    tracker = Tracker(TrackParams(), group)
    for number, time_ms in enumerate(times_ms):
        here = [] if time_ms in times_ms[:number] else [one for one in boxes if one.time_ms == time_ms]
        tracker.frames.append((time_ms, sorted(here, key=by_time)))
    return tracker, tracker.follow()


def test_if_a_track_overlaps_two_boxes_equally_the_stronger_one_continues_it() -> None:
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


@pytest.mark.parametrize(("confidence", "begins"), [(4999, False), (5000, True)])
def test_a_track_begins_with_a_box_that_is_a_tenth_above_the_strong_ones(
    confidence: int, begins: bool
) -> None:
    stands = [box(ms, 1000, confidence=confidence) for ms in (0, 200, 400)]
    assert followed((0, 200, 400), stands)[1] == ([stands] if begins else [])


@pytest.mark.parametrize(("more_ms", "goes_on"), [(0, True), (1, False)])
def test_a_track_lives_on_without_a_box_for_as_long_as_its_gap(more_ms: int, goes_on: bool) -> None:
    times_ms = [0, 200, 400, 400 + TrackParams().gap_ms + more_ms]
    stands = [box(ms, 1000) for ms in times_ms]
    assert followed(times_ms, stands)[1] == [stands if goes_on else stands[:3]]


def test_boxes_are_compared_widened_to_all_sides_and_a_track_begins_at_rest_in_its_boxs_centre() -> None:
    assert widened(100, 200, 50, 40) == (70.0, 188.0, 180.0, 252.0, 110.0 * 64.0)
    motion = Motion(100, 200, 50, 40)
    assert (motion.x, motion.y, motion.width, motion.height) == (125, 220, 50, 40)
    assert (motion.dx, motion.dy, motion.dwidth, motion.dheight) == (0, 0, 0, 0)


@pytest.mark.parametrize(("label", "goes_on_at"), [("person", (2000, 2240)), ("car", (2240, 2000))])
def test_at_5_fps_a_neighbour_that_overlaps_only_when_widened_does_not_take_a_persons_track(
    label: str, goes_on_at: tuple[int, int]
) -> None:
    # As detected, the lower box overlaps by 0.25 and the right one by 0.11; widened, by 0.45 and 0.47.
    boxes = [box(0, 2000), box(200, 2000), box(400, 2000, 2240), box(400, 2240)]
    _, [track] = followed([0, 200, 400], [one._replace(label=label) for one in boxes], label)
    assert (track[-1].left, track[-1].top) == goes_on_at


def test_a_truck_continues_with_a_trucks_box_even_if_a_cars_box_overlaps_more() -> None:
    boxes = [box(time_ms, 2000, label="truck") for time_ms in (0, 200)]
    boxes += [box(400, 2100, label="truck"), box(400, 2050)]
    _, [track] = followed([0, 200, 400], boxes)
    assert [one.label for one in track] == ["truck"] * 3
    _, [alone] = followed([0, 200, 400], [*boxes[:2], boxes[3]])
    assert [one.label for one in alone] == ["truck", "truck", "car"]


def test_boxes_overlap_if_they_share_a_tenth_of_a_pixel() -> None:
    for left, top, shared in ((1299, 2000, HEIGHT), (1000, 2399, WIDTH), (1300, 2000, 0), (1000, 2400, 0)):
        both = 2 * WIDTH * HEIGHT - shared
        assert overlap_of(box(0, 1000), box(0, left, top)) == shared / both


def leaps(
    frames: Mapping[int, Size], times_ms: Sequence[int], *, step: int = 600, is_downwards: bool = False
) -> list[list[int]]:
    """The frames of each track of a car that leaps on; `frames` has the size of its box in each of them."""
    boxes = []
    for number, (width, height) in frames.items():
        way = times_ms[number] * step // 200
        middle = (1000, 1000 + way) if is_downwards else (1000 + way, 1000)
        place = middle[0] - width // 2, middle[1] - height // 2
        boxes.append(box(times_ms[number], *place, width=width, height=height))
    tracker, tracks = followed(times_ms, boxes)
    assert tracks == []
    return [[times_ms.index(one.time_ms) for one in track] for track in chained(tracker.lone)[0]]


@pytest.mark.parametrize("is_downwards", [False, True])
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
    seen: Sequence[int], is_followed: bool, is_downwards: bool
) -> None:
    found = leaps(dict.fromkeys(seen, (WIDTH, HEIGHT)), range(0, 2000, 200), is_downwards=is_downwards)
    assert found == ([[*seen]] if is_followed else [])


@pytest.mark.parametrize(
    ("first", "others", "is_followed"),
    [
        ((450, 400), (300, 400), True),
        ((454, 400), (300, 400), False),
        ((200, 400), (300, 400), True),
        ((196, 400), (300, 400), False),
        ((300, 520), (300, 400), True),
        ((300, 524), (300, 400), False),
        ((300, 400), (300, 520), True),
        ((300, 396), (300, 520), False),
    ],
)
def test_boxes_of_a_fast_object_differ_little_in_width_and_height(
    first: Size, others: Size, is_followed: bool
) -> None:
    found = leaps({0: first, 1: others, 2: others, 3: others}, range(0, 2000, 200))
    assert found == ([[0, 1, 2, 3]] if is_followed else [])


@pytest.mark.parametrize(("step", "is_followed"), [(399, False), (400, True)])
def test_a_fast_object_is_clear_of_its_box_before(step: int, is_followed: bool) -> None:
    found = leaps(dict.fromkeys(range(4), (WIDTH, HEIGHT)), range(0, 2000, 200), step=step, is_downwards=True)
    assert found == ([[0, 1, 2, 3]] if is_followed else [])


def test_a_fast_object_is_followed_even_if_two_frames_have_the_same_time() -> None:
    times_ms = (0, 0, 200, 400, 600, 800, 1000, 1200)
    assert leaps(dict.fromkeys((0, 2, 3, 4), (WIDTH, HEIGHT)), times_ms) == [[0, 2, 3, 4]]


def test_a_change_of_size_is_where_a_box_has_another_picture_size_than_the_one_before() -> None:
    small, large = (640, 480), (1280, 960)
    sizes = [small, large, large, small]
    assert size_changes([box(200 * n, 1000, size=size) for n, size in enumerate(sizes)]) == [1, 3]


def test_an_hour_lists_the_minutes_in_which_its_pictures_change_shape() -> None:
    wide, large, high = (640, 360), (1280, 720), (360, 640)
    sizes = {1_000: wide, 30_000: large, 61_000: large, 121_000: large, 122_000: high, 180_000: high}

    def minutes(from_ms: int, to_ms: int) -> list[tuple[int, list[Size]]]:
        frames = [Shown(*size, time_ms) for time_ms, size in sizes.items()]
        return sizes_by_minute(frames, from_ms, to_ms)  # type: ignore[arg-type]

    assert minutes(500, 240_000) == [(500, [large]), (120_000, [high, large]), (180_000, [high])]
    assert minutes(121_000, 240_000) == [(121_000, [high, large]), (180_000, [high])]
    assert minutes(500, 122_000) == []
