"""Unique objects by the hour: each is counted once, where it is first seen, in any order of footage."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.hadoop.conftest import Footage, twin
from tests.hadoop.test_hours import stands
from tests.kit.stand_ins import Watched

from frametally.books.runs import current_runs, read_paths, read_run, read_tracks
from frametally.records import Coverage, Detection, IntervalCount
from frametally.rules.filmed_time import FilmedTime, filmed_time
from frametally.rules.known import is_fast_enough
from frametally.rules.times import HOUR_MS
from frametally.track_records import Vote
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.planning.plan import DaySelection

NOON_MS = 1_767_268_800_000
DAY_MS = 86_400_000
MIDNIGHT_MS = 1_767_312_000_000  # 2026-01-02T00:00:00Z


def counted(footage: Footage) -> tuple[list[IntervalCount], list[Coverage]]:
    counts, coverage = [], []
    for run in current_runs(footage.store):
        of_run = read_run(footage.store, run)
        counts += of_run[0]
        coverage += of_run[1]
    return counts, coverage


def objects(footage: Footage, label: str = "car") -> dict[int, int | None]:
    """By interval start."""
    return {count.interval_start_ms: count.objects for count in counted(footage)[0] if count.label == label}


def tracks(footage: Footage) -> list[Any]:
    return [track for run in current_runs(footage.store) for track in read_tracks(footage.store, run)]


def paths(footage: Footage) -> list[list[tuple[int, float, float, float]]]:
    """`(time_ms, x, y, height)` of the points of each track, by source, day, hour and number."""
    return [
        path
        for run in current_runs(footage.store)
        for of_source in read_paths(footage.store, run)
        for path in of_source.paths()
    ]


def drive(
    footage: Footage, first_ms: int, last_ms: int, *, step_ms: int = 200, speed: float = 0.0, **options: Any
) -> list[Any]:
    """Frames of a car that is visible from `first_ms` to `last_ms`, moving by `speed` pixels a frame."""
    return [
        footage.frame(time_ms, "car", index=n, box=(100.0 + n * speed, 200.0, 60.0, 40.0), **options)
        for n, time_ms in enumerate(range(first_ms, last_ms, step_ms))
    ]


def test_a_car_that_crosses_the_hour_is_counted_once_in_the_interval_where_it_first_appears(
    footage: Footage,
) -> None:
    footage.segment(drive(footage, NOON_MS + HOUR_MS - 70_000, NOON_MS + HOUR_MS + 70_000))
    footage.aggregate()
    assert objects(footage) == {
        NOON_MS + HOUR_MS - 120_000: 1,
        NOON_MS + HOUR_MS - 60_000: 0,
        NOON_MS + HOUR_MS: 0,
        NOON_MS + HOUR_MS + 60_000: 0,
    }


@pytest.mark.parametrize("off_ms", [-200, 0, 200, 400])
def test_a_car_that_arrives_around_the_full_hour_is_counted_once(footage: Footage, off_ms: int) -> None:
    footage.segment(
        [footage.frame(NOON_MS + n * 200, index=500 + n) for n in range(-100, off_ms // 200)]
        + drive(footage, NOON_MS + off_ms, NOON_MS + 20_000, speed=3)
    )
    footage.aggregate()
    assert sum(objects(footage).values()) == 1
    assert objects(footage)[(NOON_MS + off_ms) // 60_000 * 60_000] == 1


def test_a_car_hidden_at_the_start_of_the_hour_is_not_counted_again(footage: Footage) -> None:
    before = drive(footage, NOON_MS - 30_000, NOON_MS - 2_000)
    empty = [footage.frame(time_ms, index=900) for time_ms in range(NOON_MS - 2_000, NOON_MS + 2_400, 200)]
    after = drive(footage, NOON_MS + 2_400, NOON_MS + 30_000)
    footage.segment(before + empty + after)
    footage.aggregate()
    assert objects(footage) == {NOON_MS - 60_000: 1, NOON_MS: 0}


@pytest.mark.thorough
@pytest.mark.parametrize("interval_s", [60, 3600, 5400, 86_400])
def test_a_car_parked_for_26_hours_is_one(
    footage: Footage, interval_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally_hadoop.driver.TRACK_GAP_MS", 25_000)
    start_ms = NOON_MS - 7_200_000 - 12_345
    frames = drive(footage, start_ms, start_ms + 26 * HOUR_MS, step_ms=10_000)
    footage.segments(frames[n : n + 500] for n in range(0, len(frames), 500))
    footage.aggregate(interval_s=interval_s, min_tracking_fps=0.1)
    counts = objects(footage)
    assert sum(counts.values()) == 1
    assert counts[start_ms // (interval_s * 1000) * interval_s * 1000] == 1
    found = tracks(footage)
    assert [track.is_counted for track in found] == [True] + [False] * 26
    for track, (earlier, later) in zip(found[1:], pairwise(paths(footage)), strict=True):
        assert earlier[-2:] == later[:2]  # the paths of two hours share the step over the border
        assert later[0][0] < track.hour_start_ms <= later[1][0]
    assert [track.began for track in found] == ["footage"] + ["hour"] * 26
    assert [track.ended for track in found] == ["hour"] * 26 + ["footage"]


def test_an_object_is_counted_on_one_side_of_midnight_in_any_order_of_arrival(footage: Footage) -> None:
    frames = drive(footage, MIDNIGHT_MS - 20_000, MIDNIGHT_MS + 20_000, speed=2)
    evening, morning = frames[:100], frames[100:]
    for first, second in ((evening, morning), (morning, evening)):
        ordered = twin(footage)
        ordered.segment(first)
        ordered.aggregate()
        assert sum(objects(ordered).values()) == 1
        ordered.segment(second)
        report = ordered.aggregate()
        assert sorted(run.day for run in report.runs) == ["2026-01-01", "2026-01-02"]
        assert objects(ordered) == {MIDNIGHT_MS - 60_000: 1, MIDNIGHT_MS: 0}
        assert ordered.aggregate().runs == []


def test_a_neighbouring_day_is_stale_only_within_the_margin_and_a_day_without_footage_has_no_run(
    footage: Footage,
) -> None:
    footage.segment(drive(footage, MIDNIGHT_MS - 90_000, MIDNIGHT_MS - 61_000))
    assert [run.day for run in footage.aggregate().runs] == ["2026-01-01"]
    footage.segment(drive(footage, MIDNIGHT_MS + 61_000, MIDNIGHT_MS + 62_000))
    assert [run.day for run in footage.aggregate().runs] == ["2026-01-02"]
    footage.segment(drive(footage, MIDNIGHT_MS + 59_000, MIDNIGHT_MS + 60_000))
    assert [run.day for run in footage.aggregate().runs] == ["2026-01-01", "2026-01-02"]
    footage.segment(drive(footage, MIDNIGHT_MS + DAY_MS - 1_000, MIDNIGHT_MS + DAY_MS))
    assert [run.day for run in footage.aggregate().runs] == ["2026-01-02"]


def test_without_tracking_no_neighbouring_day_is_stale(footage: Footage) -> None:
    footage.segment(drive(footage, MIDNIGHT_MS - 90_000, MIDNIGHT_MS - 61_000))
    footage.aggregate(count_objects=False)
    footage.segment(drive(footage, MIDNIGHT_MS, MIDNIGHT_MS + 1_000))
    assert [run.day for run in footage.aggregate(count_objects=False).runs] == ["2026-01-02"]


@pytest.mark.parametrize(
    ("step_ms", "measured"),
    [(100, True), (200, True), (222, True), (230, False), (1000, False), (5000, False)],
)
def test_objects_are_unknown_and_never_0_where_too_few_frames_were_analysed(
    footage: Footage, step_ms: int, measured: bool
) -> None:
    footage.segment(drive(footage, NOON_MS, NOON_MS + 30 * step_ms, step_ms=step_ms))
    footage.aggregate(interval_s=3600)
    assert objects(footage) == {NOON_MS: 1 if measured else None}
    [coverage] = counted(footage)[1]
    assert coverage.analysed_fps == (round(1000 / step_ms, 2) if step_ms <= 3000 else 0)
    assert len(tracks(footage)) == measured


def test_a_samplers_jitter_does_not_count_as_missing_frames() -> None:
    for video_fps in (7, 8, 12, 24, 25, 29.97, 30):
        times, slot = [], 0
        for n in range(int(video_fps * 8)):
            if n / video_fps * 5 >= slot:
                times.append(round(n * 1000 / video_fps))
                slot = int(n / video_fps * 5) + 1
        assert is_fast_enough(filmed_time(times, 3000).fps, 500)
        assert not is_fast_enough(filmed_time(times[::2], 3000).fps, 500)


def test_gaps_in_the_footage_do_not_lower_its_rate() -> None:
    assert filmed_time([0, 200, 400, 60_000, 60_200], 3000).fps == 500
    assert filmed_time([0, 60_000], 3000).fps == filmed_time([5], 3000).fps == filmed_time([], 3000).fps == 0
    assert filmed_time([0, 0, 200], 3000).fps == 500


def test_an_interval_of_several_hours_is_known_only_if_each_of_them_is(footage: Footage) -> None:
    footage.segment(drive(footage, NOON_MS, NOON_MS + 5_000))
    footage.segment(drive(footage, NOON_MS + HOUR_MS, NOON_MS + HOUR_MS + 5_000))
    footage.aggregate(interval_s=7200)
    assert objects(footage) == {NOON_MS: 2}
    footage.segment(drive(footage, NOON_MS + HOUR_MS + 70_000, NOON_MS + HOUR_MS + 90_000, step_ms=1000))
    footage.aggregate(interval_s=7200)
    assert objects(footage) == {NOON_MS: None}
    assert 1 < counted(footage)[1][0].analysed_fps < 4.5


def test_with_tracking_off_objects_are_unknown_and_the_coverage_says_so(footage: Footage) -> None:
    footage.segment(drive(footage, NOON_MS, NOON_MS + 5_000))
    [run] = footage.aggregate(count_objects=False).runs
    assert objects(footage) == {NOON_MS: None}
    assert counted(footage)[1][0].analysed_fps is None
    assert [*read_tracks(footage.store, run)] == []


def test_a_label_without_a_new_object_in_an_interval_has_0_independently_of_other_labels(
    footage: Footage,
) -> None:
    cars = drive(footage, NOON_MS + 30_000, NOON_MS + 90_000)
    with_bus = [
        footage.frame(
            f.captured_at_ms, "car", "bus", index=n, boxes=[f.detections[0].box, (400.0, 9.0, 90.0, 90.0)]
        )
        if f.captured_at_ms >= NOON_MS + 80_000
        else f
        for n, f in enumerate(cars)
    ]
    footage.segment(with_bus)
    footage.aggregate()
    assert objects(footage) == {NOON_MS: 1, NOON_MS + 60_000: 0}
    assert objects(footage, "bus") == {NOON_MS + 60_000: 1}


def test_an_interval_with_boxes_exactly_at_the_limits_is_measured(footage: Footage) -> None:
    sure = drive(footage, NOON_MS + 30_000, NOON_MS + 60_000)
    at_the_limit = drive(footage, NOON_MS + 60_000, NOON_MS + 90_000, confidence=0.3)
    footage.segment(sure + at_the_limit)
    footage.aggregate(count_min_confidence=0.3, count_min_side_px=40)
    assert objects(footage) == {NOON_MS: 1, NOON_MS + 60_000: 0}


@pytest.mark.thorough
@pytest.mark.parametrize("interval_s", [1, 60, 2700, 3600, 28_800, 86_400])
def test_the_sum_over_intervals_is_the_same_for_every_length(footage: Footage, interval_s: int) -> None:
    for number in range(12):
        start_ms = NOON_MS - 3 * HOUR_MS + number * 1_753_000
        footage.segment(drive(footage, start_ms, start_ms + 4_000, speed=number % 4))
    footage.aggregate(interval_s=interval_s)
    assert sum(objects(footage).values()) == 12
    assert Counter(track.is_counted for track in tracks(footage)) == {True: 12}


def test_a_track_has_its_source_label_and_times_and_its_first_and_best_frames(footage: Footage) -> None:
    frames = drive(footage, NOON_MS, NOON_MS + 4_000, speed=2)
    frames[7] = footage.frame(
        NOON_MS + 1_400, "car", index=7, confidence=0.95, box=(114.0, 200.0, 60.0, 40.0)
    )
    footage.segment(frames)
    footage.aggregate()
    [track] = tracks(footage)
    assert (track.id, track.label, track.source) == (f"{NOON_MS}-0", "car", "gate")
    assert (track.first_seen_ms, track.last_seen_ms, track.boxes) == (NOON_MS, NOON_MS + 3_800, 20)
    assert (track.first.image_path, track.best.image_path) == (frames[0].image_path, frames[7].image_path)
    assert (track.best.confidence, track.best.box) == (0.95, (114.0, 200.0, 60.0, 40.0))
    assert (track.began, track.ended) == ("footage", "footage")
    assert track.votes == (Vote(label="car", boxes=20, confidence=18.05),)
    assert paths(footage) == [[(NOON_MS, 130.0, 240.0, 40.0), (NOON_MS + 3_800, 168.0, 240.0, 40.0)]]
    [hour] = footage.objects("hours")
    assert hour.startswith("hours/model=tiny-1/day=2026-01-01/source=gate/12-")
    assert [*footage.objects("tracks")] == []


def test_a_runs_tracks_exist_before_a_reader_can_see_the_run(footage: Footage) -> None:
    puts = []
    footage.segment(drive(footage, NOON_MS, NOON_MS + 4_000))
    store = Watched(footage.store, lambda call, key: puts.append(key) if call == "before put" else None)
    footage.aggregate(store=store)
    tops = [key.split("/")[0] for key in puts]
    assert tops == ["hours", *["mapreduce-output"] * 4]
    assert puts[-1].endswith("_runs/000001.json")


def test_tracker_settings_make_days_stale_and_change_the_count(footage: Footage) -> None:
    footage.segment(drive(footage, NOON_MS, NOON_MS + 10_000, confidence=0.35))
    [first] = footage.aggregate().runs
    assert objects(footage) == {NOON_MS: 0}
    [second] = footage.aggregate(track_label_confidence="car = 0.2").runs
    assert objects(footage) == {NOON_MS: 1}
    assert second.params != first.params
    footage.aggregate(track_label_confidence="car=0.2", track_fixed_labels="person, car")
    assert objects(footage) == {NOON_MS: 0}


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"track_label_confidence": "car"}, "'car' is not a label with a confidence"),
        ({"track_label_confidence": "car=1.5"}, "'car=1.5' is not a label with a confidence"),
        ({"track_label_confidence": "=0.5"}, "'=0.5' is not a label with a confidence"),
        ({"track_groups": "vehicle"}, "'vehicle' is not a new name with two"),
        ({"track_groups": "a=car, b=bus+van"}, "'a=car' is not a new name with two"),
        ({"track_groups": "a=car+bus, a=van+cab"}, "'a=van.cab' is not a new name"),
        ({"track_groups": "=car+bus"}, "'=car.bus' is not a new name"),
        ({"track_groups": "a=car+bus, b=van+bus"}, "'bus' is in two groups"),
    ],
)
def test_invalid_settings_are_one_line(footage: Footage, setting: dict[str, Any], named: str) -> None:
    with pytest.raises(Exception, match=named) as raised:
        footage.aggregate(**setting)
    assert type(raised.value).__name__ == "Misconfigured"


@pytest.mark.parametrize("interval_s", [60, 7200])
def test_a_frame_belongs_to_its_unit_and_to_a_unit_within_a_minute(interval_s: int) -> None:
    params = CountParams(interval_s)
    before, after = NOON_MS - params.unit_ms, NOON_MS
    assert params.units_near(NOON_MS) == params.units_near(NOON_MS + 59_999) == (after, before)
    assert (
        params.units_near(NOON_MS + 60_000) == params.units_near(after + params.unit_ms - 60_001) == (after,)
    )
    assert params.units_near(NOON_MS - 1) == params.units_near(NOON_MS - 60_000) == (before, after)
    assert params._replace(tracking=None).units_near(NOON_MS) == (after,)


@pytest.mark.parametrize(
    ("interval_s", "hours"), [(1, 1), (60, 1), (3600, 1), (2700, 3), (7200, 2), (86_400, 24)]
)
def test_a_unit_consists_of_whole_hours_and_whole_intervals(interval_s: int, hours: int) -> None:
    assert CountParams(interval_s).unit_ms == hours * HOUR_MS


def test_boxes_in_tracks_are_counted_once_each_where_they_are(footage: Footage) -> None:
    """Two cars across the hour: one moves on, one is seen too weakly to begin a track."""
    hour_ms = NOON_MS + HOUR_MS
    times = range(hour_ms - 10_000, hour_ms + 10_000, 200)
    boxes = [
        Detection(label=label, confidence=confidence, box=(left, 200.0, 60.0, 40.0))
        for label, confidence, left in (("car", 0.9, 100.0), ("car", 0.4, 400.0), ("bag", 0.3, 400.0))
    ]
    footage.segment(
        [msgspec.structs.replace(footage.frame(ms, index=n), detections=boxes) for n, ms in enumerate(times)]
    )
    footage.aggregate(interval_s=3600, track_label_confidence="")
    found = {(one.label, one.interval_start_ms): one for one in counted(footage)[0]}
    assert {place: (one.detections, one.objects, one.tracked_detections) for place, one in found.items()} == {
        ("car", NOON_MS): (100, 1, 50),
        ("car", hour_ms): (100, 0, 50),
        ("bag", NOON_MS): (50, 0, 0),
        ("bag", hour_ms): (50, 0, 0),
    }
    assert [one.objects for one in counted(footage)[1]] == [1, 0]


def test_something_that_never_moves_is_followed_but_is_not_an_object(footage: Footage) -> None:
    footage.segment(drive(footage, NOON_MS, NOON_MS + 5_000))
    footage.aggregate(track_fixed_labels="car")
    [one] = counted(footage)[0]
    assert (one.detections, one.objects, one.tracked_detections) == (25, 0, 25)


@pytest.mark.parametrize("least_fps", [0.0, 5.0])
def test_single_pictures_are_never_tracked(footage: Footage, least_fps: float) -> None:
    footage.segment(drive(footage, NOON_MS, NOON_MS + 300_000, step_ms=60_000))
    footage.segment(drive(footage, NOON_MS + 3 * HOUR_MS, NOON_MS + 3 * HOUR_MS + 1))
    footage.aggregate(min_tracking_fps=least_fps)
    counts, coverage = counted(footage)
    assert {(one.objects, one.tracked_detections) for one in counts} == {(None, None)}
    assert {(one.objects, one.analysed_fps, one.covered_ms) for one in coverage} == {(None, 0.0, 0)}
    assert len(counts) == 6


def file_dated(frames: list[Any], *, alone: bool) -> list[Any]:
    """The frames with times from their file's date: of one video, or each a separate picture."""
    return [
        msgspec.structs.replace(
            frame, time_source="file_time", **({"media": f"{number:064x}"} if alone else {})
        )
        for number, frame in enumerate(frames)
    ]


