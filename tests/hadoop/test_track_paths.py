"""Where each object was, how its track began and ended; older runs report that they do not know."""

from __future__ import annotations

from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.memory import MemoryStore
from tests.fakes.records import make_count, make_coverage, make_run, put_run
from tests.hadoop.conftest import Footage
from tests.hadoop.test_track_hours import HOUR_MS, NOON_MS, drive, paths, tracks

from frametally.books.index_lag import of_earlier_rules
from frametally.books.runs import current_runs, read_paths, read_tracks
from frametally.rules.path_columns import LONE_COLUMNS
from frametally_hadoop.count_round import changed_totals
from frametally_hadoop.job.following import TrackedBox
from frametally_hadoop.job.paths import TrackEdges, foot_path


class Shown(NamedTuple):
    """The parts of a frame that a path needs."""

    width_px: int = 640
    height_px: int = 480


def box(time_ms: int, left: int, top: int, width: int = 300, height: int = 400) -> TrackedBox:
    return TrackedBox(time_ms, 9000, left, top, width, height, True, Shown(), "car")  # type: ignore[arg-type]


def foot(sighting: TrackedBox) -> tuple[float, float, float]:
    return sighting.left + sighting.width // 2, sighting.top + sighting.height, sighting.height


def with_lower_sides(boxes: list[TrackedBox]) -> list[TrackedBox]:
    """The boxes in a path: each lower side is the median of those 0.3 s before and after it."""
    found = []
    for at, now in enumerate(boxes):
        near = [n for n, one in enumerate(boxes) if abs(one.time_ms - now.time_ms) <= 300]
        reach = min(at - near[0], near[-1] - at)
        bottom = median(one.top + one.height for one in boxes[at - reach : at + reach + 1])
        found.append(now._replace(height=int(bottom) - now.top) if bottom > now.top else now)
    return found


steps = st.lists(
    st.tuples(
        st.sampled_from([0, 40, 200, 200, 1000, 1001, 3000]),
        st.integers(-90, 90),
        st.integers(-90, 90),
        st.integers(-60, 60),
        st.integers(-40, 40),
    ),
    max_size=50,
)


@given(steps, st.integers(-5_000, 5_000))
def test_no_omitted_foot_point_is_off_the_path_by_a_tenth_of_its_boxs_height(
    steps: list[tuple[int, ...]], first_ms: int
) -> None:
    boxes = [box(first_ms, 1000, 1000)]
    for passed_ms, dx, dy, dw, dh in steps:
        before = boxes[-1]
        boxes.append(
            box(
                before.time_ms + passed_ms,
                before.left + dx,
                before.top + dy,
                max(20, before.width + dw),
                max(20, before.height + dh),
            )
        )
    path = foot_path(boxes, -HOUR_MS, HOUR_MS)
    boxes = with_lower_sides(boxes)
    times = {sighting.time_ms for sighting in boxes}
    assert {point.time_ms for point in path} <= times
    assert sum(point.boxes for point in path) == len(boxes)
    assert path[0][:4] == (first_ms, *foot(boxes[0]))
    assert path[-1][:4] == (boxes[-1].time_ms, *foot(boxes[-1]))
    by_time = {sighting.time_ms: sighting for sighting in boxes}
    for start, end in pairwise(path):
        assert start.time_ms <= end.time_ms
        for time_ms in [ms for ms in by_time if start.time_ms < ms < end.time_ms]:
            if sum(sighting.time_ms == time_ms for sighting in boxes) > 1:
                continue  # two frames with the same time
            part = (time_ms - start.time_ms) / (end.time_ms - start.time_ms)
            for had, a, b in zip(foot(by_time[time_ms]), start[1:4], end[1:4], strict=True):
                assert abs(a + part * (b - a) - had) <= 0.1 * by_time[time_ms].height + 1e-6


def test_a_path_shows_that_somebody_stood_before_leaving() -> None:
    """With points by distance alone, half the way from the last place would be half the time before it."""
    stands = [box(n * 200, 1000, 1000) for n in range(300)]
    goes = [box(60_000 + n * 200, 1000 + 100 * n, 1000) for n in range(1, 11)]
    path = foot_path(stands + goes, 0, HOUR_MS)
    assert [(point.time_ms, point.x, point.boxes) for point in path[:2]] == [
        (0, 1150, 1),
        (59_800, 1150, 299),
    ]
    assert len(path) <= 4


