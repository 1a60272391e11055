"""The checks when a run is published, and the errors that stop it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from tests.fakes.records import make_frame, make_letter, make_segment
from tests.hadoop.conftest import Footage, twin

from frametally import keys
from frametally.books.quality_reports import QualityReport, read_quality
from frametally.books.runs import current_runs
from frametally.records import MediaManifest, decode, encode
from frametally.undo_records import Tombstone
from frametally_hadoop.publication.quality_checks import (
    CHAIN_UNBROKEN,
    COVERAGE_EQUALS_MANIFESTS,
    LABELS_SEEN,
    LINES_READABLE,
    NO_COUNT_WITHOUT_COVERAGE,
    NO_MEDIA_OVERLAP,
    SEGMENTS_WHOLE,
    SUMS_EQUAL,
    TIMES_PLAUSIBLE,
    WITHIN_MEDIA_TIME,
)

NOON_MS = 1_767_268_800_000
DAY_MS = 86_400_000
NAMES = [
    SUMS_EQUAL,
    NO_COUNT_WITHOUT_COVERAGE,
    COVERAGE_EQUALS_MANIFESTS,
    WITHIN_MEDIA_TIME,
    TIMES_PLAUSIBLE,
    LINES_READABLE,
    SEGMENTS_WHOLE,
    CHAIN_UNBROKEN,
    LABELS_SEEN,
    NO_MEDIA_OVERLAP,
]


def put_manifest(
    footage: Footage, *, frames: int, first_ms: int = NOON_MS, last_ms: int = NOON_MS + 999, **changed: Any
) -> None:
    fields: dict[str, Any] = {
        "sha256": "ab" * 32,
        "name": "gate.mp4",
        "source": "gate",
        "source_name": "gate",
        "kind": "video",
        "time_source": "start_time",
        "sampling": "5",
        "first_captured_at_ms": first_ms,
        "last_captured_at_ms": last_ms,
        "frames_expected": frames,
        "frames_put": frames,
        "frames_announced": frames,
        "state": "complete",
    }
    footage.store.put(keys.media_key("ab" * 32), encode(MediaManifest(**(fields | changed))))


def only_report(footage: Footage) -> QualityReport:
    [run] = current_runs(footage.store)
    report = read_quality(footage.store, run)
    assert (report.run_id, report.day, report.frames) == (run.run_id, run.day, run.frames)
    assert [check.name for check in report.checks] == NAMES
    return report


def verdicts(report: Any) -> dict[str, bool | None]:
    """The checks that did not simply pass."""
    return {check.name: check.passed for check in report.checks if check.passed is not True}


def test_complete_footage_passes_every_check(footage: Footage) -> None:
    footage.segment([footage.frame(NOON_MS + n, "car", "bus", index=n) for n in range(5)])
    put_manifest(footage, frames=5)
    assert footage.aggregate().failed_checks == {}
    report = only_report(footage)
    assert verdicts(report) == {}
    assert (report.frames, report.detections, report.lines_dead) == (5, 10, 0)


def test_checks_that_need_manifests_have_no_verdict_without_them(footage: Footage) -> None:
    footage.segment([footage.frame(NOON_MS, "car")])
    footage.aggregate()
    assert verdicts(only_report(footage)) == {COVERAGE_EQUALS_MANIFESTS: None, WITHIN_MEDIA_TIME: None}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, True),
        ({"frames": 6}, None),  # one is not detected yet, or lost
        ({"frames": 4}, False),
        ({"frames": 6, "state": "producing"}, None),
        ({"frames": 9, "last_ms": NOON_MS + DAY_MS}, None),  # which of them belong to this day?
        ({"frames": 9, "revision": 1}, None),
        ({"frames": 4, "revision": 1}, False),
    ],
)
def test_coverage_is_compared_with_the_days_manifests(
    footage: Footage, changed: dict[str, Any], verdict: bool | None
) -> None:
    footage.segment([footage.frame(NOON_MS + n, "car", index=n) for n in range(5)])
    put_manifest(footage, **({"frames": 5} | changed))
    footage.aggregate()
    report = only_report(footage)
    assert verdicts(report).get(COVERAGE_EQUALS_MANIFESTS, True) is verdict


def test_frames_of_a_medium_whose_manifest_lists_none_yet_fail_no_check(footage: Footage) -> None:
    """They are counted before their manifest is updated, as at the end of a camera's minute."""
    footage.segment([footage.frame(NOON_MS + n * 30_000, "car", index=n) for n in range(5)])
    put_manifest(footage, frames=3, last_ms=NOON_MS + 59_999)
    first = decode(footage.store.get(keys.media_key("ab" * 32)), MediaManifest)
    begun = replace(
        first,
        sha256="cd" * 32,
        state="producing",
        start_ms=NOON_MS + 60_000,
        first_captured_at_ms=None,
        last_captured_at_ms=None,
        frames_announced=0,
    )
    footage.store.put(keys.media_key("cd" * 32), encode(begun))
    assert footage.aggregate().failed_checks == {}
    assert verdicts(only_report(footage)) == {COVERAGE_EQUALS_MANIFESTS: None, WITHIN_MEDIA_TIME: None}