def test_pictures_timed_by_file_dates_are_never_tracked_however_close_they_are(footage: Footage) -> None:
    footage.segment(file_dated(drive(footage, NOON_MS, NOON_MS + 5_000), alone=True))
    footage.segment(
        file_dated(drive(footage, NOON_MS + 2 * HOUR_MS, NOON_MS + 2 * HOUR_MS + 5_000), alone=False)
    )
    footage.aggregate(interval_s=3600)
    assert objects(footage) == {NOON_MS: None, NOON_MS + 2 * HOUR_MS: 1}
    pictures, video = counted(footage)[1]
    assert (pictures.objects, pictures.analysed_fps, pictures.covered_ms) == (None, 0.0, 0)
    assert (video.objects, video.analysed_fps, video.covered_ms) == (1, 5.0, 5_000)


def test_an_hour_with_such_a_picture_is_unmeasured_but_the_neighbouring_hour_is_measured(
    footage: Footage,
) -> None:
    """The picture is within the minute that is tracked together with the previous hour."""
    hour_ms = NOON_MS + HOUR_MS
    footage.segment(drive(footage, hour_ms - 5_000, hour_ms))
    footage.segment(file_dated([footage.frame(hour_ms + 100, "car", index=99)], alone=True))
    footage.aggregate(interval_s=3600)
    assert objects(footage) == {NOON_MS: 1, hour_ms: None}