@pytest.mark.parametrize("hidden", [{5}, {5, 6}, {5, 8}])
def test_a_car_hidden_by_another_for_a_moment_continues_evenly(hidden: set[int]) -> None:
    """In a queue, its box loses its lower half and regains it: its foot does not move back and forth."""
    tops = [1000 + 30 * n for n in range(14)]
    boxes = [box(100 * n, 1000, top, height=200 if n in hidden else 400) for n, top in enumerate(tops)]
    feet = [point.y for point in foot_path(boxes, 0, HOUR_MS)]
    assert feet == sorted(feet)
    assert (feet[0], feet[-1]) == (1400, 1400 + 30 * 13)


def test_both_ends_of_an_unseen_stretch_are_points() -> None:
    """The number of boxes since the previous point distinguishes measured from interpolated positions."""
    boxes = [box(ms, 1000 + ms // 10, 1000) for ms in (0, 200, 400, 600, 3_000, 3_200, 3_400)]
    path = foot_path(boxes, 0, HOUR_MS)
    assert [(point.time_ms, point.boxes) for point in path] == [(0, 1), (600, 3), (3_000, 1), (3_400, 2)]


def test_the_second_box_is_a_point_if_it_does_not_follow_the_first_at_once() -> None:
    boxes = [box(ms, 1000 + ms // 10, 1000) for ms in (0, 3_000, 3_200, 3_400)]
    path = foot_path(boxes, 0, HOUR_MS)
    assert [(point.time_ms, point.boxes) for point in path] == [(0, 1), (3_000, 1), (3_400, 2)]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("what", ["x", "y", "height"])
def test_a_line_stays_as_close_to_its_first_boxes_as_to_its_last(what: str, sign: int) -> None:
    """It may bend a little at each box, but not so often that it leaves the first ones."""
    path = []
    for number, off in enumerate((0, 0, 79, 156)):
        left, bottom, height = (off * sign * (what == name) for name in ("x", "y", "height"))
        path.append(box(number * 200, 1000 + left, 1000 + bottom - height, height=400 + height))
    assert [point.time_ms for point in foot_path(path, 0, HOUR_MS)] == [0, 400, 600]


@pytest.mark.parametrize(("gap_ms", "points"), [(1_000, 2), (1_001, 4)])
def test_a_second_without_a_box_does_not_count_as_unseen(gap_ms: int, points: int) -> None:
    times_ms = (0, 200, 200 + gap_ms, 400 + gap_ms)
    path = foot_path([box(ms, 1000, 1000) for ms in times_ms], 0, HOUR_MS)
    assert len(path) == points


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("what", ["x", "y", "height"])
def test_a_line_may_miss_a_box_by_a_tenth_of_its_height(what: str, sign: int) -> None:
    def points(off: int) -> list[int]:
        boxes = []
        for number, way in enumerate((0, 0, off * sign)):
            left, bottom, height = (way * (what == name) for name in ("x", "y", "height"))
            boxes.append(box(number * 200, 1000 + left, 1000 + bottom - height, height=400 + height))
        return [point.time_ms for point in foot_path(boxes, 0, HOUR_MS)]

    assert (points(80), points(81)) == ([0, 400], [0, 200, 400])


def test_a_path_ends_at_the_first_box_after_its_hour_even_if_the_next_picture_has_another_size() -> None:
    boxes = [box(ms, 1000 + ms // 10, 1000) for ms in (0, 200, 400, 600)]
    path = foot_path(boxes, 0, 400, changes=[3])
    assert [(point.time_ms, point.boxes) for point in path] == [(0, 1), (200, 1), (400, 1)]


def test_a_path_holds_the_foot_of_the_box_and_its_height_in_pixels_of_the_picture(footage: Footage) -> None:
    sides = [(100.0, 200.0, 61.5, 40.3), (130.0, 210.2, 61.3, 60.7)]
    footage.segment([footage.frame(NOON_MS + n * 200, "car", index=n, box=at) for n, at in enumerate(sides)])
    footage.aggregate()
    assert paths(footage) == [[(NOON_MS, 130.7, 240.3, 40.3), (NOON_MS + 200, 160.6, 270.9, 60.7)]]


BORDER, WITHIN = (570.0, 200.0, 60.0, 40.0), (300.0, 200.0, 60.0, 40.0)


def there(
    footage: Footage, first_ms: int, last_ms: int, at: Any, *, until_ms: int = 0, since_ms: int = 0
) -> Any:
    """Frames from `since_ms` to `until_ms`, with a car at `at` from `first_ms` to `last_ms`."""
    times = range(since_ms or first_ms, until_ms or last_ms, 200)
    return [
        footage.frame(ms, *["car"] * (first_ms <= ms < last_ms), index=n, box=at)
        for n, ms in enumerate(times)
    ]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("at", "empty_ms", "began", "ended"),
    [
        (WITHIN, 0, "footage", "footage"),
        (BORDER, 0, "footage", "footage"),
        (WITHIN, 2_000, "footage", "footage"),  # it would still be followed
        (BORDER, 2_000, "border", "border"),
        (WITHIN, 5_000, "found", "lost"),
        (BORDER, 5_000, "border", "border"),
    ],
)
def test_a_track_shows_how_it_began_and_ended(
    footage: Footage, at: Any, empty_ms: int, began: str, ended: str
) -> None:
    start_ms = NOON_MS + 600_000
    frames = there(
        footage,
        start_ms,
        start_ms + 4_000,
        at,
        since_ms=start_ms - empty_ms,
        until_ms=start_ms + 4_000 + empty_ms,
    )
    footage.segment(frames)
    footage.aggregate()
    [track] = tracks(footage)
    assert (track.began, track.ended) == (began, ended)


@pytest.mark.parametrize(("gap_ms", "way"), [(30_000, "gap"), (90_000, "footage")])
def test_a_gap_in_the_footage_is_told_apart_from_its_end(footage: Footage, gap_ms: int, way: str) -> None:
    start_ms = NOON_MS + 600_000
    footage.segment(there(footage, start_ms, start_ms + 4_000, WITHIN))
    footage.segment(there(footage, start_ms + 4_000 + gap_ms, start_ms + 8_000 + gap_ms, WITHIN))
    footage.aggregate()
    assert [(track.began, track.ended) for track in tracks(footage)] == [("footage", way), (way, "footage")]


def test_a_track_belongs_to_a_gap_if_it_would_still_be_followed_at_its_edge() -> None:
    """Footage of ten seconds, three times; the second gap is longer than the margin of an hour."""
    edges = TrackEdges([(0, 10_000), (70_000, 80_000), (140_001, 150_000)], gap_ms=2_000)

    def began(time_ms: int) -> tuple[str, int]:
        return edges.began(box(time_ms, 3000, 2000)), edges.gap_before(box(time_ms, 3000, 2000))

    def ended(time_ms: int) -> tuple[str, int]:
        return edges.ended(box(time_ms, 3000, 2000)), edges.gap_after(box(time_ms, 3000, 2000))

    assert [began(ms) for ms in (0, 2_000, 2_001)] == [("footage", 0), ("footage", 0), ("found", 0)]
    assert [began(ms) for ms in (70_000, 72_000, 72_001)] == [("gap", 1), ("gap", 1), ("found", 0)]
    assert [began(ms) for ms in (140_001, 142_001, 142_002)] == [("footage", 2), ("footage", 2), ("found", 0)]
    assert [ended(ms) for ms in (7_999, 8_000, 10_000)] == [("lost", 0), ("gap", 1), ("gap", 1)]
    assert [ended(ms) for ms in (77_999, 78_000, 80_000)] == [("lost", 0), ("footage", 2), ("footage", 2)]
    assert [ended(ms) for ms in (147_999, 148_000, 150_000)] == [("lost", 0), ("footage", 0), ("footage", 0)]


@pytest.mark.parametrize(("before_ms", "after_ms"), [(5_000, 5_000), (200, 5_000), (5_000, 200)])
def test_a_track_across_the_hour_is_marked_and_both_hours_share_the_step_across_it(
    footage: Footage, before_ms: int, after_ms: int
) -> None:
    hour_ms = NOON_MS + HOUR_MS
    footage.segment(drive(footage, hour_ms - before_ms, hour_ms + after_ms, speed=3))
    footage.aggregate()
    assert [(track.began, track.ended) for track in tracks(footage)] == [
        ("footage", "hour"),
        ("hour", "footage"),
    ]
    before, after = paths(footage)
    assert before[-2:] == after[:2]
    assert [place[0] for place in after[:2]] == [hour_ms - 200, hour_ms]


def test_the_columns_give_the_same_of_each_track_as_its_line(footage: Footage) -> None:
    for number, source in enumerate(["yard", "gate", "gate-2"]):
        start_ms = NOON_MS - 5 * HOUR_MS + number * HOUR_MS - 2_000
        footage.segment(drive(footage, start_ms, start_ms + 6_000, speed=number, source=source))
    footage.aggregate()
    [run] = current_runs(footage.store)
    files = list(read_paths(footage.store, run))
    assert [file.source for file in files] == ["gate", "gate-2", "yard"]
    assert [file.source for file in read_paths(footage.store, run, {"yard", "none"})] == ["yard"]
    of_columns = {
        (
            file.source,
            f"{file.day_start_ms + hour * HOUR_MS}-{number}",
            file.labels[label],
            bool(is_counted),
            first_ms,
        )
        for file in files
        for hour, number, label, is_counted, first_ms in zip(
            *(file.columns[name] for name in ("hour", "number", "label", "is_counted", "first_seen")),
            strict=True,
        )
    }
    of_lines = {
        (one.source, one.id, one.label, one.is_counted, one.first_seen_ms - one.hour_start_ms)
        for one in read_tracks(footage.store, run)
    }
    assert of_columns == of_lines
    assert len(of_lines) == 6


def test_days_counted_by_earlier_rules_are_stale(footage: Footage, monkeypatch: pytest.MonkeyPatch) -> None:
    footage.segment(drive(footage, NOON_MS, NOON_MS + 4_000))
    with monkeypatch.context() as earlier:
        earlier.setattr("frametally_hadoop.job.params.COUNTING_VERSION", 4)
        [before] = footage.aggregate().runs
    assert before.settings["counting_version"] == 4
    [finding] = of_earlier_rules([before])
    assert finding.value.startswith("1 day was counted with an earlier version's rules")
    assert finding.line.endswith(before.day)
    [after] = footage.aggregate().runs
    assert of_earlier_rules([after]) == []
    assert [*changed_totals(footage.store, [before], [after])] == []  # equal numbers are not explained
    assert (before.params == after.params, after.sequence) == (False, 2)
    assert footage.aggregate().runs == []


def test_totals_changed_by_a_later_version_are_named_with_day_source_and_both_totals() -> None:
    store = MemoryStore()
    runs = []
    for sequence, (boxes, unique, tracked) in enumerate([(9, 9, 9), (9, 11, 9), (9, 1, 2)], start=1):
        run = make_run(sequence, digest=f"{sequence:064d}")
        count = make_count(detections=boxes, objects=unique, tracked_detections=tracked, evidence=[])
        runs.append(put_run(store, run, [count], [make_coverage(detections=boxes)]))
    day = f"{runs[0].day}, 60 s, with this version: gate, car: "
    assert [*changed_totals(store, runs[:1], runs[1:2])] == [f"{day}9 -> 11 objects"]
    assert [*changed_totals(store, runs[1:2], runs[2:])] == [
        f"{day}11 -> 0 objects, 0 -> 1 intervals without objects"
    ]


def test_a_run_without_tracks_has_no_paths(footage: Footage) -> None:
    footage.segment(drive(footage, NOON_MS, NOON_MS + 4_000))
    [run] = footage.aggregate(count_objects=False).runs
    assert [paths.paths() for paths in read_paths(footage.store, run)] == [[]]


def test_strong_boxes_without_a_second_one_are_stored_with_the_paths_of_their_hour(footage: Footage) -> None:
    """Nothing else passes in the second hour; a box in the last frame might have had a successor."""
    for first_ms, since in ((NOON_MS, 0), (NOON_MS + HOUR_MS, 1)):
        slow = drive(footage, first_ms, first_ms + 2_000, speed=2.0) if not since else []
        fast = [
            footage.frame(
                first_ms + 10_000 + n * 200, "car", index=500 + n, box=(20.0 + 150 * n, 20.0, 60.0, 40.0)
            )
            for n in range(4)
        ]
        footage.segment(slow + fast)
    footage.aggregate()
    [run] = current_runs(footage.store)
    [of_day] = read_paths(footage.store, run)
    hour = NOON_MS % 86_400_000 // HOUR_MS
    assert list(of_day.columns["hour"]) == [hour]
    assert [list(of_day.columns[name]) for name in LONE_COLUMNS] == [
        [hour] * 3 + [hour + 1] * 3,
        [1, 2, 3, 0, 1, 2],
        [0] * 6,
        [10_000, 10_200, 10_400] * 2,
        [500, 2000, 3500] * 2,
        [600] * 6,
        [400] * 6,
    ]