def over_midnight(footage: Footage) -> list[Any]:
    """Frames of one medium on both sides of midnight, with their pictures in the store."""
    midnight_ms = NOON_MS + DAY_MS // 2
    frames = [footage.frame(midnight_ms + n * 1000, "car", index=n + 9) for n in range(-3, 5)]
    for frame in frames:
        footage.store.put(frame.image_path, b"picture")
    put_manifest(footage, frames=8, first_ms=midnight_ms - 3000, last_ms=midnight_ms + 4000)
    return frames


def coverage_of_days(footage: Footage) -> dict[str, Any]:
    found = {}
    for run in current_runs(footage.store):
        report = read_quality(footage.store, run)
        [check] = [check for check in report.checks if check.name == COVERAGE_EQUALS_MANIFESTS]
        found[run.day] = check.passed, check.details
    return found


def test_coverage_of_a_medium_over_two_days_is_checked_day_by_day(footage: Footage) -> None:
    footage.segment(over_midnight(footage))
    footage.aggregate()
    assert coverage_of_days(footage) == {"2026-01-01": (True, []), "2026-01-02": (True, [])}


def test_a_missing_frame_of_a_medium_over_two_days_is_missed_only_on_its_day(footage: Footage) -> None:
    footage.segment(over_midnight(footage)[:-1])
    footage.aggregate()
    found = coverage_of_days(footage)
    assert found["2026-01-01"] == (True, [])
    assert found["2026-01-02"][0] is None
    assert "frames counted" in found["2026-01-02"][1][0]
    assert found["2026-01-02"][1][0].startswith("gate: 4 frames counted, 5 announced, 0 dead letters")


def test_other_media_and_other_times_are_not_taken_for_a_medium_over_two_days(footage: Footage) -> None:
    frames = over_midnight(footage)
    midnight_ms = frames[3].captured_at_ms
    for at_ms, medium in (
        (midnight_ms + 500, "cd"),
        (midnight_ms - 10_000, "ab"),
        (midnight_ms + 9000, "ab"),
    ):
        footage.store.put(keys.image_key("gate", at_ms, medium * 32, 99), b"picture")
    footage.segment(frames)
    footage.aggregate()
    assert {verdict for verdict, _ in coverage_of_days(footage).values()} == {True}


def test_if_pictures_of_a_medium_over_two_days_are_gone_its_days_have_no_verdict_and_a_reason(
    footage: Footage,
) -> None:
    frames = over_midnight(footage)
    footage.store.delete(frames[0].image_path)
    footage.segment(frames)
    footage.aggregate()
    for verdict, [detail] in coverage_of_days(footage).values():
        assert verdict is None
        assert "covers 2 days, and 7 of its 8 frames are in the store" in detail


def test_a_gap_between_segments_is_reported_with_the_runs_of_its_model(footage: Footage) -> None:
    footage.segment([footage.frame(NOON_MS + n, "car", index=n) for n in range(5)])
    gone = footage.segment([footage.frame(NOON_MS + n, "car", index=n) for n in range(5, 9)])
    footage.segment([footage.frame(NOON_MS + n, "car", index=n) for n in range(9, 12)])
    other = footage.segment([footage.frame(NOON_MS, "car", model="tiny-2")], model="tiny-2")
    footage.store.delete(gone)
    report = footage.aggregate()
    assert report.failed_checks == {CHAIN_UNBROKEN: 1}
    [gap] = [
        detail
        for run in current_runs(footage.store)
        for check in read_quality(footage.store, run).failed
        for detail in check.details
        if run.model == "tiny-1" and other
    ]
    assert gap == ("gap in the chain of frames-0 (log log-1): a segment ends at 5, but the next begins at 9")