def test_more_than_120_frames_a_second_are_not_a_frame_rate(footage: Footage) -> None:
    assert filmed_time([0, 8, 17, 25], 3000).fps == 12_000
    assert filmed_time([0, 8, 16, 24], 3000) == FilmedTime(0, [])
    footage.segment(drive(footage, NOON_MS, NOON_MS + 113, step_ms=4))
    footage.aggregate()
    assert objects(footage) == {NOON_MS: None}
    [coverage] = counted(footage)[1]
    assert (coverage.analysed_fps, coverage.covered_ms) == (0.0, 0)


def test_seconds_with_footage_add_up_over_intervals_and_hours(footage: Footage) -> None:
    """3 s before the full hour, 2.1 s after it, then nothing for 20 s, then a single frame."""
    hour_ms = NOON_MS + HOUR_MS
    footage.segment(
        drive(footage, hour_ms - 3_000, hour_ms + 2_000) + drive(footage, hour_ms + 22_000, hour_ms + 22_001)
    )
    for interval_s, expected in {
        1: [1000] * 5 + [200],
        60: [3_000, 2_200],
        3600: [3_000, 2_200],
        7200: [5_200],
    }.items():
        footage.aggregate(interval_s=interval_s)
        found = [one.covered_ms for one in counted(footage)[1] if one.interval_s == interval_s]
        assert found == expected


