"""The tracker on generated scenes with known objects, and its reports."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hadoop.conftest import Footage
from tests.hadoop.test_track_hours import NOON_MS, drive, objects, tracks
from tests.kit.scripts import script

from frametally.settings.loading import ENV_PREFIX, Settings
from frametally_hadoop.job.following import pair_up, widened
from frametally_hadoop.job.params import CountParams, TrackParams
from frametally_hadoop.job.paths import Visit
from frametally_hadoop.job.visits import find_visits

WIDTH_PX, HEIGHT_PX = 1280, 720


class Box(NamedTuple):
    """One box, as `frametally.records.Detection`."""

    label: str
    confidence: float
    box: tuple[float, float, float, float]


class Seen(NamedTuple):
    """One frame, with the fields that tracking uses."""

    captured_at_ms: int
    image_path: str
    detections: Sequence[Box]
    source: str = "gate"
    model: str = "tiny-1"
    width_px: int = WIDTH_PX
    height_px: int = HEIGHT_PX


@dataclass(frozen=True, kw_only=True)
class Walker:
    """Moves from `start` by `velocity` (pixels a second); `sight` is its confidence by second, 0
    if unseen."""

    start: tuple[float, float]
    velocity: tuple[float, float] = (0.0, 0.0)
    size: tuple[float, float] = (40.0, 90.0)
    since_s: float = 0.0
    until_s: float = 20.0
    sight: Callable[[float], float] = lambda _: 0.9
    label: str = "person"

    def at(self, now_s: float) -> Box | None:
        """Its box around the true centre, clipped to the frame."""
        confidence = self.sight(now_s)
        if not self.since_s <= now_s < self.until_s or not confidence:
            return None
        x, y = (s + v * (now_s - self.since_s) for s, v in zip(self.start, self.velocity, strict=True))
        left, right = max(0.0, x - self.size[0] / 2), min(WIDTH_PX, x + self.size[0] / 2)
        top, bottom = max(0.0, y - self.size[1] / 2), min(HEIGHT_PX, y + self.size[1] / 2)
        if right - left < 5 or bottom - top < 5:
            return None
        box = tuple(round(side, 1) for side in (left, top, right - left, bottom - top))
        return Box(self.label, confidence, box)  # type: ignore[arg-type]


def scene(
    walkers: Sequence[Walker],
    *,
    fps: float,
    seconds: float = 20.0,
    extra: Callable[[int], Iterable[Box]] = lambda _: (),
) -> tuple[list[Seen], dict[tuple[int, Box], int]]:
    """The frames, and the person of each box."""
    frames, owners = [], {}
    for number in range(int(seconds * fps)):
        time_ms = round(number * 1000 / fps)
        boxes = []
        for owner, walker in enumerate(walkers):
            box = walker.at(time_ms / 1000)
            if box is not None:
                boxes.append(box)
                owners[time_ms, box] = owner
        frames.append(Seen(time_ms, f"images/{number:06d}", [*boxes, *extra(number)]))
    return frames, owners


def visits_of(frames: Sequence[Seen], **params: Any) -> list[Visit]:
    tracking = TrackParams()._replace(**params)
    return find_visits(frames, CountParams(tracking=tracking), tracking)


def owners_of(visits: Iterable[Visit], owners: dict[tuple[int, Box], int]) -> list[set[int]]:
    """The persons of the boxes of each visit."""
    found = []
    for visit in visits:
        who = set()
        for seen in visit.sightings:
            sides = (seen.left / 10, seen.top / 10, seen.width / 10, seen.height / 10)
            who.add(owners.get((seen.time_ms, Box(visit.label, seen.confidence / 10_000, sides)), -1))
        found.append(who)
    return sorted(found, key=min)


def assert_each_is_one_visit(walkers: Sequence[Walker], fps: float, **options: Any) -> None:
    frames, owners = scene(walkers, fps=fps, **options)
    assert owners_of(visits_of(frames), owners) == [{n} for n in range(len(walkers))]


def hidden(*spans: tuple[float, float]) -> Callable[[float], float]:
    return lambda now_s: 0.0 if any(a <= now_s < b for a, b in spans) else 0.9


@pytest.mark.parametrize("fps", [30, 10, 5, 4.5])
def test_walkers_whose_paths_cross_keep_their_identities(fps: float) -> None:
    assert_each_is_one_visit(
        [
            Walker(start=(200, 200), velocity=(60, 20)),
            Walker(start=(1100, 220), velocity=(-50, 15)),
            Walker(start=(640, 650), velocity=(3, -30)),
        ],
        fps,
    )


@pytest.mark.parametrize("fps", [10, 5])
def test_a_walker_hidden_behind_another_keeps_its_identity(fps: int) -> None:
    in_front = Walker(start=(300, 300), velocity=(40, 0), size=(60, 120))
    behind = Walker(start=(900, 290), velocity=(-40, 0), sight=hidden((6.9, 8.3)))
    assert_each_is_one_visit([in_front, behind], fps)


@pytest.mark.parametrize("fps", [5, 10, 25])
@pytest.mark.parametrize("apart_s", [0.4, 0.6, 0.8])
@pytest.mark.parametrize("speed_px_s", [60, 90, 140])
def test_two_walkers_who_cross_within_a_second_and_are_seen_on_one_side_only_are_two(
    fps: int, apart_s: float, speed_px_s: float
) -> None:
    goes = Walker(start=(300, 300), velocity=(speed_px_s, 0), since_s=1, until_s=3)
    comes = Walker(
        start=(300 + 2 * speed_px_s, 306), velocity=(-speed_px_s, 0), since_s=3 + apart_s, until_s=5 + apart_s
    )
    assert_each_is_one_visit([goes, comes], fps)


@pytest.mark.parametrize("fps", [5, 10])
def test_a_walker_who_turns_round_during_a_longer_hiding_is_one(fps: int) -> None:
    goes = Walker(start=(300, 300), velocity=(90, 0), since_s=1, until_s=3)
    returns = Walker(start=(480, 306), velocity=(-90, 0), since_s=5.6, until_s=7.6)
    frames, owners = scene([goes, returns], fps=fps)
    assert owners_of(visits_of(frames), owners) == [{0, 1}]


@pytest.mark.parametrize("fps", [5, 10])
def test_a_track_within_a_bridged_gap_of_another_belongs_to_that_visit(fps: int) -> None:
    walks = Walker(start=(600, 150), velocity=(0, 30), sight=hidden((4, 6.8)))
    # Too far off its path for the next frame, and near enough for the same object.
    fragment = Walker(start=(666, 150 + 30 * 4.4), velocity=(0, 30), since_s=4.4, until_s=6.4)
    frames, owners = scene([walks, fragment], fps=fps)
    [visit] = visits_of(frames)
    assert owners_of([visit], owners) == [{0, 1}]
    assert len(visit.sightings) == len(owners)
    times = [box.time_ms for box in visit.sightings]
    assert times == sorted(set(times))


def test_a_track_beside_the_path_across_a_gap_is_another_visit() -> None:
    walks = Walker(start=(600, 150), velocity=(0, 30), sight=hidden((4, 6.8)))
    beside = Walker(start=(700, 150 + 30 * 4.4), velocity=(0, 30), since_s=4.4, until_s=6.4)
    assert_each_is_one_visit([walks, beside], 5)


@pytest.mark.parametrize("seed", [7, 11, 25])
def test_at_25_frames_a_second_a_neighbour_takes_no_box_even_if_boxes_jitter(seed: int) -> None:
    """Three people pass each other closely; a third of their boxes is missing, and widths are random."""
    rng = random.Random(seed)  # noqa: S311
    people = [
        (rng.choice([-1, 1]), 640 + rng.uniform(-200, 200), 300 + rng.uniform(-15, 15), rng.uniform(30, 120))
        for _ in range(3)
    ]
    frames, owners = [], {}
    for time_ms in range(0, 4000, 40):
        boxes = []
        for owner, (direction, x, y, speed) in enumerate(people):
            if rng.random() < 0.3:
                continue
            centre = x + direction * speed * time_ms / 1000 + rng.gauss(0, 4)
            width, height = 80 * rng.uniform(0.7, 1.3), 200 * rng.uniform(0.92, 1.08)
            sides = (centre - width / 2, y - height / 2, width, height)
            left, top, width, height = (round(side, 1) for side in sides)
            boxes.append(Box("person", 0.9, (left, top, width, height)))
            owners[time_ms, boxes[-1]] = owner
        frames.append(Seen(time_ms, f"images/{time_ms:06d}", boxes))
    assert owners_of(visits_of(frames), owners) == [{0}, {1}, {2}]


@pytest.mark.parametrize(("hidden_s", "visits"), [(0.8, 1), (2.5, 1), (4.5, 1), (9.0, 2)])
def test_a_walker_hidden_for_longer_than_gap_and_stitch_is_a_new_visit(hidden_s: float, visits: int) -> None:
    walker = Walker(start=(300, 300), velocity=(45, 0), sight=hidden((5, 5 + hidden_s)))
    frames, _ = scene([walker], fps=5)
    assert len(visits_of(frames)) == visits


def test_without_stitching_a_long_gap_splits_a_visit_in_two() -> None:
    frames, _ = scene([Walker(start=(300, 300), velocity=(20, 0), sight=hidden((5, 9.5)))], fps=5)
    assert len(visits_of(frames, stitch_ms=0)) == 2


@pytest.mark.parametrize("seed", range(8))
def test_missing_a_fifth_of_all_boxes_and_single_false_alarms_change_no_count(seed: Any) -> None:
    rng = random.Random(seed)  # noqa: S311
    walkers = [
        Walker(
            start=(rng.uniform(100, 1100), 80 + 85.0 * row),
            velocity=(rng.uniform(-25, 25), rng.uniform(-3, 3)),
            since_s=rng.uniform(0, 5),
            size=(30, 60),
            sight=lambda _: 0.0 if rng.random() < 0.2 else rng.choice([0.71, 0.8, 0.95]),
        )
        for row in range(7)
    ]

    def false_alarm(number: int) -> list[Box]:
        far = number * 211 % 1200
        return [Box("person", 0.9, (float(far), 650.0, 20.0, 40.0))] if number % 3 == 0 else []

    frames, owners = scene(walkers, fps=5, extra=false_alarm)
    assert owners_of(visits_of(frames), owners) == [{n} for n in range(7)]


def test_weak_boxes_continue_a_visit_but_never_begin_one() -> None:
    walker = Walker(start=(300, 300), velocity=(30, 0), sight=lambda now_s: 0.15 if 2 < now_s < 12 else 0.9)
    shadow = Walker(start=(900, 300), sight=lambda _: 0.59)
    frames, owners = scene([walker, shadow], fps=5)
    [visit] = visits_of(frames)
    assert owners_of([visit], owners) == [{0}]
    assert len(visit.sightings) == len(frames)


def test_weak_boxes_just_before_a_visit_begins_belong_to_it() -> None:
    comes = Walker(start=(300, 300), velocity=(30, 0), sight=lambda now_s: 0.3 if now_s < 2 else 0.9)
    beside = Walker(start=(900, 300), sight=lambda _: 0.3)
    frames, owners = scene([comes, beside], fps=5)
    [visit] = visits_of(frames)
    assert owners_of([visit], owners) == [{0}]
    assert [box.time_ms for box in visit.sightings] == [frame.captured_at_ms for frame in frames]


@pytest.mark.parametrize("fps", [5, 10, 30])
def test_a_visit_begins_equally_early_at_every_rate_even_with_missing_boxes(fps: int) -> None:
    """A car that emerges from behind another is seen only in every fifth of a second at first."""
    walker = Walker(
        start=(300, 300),
        velocity=(30, 0),
        sight=lambda now_s: 0.9 if now_s > 1 or now_s * 5 % 1 < 0.01 else 0.0,
    )
    [visit] = visits_of(scene([walker], fps=fps)[0])
    assert visit.sightings[0].time_ms == 0


def test_a_box_without_a_successor_for_a_fifth_of_a_second_is_a_false_alarm() -> None:
    at_times = Walker(start=(300, 300), sight=lambda now_s: 0.9 if round(now_s * 10) % 3 == 0 else 0.0)
    assert visits_of(scene([at_times], fps=10)[0]) == []


def test_only_one_visit_takes_a_weak_box_back() -> None:
    front = Walker(start=(300, 300), sight=lambda now_s: 0.9 if now_s >= 2 else 0.3)
    behind = Walker(start=(312, 300), sight=lambda now_s: 0.9 if now_s >= 2 else 0.0)
    frames, _ = scene([front, behind], fps=5)
    visits = visits_of(frames)
    began = sorted(visit.sightings[0].time_ms - frames[0].captured_at_ms for visit in visits)
    assert began == [0, 2000]


def test_no_box_is_taken_back_across_a_frame_in_which_nothing_was_seen() -> None:
    walker = Walker(start=(300, 300), sight=lambda now_s: 0.9 if now_s >= 2 else 0.3 if now_s < 1.5 else 0)
    other = Walker(start=(900, 300))
    for walkers in ([walker], [walker, other]):
        frames, _ = scene(walkers, fps=5)
        began = max(visit.sightings[0].time_ms for visit in visits_of(frames))
        assert began == frames[0].captured_at_ms + 2000


def test_a_visit_takes_back_three_seconds_at_most() -> None:
    walker = Walker(start=(300, 300), velocity=(30, 0), sight=lambda now_s: 0.3 if now_s < 10 else 0.9)
    frames, _ = scene([walker], fps=5)
    [visit] = visits_of(frames)
    assert visit.sightings[0].time_ms == frames[0].captured_at_ms + 10_000 - 3_000


def test_a_label_may_have_its_own_threshold() -> None:
    walkers = [
        Walker(start=(900, 300 + 200 * n), sight=lambda _: 0.55, label=label) for n, label in enumerate("ab")
    ]
    frames, _ = scene(walkers, fps=5)
    assert [visit.label for visit in visits_of(frames, strong_by_label=(("b", 4000),))] == ["b"]


def test_a_walker_leaving_at_the_border_and_another_arriving_there_are_two() -> None:
    leaves = Walker(start=(1180, 300), velocity=(30, 0), until_s=4)
    comes = Walker(start=(1270, 310), velocity=(-30, 0), since_s=6)
    assert_each_is_one_visit([leaves, comes], 5)


@pytest.mark.parametrize(("end_x", "start_x"), [(1190, 1262), (1262, 1190)])
def test_one_end_at_the_border_is_enough_to_separate_two_visits(end_x: int, start_x: int) -> None:
    goes = Walker(start=(end_x, 300), until_s=4)
    comes = Walker(start=(start_x, 310), since_s=7.5)
    assert_each_is_one_visit([goes, comes], 5)


def test_away_from_the_border_the_same_tracks_are_one_hidden_walker() -> None:
    leaves = Walker(start=(580, 300), velocity=(10, 0), until_s=4)
    comes = Walker(start=(640, 310), velocity=(10, 0), since_s=7.5)
    frames, _ = scene([leaves, comes], fps=5)
    assert len(visits_of(frames)) == 1


def test_a_walker_who_comes_back_is_a_new_visit() -> None:
    walkers = [Walker(start=(20, 300), velocity=(60, 0), since_s=s, until_s=s + 10) for s in (0, 40)]
    assert_each_is_one_visit(walkers, 5, seconds=60)


def test_each_label_is_tracked_separately() -> None:
    frames, owners = scene(
        [Walker(start=(300, 300), label="car"), Walker(start=(300, 300), label="person")], fps=5
    )
    assert owners_of(visits_of(frames), owners) == [{0}, {1}]


def test_an_object_that_never_moves_counts_unless_its_label_says_otherwise() -> None:
    parked = [Walker(start=(300, 300), label=label) for label in ("car", "person")]
    walks = Walker(start=(600, 300), velocity=(10, 0))
    frames, owners = scene([*parked, walks], fps=5)
    assert owners_of(visits_of(frames), owners) == [{0}, {1}, {2}]
    assert owners_of(visits_of(frames, fixed_labels=("person",)), owners) == [{0}, {2}]


def test_a_track_moves_by_the_true_time_between_frames() -> None:
    """At a steady 10 frames a second, then with most of them missing, as a slow machine drops them."""
    runner = Walker(start=(30, 300), velocity=(250, 0), until_s=4.8)
    frames, owners = scene([runner], fps=10, seconds=4.8)
    kept = [frame for n, frame in enumerate(frames) if n < 20 or n % 7 in (0, 3)]
    [visit] = visits_of(kept)
    assert owners_of([visit], owners) == [{0}]
    assert len(visit.sightings) == len(kept)


def test_a_walker_who_moves_more_than_a_width_between_two_frames_is_one_visit() -> None:
    assert_each_is_one_visit([Walker(start=(30, 300), velocity=(230, 0), until_s=5)], 5, seconds=5)


def test_the_most_confident_box_begins_a_track_however_high_the_threshold_is() -> None:
    frames, _ = scene([Walker(start=(300, 300), sight=lambda _: 1.0)], fps=5)
    assert len(visits_of(frames, strong=10_000)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_neither_the_order_of_boxes_nor_equal_overlaps_leave_anything_to_chance(seed: Any) -> None:
    """One stands still, then two emerge from it, to the left and to the right: either is as near."""
    walkers = [Walker(start=(300, 300), until_s=4)]
    walkers += [Walker(start=(300 + off, 300), since_s=4) for off in (-10, 10)]
    frames, _ = scene(walkers, fps=5)
    rng = random.Random(seed)  # noqa: S311
    shuffled = [
        frame._replace(detections=rng.sample(frame.detections, len(frame.detections))) for frame in frames
    ]

    def boxes(visits: list[Visit]) -> list[list[tuple[object, ...]]]:
        return [[sighting[:7] for sighting in visit.sightings] for visit in visits]

    assert boxes(visits_of(shuffled)) == boxes(visits_of(frames))
    assert boxes(visits_of(frames))[0][-1][2] == 2700  # the left one, by rule


def test_only_counted_boxes_make_a_visit_and_the_first_one_begins_it() -> None:
    grows = Walker(start=(300, 300), sight=lambda now_s: 0.65 if 1 < now_s < 3 else 0.9)
    frames, _ = scene([grows], fps=5, seconds=5)
    tracking = TrackParams()
    [visit] = find_visits(frames, CountParams(min_confidence=9000), tracking)
    assert visit.sightings[0].time_ms == 0
    late = frames[5:]  # tracked from its strong boxes on, counted from the first one of 0.9 on
    late[0] = late[0]._replace(detections=[box._replace(confidence=0.8) for box in late[0].detections])
    [visit] = find_visits(late, CountParams(min_confidence=9000), tracking)
    assert visit.sightings[0].time_ms == 3000
    assert find_visits(frames, CountParams(min_side=401), tracking) == []
    assert find_visits(frames, CountParams(labels=("car",)), tracking) == []


sides = st.integers(0, 60).map(float)
areas = st.lists(
    st.builds(widened, sides, sides, st.integers(1, 40).map(float), st.integers(1, 40).map(float)), max_size=7
)


@given(tracks=areas, boxes=areas, least=st.sampled_from([0.01, 0.2, 0.5]))
def test_pairs_are_one_to_one_with_enough_overlap_and_the_best_free_one_is_taken(
    tracks: Any, boxes: Any, least: Any
) -> None:
    def overlap(i: int, j: int) -> float:
        a, b = tracks[i], boxes[j]
        across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        shared = across * down if across > 0 and down > 0 else 0.0
        return shared / (a[4] + b[4] - shared)

    pairs = pair_up(tracks, boxes, least)
    tracks_left, boxes_left = {*range(len(tracks))}, {*range(len(boxes))}
    for i, j in pairs:
        tracks_left.remove(i)
        boxes_left.remove(j)
    overlaps = [overlap(i, j) for i, j in pairs]
    assert overlaps == sorted(overlaps, reverse=True)
    assert all(value >= least for value in overlaps)
    assert all(overlap(i, j) < least for i in tracks_left for j in boxes_left)
    for (i, j), value in zip(pairs, overlaps, strict=True):
        later = [pair for pair in pairs if pairs.index(pair) > pairs.index((i, j))]
        rivals = [(i, b) for _, b in later] + [(a, j) for a, _ in later]
        assert all(
            overlap(*rival) < value or (overlap(*rival) == value and rival > (i, j)) for rival in rivals
        )


def person(time_ms: int, left: float, width: float = 50.0, height: float = 100.0) -> Seen:
    """A frame with one box."""
    return Seen(time_ms, f"images/{time_ms:06d}", [Box("person", 0.9, (left, 300.0, width, height))])


def test_if_a_box_fits_two_tracks_equally_the_older_track_continues() -> None:
    """Though the other has already had its second box."""
    places = [(0, 600), (50, 680), (100, 680), (150, 600), (200, 640)]
    found = visits_of([person(time_ms, left) for time_ms, left in places])
    assert [[seen.time_ms for seen in visit.sightings] for visit in found] == [[0, 150, 200], [50, 100]]


@pytest.mark.parametrize(("side_px", "number"), [(0.4, 0), (0.8, 1), (1.2, 1)])
def test_a_second_box_is_searched_for_where_a_one_pixel_box_would_be(side_px: float, number: int) -> None:
    assert len(visits_of([person(0, 600, side_px, side_px), person(200, 600, side_px, side_px)])) == number


def stands(x: float = 600, y: float = 300, *, since_s: float = 0, until_s: float = 40) -> Walker:
    """A person in the middle of the picture, 90 px tall."""
    return Walker(start=(x, y), since_s=since_s, until_s=until_s)


def visits(walkers: Sequence[Walker], fps: float = 5) -> list[Visit]:
    return visits_of(scene(walkers, fps=fps, seconds=40)[0])


@pytest.mark.parametrize("fps", [10, 5])
@pytest.mark.parametrize(("hidden_s", "number"), [(5, 1), (14, 1), (16, 2)])
def test_a_standing_walker_hidden_for_three_stitches_keeps_its_identity(
    fps: float, hidden_s: float, number: int
) -> None:
    walker = Walker(start=(600, 300), until_s=40, sight=hidden((8, 8 + hidden_s)))
    assert len(visits([walker], fps)) == number


@pytest.mark.parametrize(("away_px", "number"), [(85, 1), (95, 2)])
def test_somebody_who_appears_more_than_a_height_away_after_so_long_is_new(
    away_px: float, number: int
) -> None:
    assert len(visits([stands(until_s=8), stands(600 + away_px, since_s=18)])) == number


@pytest.mark.parametrize("other", [stands(640, until_s=7), stands(640, since_s=19)])
def test_after_so_long_an_ambiguous_match_is_never_made(other: Walker) -> None:
    """Two vanish and one appears, or one vanishes and two appear."""
    assert len(visits([stands(until_s=8), stands(since_s=18), other])) == 3


def test_somebody_arriving_at_the_border_is_never_the_one_who_left_there_however_late() -> None:
    assert len(visits([stands(22, until_s=8), stands(22, since_s=18)])) == 2


@pytest.mark.parametrize(
    ("confidence", "off_px", "is_filled"),
    [(0.45, 0, True), (0.45, 60, True), (0.45, 75, False), (0.35, 0, False)],
)
def test_leftover_boxes_in_a_gap_show_where_the_hidden_walker_was(
    confidence: float, off_px: float, is_filled: bool
) -> None:
    """Less than three quarters of a height off the straight path, and rather sure."""
    walker = Walker(start=(600, 300), until_s=40, sight=hidden((8, 12.5)))
    glimpse = Walker(start=(600 + off_px, 300), since_s=10, until_s=11, sight=lambda _: confidence)
    [visit] = visits([walker, glimpse])
    times = {box.time_ms for box in visit.sightings}
    assert (times >= {10_000, 10_200, 10_400, 10_600, 10_800}) == is_filled
    assert {time for time in times if 8000 <= time < 12_500} <= set(range(10_000, 11_000))


def test_a_leftover_box_fills_only_one_gap() -> None:
    gap = hidden((8, 12.5))
    walkers = [Walker(start=(x, 300), until_s=40, sight=gap) for x in (560, 640)]
    glimpse = Walker(start=(600, 300), since_s=10, until_s=11, sight=lambda _: 0.45)
    found = visits([*walkers, glimpse])
    assert [sum(8000 <= box.time_ms < 12_500 for box in visit.sightings) for visit in found] == [5, 0]


@pytest.mark.parametrize("fps", [10, 5])
def test_two_walkers_whose_tracks_are_swapped_as_they_meet_continue_as_they_came(fps: int) -> None:
    """One is not seen for half a second; another emerges exactly there, and goes the other way."""
    walkers = [
        Walker(start=(300, 300), velocity=(80, 0), sight=hidden((4.5, 5.1))),
        Walker(start=(650, 300), velocity=(-80, 0), since_s=4.5),
    ]
    frames, owners = scene(walkers, fps=fps, seconds=8)
    clear = [
        visit._replace(sightings=[box for box in visit.sightings if not 4500 <= box.time_ms < 5200])
        for visit in visits_of(frames)
    ]
    assert owners_of(clear, owners) == [{0}, {1}]


def test_a_car_that_continues_in_the_same_direction_keeps_its_track() -> None:
    """In a queue one car emerges from behind another: that is not an exchange."""
    first = Walker(start=(300, 300), velocity=(40, 0))
    behind = Walker(start=(380, 300), velocity=(40, 0), since_s=5)
    frames, owners = scene([first, behind], fps=10, seconds=12)
    assert owners_of(visits_of(frames), owners) == [{0}, {1}]


def test_a_standing_object_hidden_at_the_full_hour_counts_only_in_the_hour_before(footage: Footage) -> None:
    hidden_ms = range(NOON_MS - 6_000, NOON_MS + 6_000, 200)
    footage.segment(
        drive(footage, NOON_MS - 30_000, NOON_MS - 6_000)
        + [footage.frame(time_ms, index=900 + n) for n, time_ms in enumerate(hidden_ms)]
        + drive(footage, NOON_MS + 6_000, NOON_MS + 30_000)
    )
    footage.aggregate()
    assert {start: number for start, number in objects(footage).items() if number} == {NOON_MS - 60_000: 1}
    assert [(track.is_counted, track.began, track.ended) for track in tracks(footage)] == [
        (True, "footage", "hour"),
        (False, "hour", "footage"),
    ]


ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/tracking.md").read_text(encoding="utf-8")


measure = script("benchmarks/idf1.py")
AT, ASIDE = (10.0, 10.0, 20.0, 40.0), (200.0, 10.0, 20.0, 40.0)


def test_idf1_is_1_for_the_truth_whatever_the_identities_are_called() -> None:
    truth = {n: [(1, AT), (2, ASIDE)] for n in range(4)}
    assert measure.idf1(truth, {n: [(70, AT), (8, ASIDE)] for n in range(4)}) == 1
    assert measure.idf1(truth, {}) == 0
    assert measure.idf1({}, {}) == 1


def test_idf1_of_a_split_track_and_of_two_swapped_tracks() -> None:
    truth = {n: [(1, AT), (2, ASIDE)] for n in range(4)}
    broken = {n: [(n // 3, AT), (9, ASIDE)] for n in range(4)}
    assert measure.idf1(truth, broken) == 2 * (3 + 4) / 16
    swapped = {n: [(1, AT if n < 3 else ASIDE), (2, ASIDE if n < 3 else AT)] for n in range(4)}
    assert measure.idf1(truth, swapped) == 2 * (3 + 3) / 16


def test_idf1_counts_misses_and_false_alarms() -> None:
    truth = {n: [(1, AT)] for n in range(4)}
    assert measure.idf1(truth, {0: [(5, AT)], 1: [(5, AT)]}) == 2 * 2 / (4 + 2)
    assert measure.idf1(truth, {n: [(5, AT), (6, ASIDE)] for n in range(4)}) == 2 * 4 / (4 + 8)
    half_off = (10.0, 24.0, 20.0, 40.0)
    assert measure.idf1(truth, {n: [(5, half_off)] for n in range(4)}) == 0


def test_the_page_shows_the_measured_numbers() -> None:
    result = json.loads((ROOT / "benchmarks/results/tracking.json").read_bytes())
    assert result["command"] in PAGE
    for table in result["tables"]:
        for row in [table["columns"], *table["rows"]]:
            assert f"| {' | '.join(str(cell) for cell in row)} |" in PAGE


def test_the_measured_numbers_meet_their_goals() -> None:
    result = json.loads((ROOT / "benchmarks/results/tracking.json").read_bytes())
    for goal in result["goals"]:
        assert goal["at_least"] is None or goal["measured"] >= goal["at_least"], goal["what"]
        assert goal["at_most"] is None or goal["measured"] <= goal["at_most"], goal["what"]


@pytest.mark.parametrize("name", [n for n in Settings.model_fields if "track" in n or n == "count_objects"])
def test_the_page_lists_each_tracker_setting_with_its_default(name: Any) -> None:
    default = Settings.model_fields[name].default
    shown = f"`{default}`" if default != "" else "empty"
    assert f"| `{ENV_PREFIX}{name.upper()}` | {shown} |" in PAGE


def line_up(
    steps_px: Sequence[float], *, left: float = 100.0, top: float = 300.0, height: float = 40.0
) -> list[Box]:
    """Boxes of 60 px that move right by this much from frame to frame."""
    return [
        Box("car", 0.9, (left + sum(steps_px[:number]), top, 60.0, height))
        for number in range(len(steps_px) + 1)
    ]


def fast_visits(ways: Iterable[Sequence[Box | None]], *, frames: int = 12) -> list[Visit]:
    """The visits in footage of 5 frames a second: each path has a box in successive frames."""
    shown = [
        Seen(
            200 * number, f"{number:03d}", [way[number] for way in ways if number < len(way) and way[number]]
        )
        for number in range(frames)
    ]
    return find_visits(shown, CountParams(), TrackParams())


def test_something_that_moves_more_than_its_own_width_between_frames_is_one_object() -> None:
    [visit] = fast_visits([line_up([100, 100, 100])])
    assert [box.left for box in visit.sightings] == [1000, 2000, 3000, 4000]
    assert len(fast_visits([line_up([200, 205, 195, 200])])) == 1
    assert len(fast_visits([line_up([-100, -100, -100], left=800)])) == 1
    assert len(fast_visits([line_up([100, 100, 100]), line_up([-150] * 4, left=1100, top=500)])) == 2


def test_a_fast_object_has_four_boxes_of_one_size_at_even_steps() -> None:
    assert fast_visits([line_up([100, 100])]) == []
    assert len(fast_visits([line_up([100, 124, 100])])) == 1  # a quarter of its width, and a tenth of a step
    assert fast_visits([line_up([100, 130, 100])]) == []
    boxes = line_up([100, 100, 100])
    for side, (least, most) in ((2, (41, 39)), (3, (31, 30))):
        for width_px, number in ((least, 1), (most, 0)):
            *first, last = boxes
            changed = [*last.box]
            changed[0] += (60 - width_px) / 2 if side == 2 else 0
            changed[1] += (40 - width_px) / 2 if side == 3 else 0
            changed[side] = width_px
            assert len(fast_visits([[*first, last._replace(box=tuple(changed))]])) == number


def test_a_fast_object_may_be_missing_in_one_frame_after_its_second_box() -> None:
    first, second, third, fourth, fifth = line_up([100] * 4)
    assert len(fast_visits([[first, second, None, fourth, fifth]])) == 1
    assert fast_visits([[first, None, third, fourth]]) == []
    far = line_up([100] * 5)
    assert fast_visits([[far[0], far[1], None, None, far[4], far[5]]]) == []


def test_jitter_in_place_and_many_lone_boxes_are_not_fast_objects() -> None:
    still = Box("car", 0.9, (100.0, 300.0, 60.0, 40.0))
    assert fast_visits([[still, None, None, still, None, None, still, None, None, still]]) == []
    lanes = [line_up([100] * 4, top=60.0 * lane) for lane in range(11)]
    assert len(fast_visits(lanes[:10])) == 10
    assert fast_visits(lanes) == []


def test_each_box_is_in_one_track_and_the_box_nearest_to_the_path_continues_it() -> None:
    ways = [line_up([100, 100, 100, 100]), [None, None, None, Box("car", 0.9, (380.0, 300.0, 60.0, 40.0))]]
    visits = fast_visits(ways)
    assert [[box.left for box in visit.sightings] for visit in visits] == [[1000, 2000, 3000, 4000, 5000]]


def mixed_traffic(rng: random.Random, fast: int, seen: float) -> list[Seen]:
    """A minute of cars of 40 px at 5 frames a second: fast ones in four lanes, three slow ones in others."""
    cars = []
    for is_fast, number in ((True, fast), (False, 3)):
        for _ in range(number):
            px_s = 200 * (rng.uniform(1.25, 3) if is_fast else rng.uniform(0.05, 0.6))
            lane = rng.randrange(4) + (0 if is_fast else 4)
            cars.append((lane, rng.uniform(0, 57), px_s))
    frames = []
    for number in range(300):
        boxes = []
        for lane, since_s, px_s in cars:
            left = (number / 5 - since_s) * px_s - 40
            first, last = max(left, 0), min(left + 40, 640)
            if number / 5 < since_s or last - first < 10 or rng.random() > seen:
                continue
            sides = (first, 20 + 40 * lane, last - first, 30)
            left, *rest = (round(side + rng.gauss(0, 1.5), 1) for side in sides)
            boxes.append(Box("car", 0.9, (max(0, left), *rest)))
        frames.append(Seen(200 * number, f"{number:03d}", boxes, width_px=640, height_px=360))
    return frames


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("fast", "seen", "least", "most"),
    [(4, 1.0, 140, 145), (10, 1.0, 255, 275), (10, 0.95, 250, 270), (4, 0.9, 130, 142), (10, 0.9, 245, 265)],
)
def test_fast_cars_next_to_slow_ones_are_counted_as_the_manual_says(
    fast: int, seen: float, least: int, most: int
) -> None:
    minutes = [mixed_traffic(random.Random(seed), fast, seen) for seed in range(20)]  # noqa: S311
    objects = [len(find_visits(frames, CountParams(), TrackParams())) for frames in minutes]
    assert least <= sum(objects) <= most