def test_a_dead_letters_frame_is_not_missed(footage: Footage) -> None:
    footage.segment([footage.frame(NOON_MS + n, "car", index=n) for n in range(5)])
    dead = make_letter(5, make_frame(NOON_MS + 5, 5, source="gate"))
    data = make_segment([], [dead], 5, model="tiny-1")
    footage.store.put(keys.segment_key("tiny-1", "log-1", "frames", 0, 5), data)
    put_manifest(footage, frames=6)
    footage.aggregate()
    assert verdicts(only_report(footage)) == {}


def test_a_dead_line_is_counted_and_named_and_the_rest_is_published(footage: Footage) -> None:
    key = footage.film(5, "car", spoil=lambda data: data.replace(b'"frame_index":2', b'"frame_index":'))
    report = footage.aggregate()
    assert (report.frames, report.failed_checks) == (4, {LINES_READABLE: 1})
    quality = only_report(footage)
    assert quality.lines_dead == 1
    assert [(one.segment, one.line) for one in quality.set_aside] == [(key, 4)]
    assert [check.count for check in quality.failed] == [1]


def test_a_short_segment_is_named_in_the_reports_of_all_days_of_its_model(footage: Footage) -> None:
    footage.segment([footage.frame(NOON_MS, "car")])
    bad = footage.segment([footage.frame(NOON_MS + DAY_MS, "car")], spoil=lambda data: data[:-9])
    footage.aggregate()
    [check] = only_report(footage).failed
    assert (check.name, check.details) == (SEGMENTS_WHOLE, [bad])


@pytest.mark.parametrize(("captured_at_ms", "day"), [(0, "1970-01-01"), (7_258_118_400_000, "2200-01-01")])
def test_footage_of_1970_or_2200_is_counted_on_its_day_and_questioned(
    footage: Footage, captured_at_ms: int, day: str
) -> None:
    footage.segment([footage.frame(captured_at_ms, "car")])
    assert [run.day for run in footage.aggregate().runs] == [day]
    report = only_report(footage)
    [check] = report.failed
    assert (check.name, report.detections) == (TIMES_PLAUSIBLE, 1)
    assert "check that the camera's clock is set" in check.details[0]


def test_a_video_with_a_jump_of_a_century_is_questioned_on_both_days_until_one_is_forgotten(
    footage: Footage,
) -> None:
    later_ms = NOON_MS + 36_525 * DAY_MS
    footage.segment([footage.frame(NOON_MS, "car"), footage.frame(later_ms, "car", index=1)])
    runs = [(NOON_MS, NOON_MS), (later_ms, later_ms)]
    put_manifest(footage, frames=2, last_ms=later_ms, runs=runs)
    footage.aggregate()

    def doubted() -> dict[str, list[str]]:
        reports = [(run.day, read_quality(footage.store, run)) for run in current_runs(footage.store)]
        return {
            day: [line for check in report.failed if check.name == TIMES_PLAUSIBLE for line in check.details]
            for day, report in reports
            if report is not None and report.frames
        }

    by_day = doubted()
    assert set(by_day) == {"2026-01-01", "2126-01-02"}
    for lines in by_day.values():
        [jump] = [line for line in lines if "jump" in line]
        assert (
            "gate.mp4: its times jump from 2026-01-01 12:00:00Z to 2126-01-02 12:00:00Z; if it was not"
            in jump
        )
    stone = Tombstone(media="ab" * 32, source="gate", name="gate.mp4", from_ms=later_ms, why="forget")
    footage.store.put(keys.tombstone_key(stone.media, later_ms, None), encode(stone))
    footage.aggregate()
    assert doubted() == {"2026-01-01": []}, "the report was made anew, though the day was not counted again"


def test_an_interval_outside_all_media_is_reported(footage: Footage) -> None:
    footage.segment([footage.frame(NOON_MS, "car"), footage.frame(NOON_MS + 600_000, "car", index=1)])
    put_manifest(footage, frames=2)
    footage.aggregate()
    [check] = only_report(footage).failed
    assert (check.name, check.count) == (WITHIN_MEDIA_TIME, 1)
    assert "2026-01-01 12:10:00Z" in check.details[0]