@settings(max_examples=examples(200))
@given(
    st.lists(st.integers(-59_999, HOUR_MS + 59_999), min_size=1, max_size=60).map(sorted),
    st.integers(200, 5_000),
)
def test_no_interval_has_more_footage_than_its_length_and_the_parts_add_up_to_the_whole(
    times: list[int], gap_ms: int
) -> None:
    filmed = filmed_time(times, gap_ms)
    by_interval = {s: filmed.covered_ms(0, s * 1000) for s in (1, 60, 3600)}
    for interval_s, covered in by_interval.items():
        assert all(0 < ms <= interval_s * 1000 for ms in covered.values())
        assert sum(covered.values()) == sum(by_interval[3600].values())
    steps = [b - a for a, b in pairwise(sorted(set(times))) if b - a <= gap_ms]
    step_ms = int(sum(steps) / len(steps) + 0.5) if steps else 0
    inside = range(max(times[0], 0), min(times[-1] + step_ms, HOUR_MS))
    covered_ms = 0
    for ms, following in zip(times, [*times[1:], None], strict=True):
        is_followed = following is not None and following - ms <= gap_ms
        until_ms = following if is_followed else ms + step_ms
        covered_ms += max(0, min(until_ms, inside.stop) - max(ms, inside.start))
    if steps and round(len(steps) * 100_000 / sum(steps)) > 12_000:
        covered_ms = 0  # no footage has this many frames a second
    assert covered_ms == sum(by_interval[3600].values())