def test_a_label_that_never_appears_is_a_warning_with_the_labels_that_do(footage: Footage) -> None:
    footage.segment([footage.frame(NOON_MS, "car", "bus"), footage.frame(NOON_MS + 1, "car", index=1)])
    report = footage.aggregate(count_labels="car, bycicle")
    assert report.warnings == [
        "FRAMETALLY_COUNT_LABELS includes 'bycicle', but nothing detected here has this label; choose "
        "from: bus, car"
    ]
    [seen] = [check for check in only_report(footage).checks if check.name == LABELS_SEEN]
    assert (seen.passed, seen.details) == (None, ["bycicle: in no frame of the day"])
    assert footage.aggregate(count_labels="car,bus").warnings == []


def test_a_label_whose_boxes_are_all_too_weak_is_not_called_misspelt(footage: Footage) -> None:
    footage.segment([footage.frame(NOON_MS, "car", confidence=0.1)])
    assert footage.aggregate(count_labels="car").warnings == []
    assert verdicts(only_report(footage))[LABELS_SEEN] is None


def test_the_coverage_of_a_partly_forgotten_medium_has_no_verdict(footage: Footage) -> None:
    footage.segment([footage.frame(NOON_MS + n, "car", index=n) for n in range(5)])
    put_manifest(footage, frames=5)
    stone = Tombstone(
        media="ab" * 32, source="gate", name="gate.mp4", why="forget", from_ms=NOON_MS + 3, to_ms=None
    )
    footage.store.put(stone.key, encode(stone))
    footage.aggregate()
    [coverage] = [check for check in only_report(footage).checks if check.name == COVERAGE_EQUALS_MANIFESTS]
    assert (coverage.passed, coverage.details) == (None, ["gate: some of it is forgotten"])


def lose_a_count(job: Callable[..., Any]) -> Any:
    """A runner that loses one line of its output."""

    def run(**arguments: Any) -> Iterator[Any]:
        lost = False
        for line in job(**arguments):
            if line.startswith(b'["count"') and not lost:
                lost = True
                continue
            yield line

    return run


def lose_coverage(job: Callable[..., Any]) -> Any:
    """A runner that loses an interval."""
    return lambda **arguments: (line for line in job(**arguments) if not line.startswith(b'["coverage"'))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (lose_a_count, "the counts have 0 detections, but its frames have 2"),
        (lose_coverage, "do not add up to the 2 lines"),
    ],
)
def test_differing_sums_stop_the_publication_with_a_reason(
    footage: Footage, monkeypatch: pytest.MonkeyPatch, broken: Any, reason: str
) -> None:
    from frametally_hadoop.running import outcome

    footage.segment([footage.frame(NOON_MS, "car")])
    footage.aggregate(count_objects=False)
    before = footage.parts()
    footage.segment([footage.frame(NOON_MS + 1, "car", index=1)])
    with monkeypatch.context() as patched:
        patched.setattr(outcome, "run_job", broken(outcome.run_job))
        report = footage.aggregate(count_objects=False)
    assert report.runs == []
    [skipped] = report.skipped
    assert reason in skipped.reason
    assert "earlier published counts are unchanged" in skipped.reason
    assert footage.parts() == before
    left = [key for key in footage.objects("mapreduce-output") if "/run=000002-" in key]
    assert any(key.endswith("/_quality.json") for key in left)
    assert not any(key.endswith("/_hours.json") for key in left)
    assert footage.aggregate(count_objects=False).frames == 2


def test_the_report_always_has_the_same_bytes_and_is_not_part_of_the_run(footage: Footage) -> None:
    footage.segment([footage.frame(NOON_MS + n, "car", index=n) for n in range(5)])
    other = twin(footage)
    put_manifest(other, frames=9)
    [run], [doubted] = footage.aggregate().runs, other.aggregate().runs
    assert run == doubted
    key = keys.quality_key(run.prefix)
    assert footage.store.get(key) != other.store.get(key)
    again = twin(footage)
    again.store = type(footage.store)()
    for name, data in footage.objects("metadata").items():
        again.store.put(name, data)
    again.aggregate()
    assert again.store.get(key) == footage.store.get(key)
    assert json.loads(footage.store.get(key))["v"] == 1