def _clips(footage: Footage, starts_ms: Sequence[int], *, left: float = 100.0) -> list[Any]:
    """Clips of 5 s with a parked car, and another that passes in each."""
    return [
        footage.frame(
            start_ms + n * 200,
            "car",
            "car",
            index=n,
            boxes=[(left, 200.0, 60.0, 40.0), (20.0 + 16 * n, 40.0, 60.0, 40.0)],
        )
        for start_ms in starts_ms
        for n in range(25)
    ]


def test_an_object_that_stands_through_gaps_is_one_wherever_the_hour_ends(footage: Footage) -> None:
    starts_ms = [NOON_MS + HOUR_MS + minute * 60_000 for minute in range(-4, 4)]
    frames = _clips(footage, starts_ms)
    random.Random(14).shuffle(frames)  # noqa: S311
    for half in (frames[::2], frames[1::2]):
        footage.segment(half)
        footage.aggregate()
    assert sum(objects(footage).values()) == len(starts_ms) + 1
    assert sum(track.is_counted for track in tracks(footage)) == len(starts_ms) + 1
    in_rounds = stands(footage)
    footage.aggregate(selection=DaySelection(recount=True))
    assert stands(footage) == in_rounds


def test_after_a_gap_an_object_that_stands_elsewhere_or_had_moved_is_a_new_one(footage: Footage) -> None:
    footage.segment(
        _clips(footage, [NOON_MS])
        + _clips(footage, [NOON_MS + 60_000], left=115.0)
        + drive(footage, NOON_MS + 120_000, NOON_MS + 125_000, speed=2.0)
    )
    footage.aggregate()
    assert sum(objects(footage).values()) == 5


def test_objects_present_when_footage_begins_are_told_apart_from_those_that_arrive(footage: Footage) -> None:
    """A car stands and one passes in each clip; the first clip crosses the full hour, the last has a third
    car."""
    starts_ms = [NOON_MS - 2_000, NOON_MS + 60_000, NOON_MS + 180_000]
    late = [
        footage.frame(starts_ms[2] + 5_000 + n * 200, "car", index=n, box=(300.0 + 9 * n, 120.0, 60.0, 40.0))
        for n in range(25)
    ]
    footage.segment(_clips(footage, starts_ms) + late)
    footage.aggregate()
    counts = {count.interval_start_ms: count for count in counted(footage)[0]}
    assert {
        (start_ms - NOON_MS) // 1000: (count.objects, count.objects_from_start)
        for start_ms, count in counts.items()
    } == {-60: (2, 2), 0: (0, 0), 60: (1, 1), 180: (2, 1)}
