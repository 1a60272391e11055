"""Counts within zones: by foot point, on the right day and time, once."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.fakes.records import make_manifest
from tests.hadoop import conftest
from tests.hadoop.conftest import Footage
from tests.kit.clips import grey_jpeg

from frametally import keys
from frametally.adapters_by_url import open_ledger
from frametally.books.index_lag import beyond_store
from frametally.books.runs import current_runs, hour_files, read_history, read_parts, read_run, read_tracks
from frametally.history_records import with_zones
from frametally.media.forgetting import put_tombstone
from frametally.process.reports import NoProgress
from frametally.records import FrameDetections, IntervalCount, MediaManifest, Run, encode
from frametally_traffic.drawings.revisions import change_drawing, read_drawing
from frametally_traffic.records import DrawnZone, Point

NOON_MS, DAY_MS, STEP_MS = 1_767_268_800_000, 86_400_000, 200
LEFT: tuple[Point, ...] = ((0, 0), (320, 0), (320, 480), (0, 480))
RIGHT: tuple[Point, ...] = ((320.1, 0), (640, 0), (640, 480), (320.1, 480))
PLACE = "gate/zone/left%20side"


def drive(
    footage: Footage, *, start_ms: int = NOON_MS, frames: int = 100, source: str = "gate"
) -> list[FrameDetections]:
    """A car that drives from left to right, 5 frames a second; its foot is at 320 px in frame 40."""
    return [
        footage.frame(start_ms + n * STEP_MS, "car", index=n, source=source, box=(n * 7.0, 200.0, 80.0, 60.0))
        for n in range(frames)
    ]


def medium(frames: list[FrameDetections]) -> MediaManifest:
    first, last = frames[0], frames[-1]
    return make_manifest(
        len(frames),
        media=first.media,
        source=first.source,
        span_ms=(first.captured_at_ms, last.captured_at_ms),
    )


def draw(footage: Footage, *zones: DrawnZone, source: str = "gate") -> None:
    change_drawing(
        footage.store, source, lambda drawing: msgspec.structs.replace(drawing, zones=tuple(zones))
    )


def jpeg(width_px: int, height_px: int) -> bytes:
    return grey_jpeg(width_px, height_px, 0)


def zone(
    name: str = "left side",
    points: tuple[Point, ...] = LEFT,
    *,
    from_ms: int | None = None,
    to_ms: int | None = None,
) -> DrawnZone:
    return DrawnZone(name=name, points=points, width_px=640, height_px=480, from_ms=from_ms, to_ms=to_ms)


def counted(footage: Footage, *zones: DrawnZone) -> Any:
    """Such a car, with these zones over its source; the report of the job that counted it."""
    footage.segment(drive(footage))
    draw(footage, *zones)
    return footage.aggregate()


def zone_runs(footage: Footage) -> list[Run]:
    return [run for run in current_runs(footage.store) if run.model == "tiny-1~zones"]


def zone_counts(footage: Footage) -> list[IntervalCount]:
    return [count for run in zone_runs(footage) for count in read_run(footage.store, run)[0]]


def parts(footage: Footage) -> dict[str, bytes]:
    """Bytes of the part files and hour files within zones, by place and day, for any run."""
    found = {}
    for run in zone_runs(footage):
        for key, data in read_parts(footage.store, run):
            found[f"{run.day}/{key.rpartition('/')[2]}"] = data
        for file in (file for files in hour_files(footage.store, run).values() for file in files):
            lines = footage.store.get(file.key).splitlines()
            counted = [line for line in lines if not line.startswith(b'["hour"')]  # that counts repetitions
            found[file.key.rpartition("-")[0]] = b"\n".join(counted)
    return found


def test_an_object_whose_foot_point_is_outside_counts_in_the_whole_picture_only(footage: Footage) -> None:
    report = counted(footage, zone())
    assert (report.frames, len(report.runs), len(report.part_runs)) == (100, 1, 1)
    [run] = zone_runs(footage)
    [count], [coverage] = read_run(footage.store, run)
    # The foot is the box's left side and 40 px: at 320 px, on the edge, in frame 40.
    assert (count.source, count.detections, count.frames, count.objects) == (PLACE, 41, 100, 1)
    assert (coverage.source, coverage.frames, coverage.detections) == (PLACE, 100, 41)
    [track] = read_tracks(footage.store, run)
    assert (track.source, track.boxes, track.last_seen_ms) == (PLACE, 41, NOON_MS + 40 * STEP_MS)


def test_zones_do_not_change_the_bytes_of_the_whole_picture(footage: Footage, tmp_path: Path) -> None:
    plain = type(footage)(tmp_path / "plain")
    for one in (footage, plain):
        one.segment(drive(one))
    draw(footage, zone())
    footage.aggregate()
    plain.aggregate()
    own = {key: data for key, data in footage.parts().items() if key[0] == "tiny-1"}
    assert own == plain.parts()


def test_a_zone_over_the_whole_picture_counts_the_same_as_the_picture(footage: Footage) -> None:
    footage.segment(drive(footage, frames=80))
    draw(footage, zone("all", ((0, 0), (640, 0), (640, 480), (0, 480))))
    footage.aggregate()
    of_picture, of_zone = (
        b"".join(lines for _, lines in read_parts(footage.store, run))
        for run in current_runs(footage.store)
        if not run.model.endswith("~flows")
    )
    assert of_zone.replace(b"gate/zone/all", b"gate").replace(b"~zones", b"") == of_picture


def test_two_zones_count_independently_where_they_overlap(footage: Footage) -> None:
    counted(footage, zone(), zone("right", RIGHT))
    found = {count.source: count.detections for count in zone_counts(footage)}
    assert found == {PLACE: 41, "gate/zone/right": 45}  # from frame 86 on its foot is outside the picture


def test_a_zone_counts_only_while_it_applies(footage: Footage) -> None:
    counted(footage, zone(from_ms=NOON_MS + 2000, to_ms=NOON_MS + 4000))
    [run] = zone_runs(footage)
    [count], [coverage] = read_run(footage.store, run)
    assert (count.detections, coverage.frames, coverage.covered_ms) == (10, 10, 2000)


def test_a_moved_camera_has_its_zone_in_the_old_and_the_new_place(footage: Footage) -> None:
    footage.segment(drive(footage))
    moved_ms = NOON_MS + 6000
    draw(footage, zone(to_ms=moved_ms), zone(points=RIGHT, from_ms=moved_ms))
    footage.aggregate()
    [count] = zone_counts(footage)
    assert (count.frames, count.detections) == (100, 30 + 45)


@pytest.mark.thorough
def test_a_moved_zone_recounts_only_the_days_of_its_source_since_its_start(footage: Footage) -> None:
    for day in range(3):
        for source in ("gate", "yard"):
            footage.segment(drive(footage, start_ms=NOON_MS + day * DAY_MS, source=source))
    footage.segment(drive(footage, start_ms=NOON_MS + 5 * DAY_MS, source="yard"))
    draw(footage, zone())
    draw(footage, zone("yard"), source="yard")
    assert len(footage.aggregate().part_runs) == 4
    moved_ms = NOON_MS + DAY_MS
    draw(footage, zone(to_ms=moved_ms), zone(points=RIGHT, from_ms=moved_ms))
    report = footage.aggregate()
    assert (report.hours_kept, report.hours_counted) == (12, 4)  # each drive is near the previous hour
    assert [run.day for run in report.part_runs] == ["2026-01-02", "2026-01-03"]
    assert footage.aggregate().part_runs == []


def test_a_changed_drawing_adds_no_entry_to_the_history_of_the_days_number(footage: Footage) -> None:
    footage.segment(drive(footage)[:50])
    footage.aggregate()
    for points in (LEFT, RIGHT):
        draw(footage, zone(points=points))
        [run] = footage.aggregate().runs
        history = read_history(footage.store, run)
        assert [(entry.sequence, [one.kind for one in entry.reasons]) for entry in history.entries] == [
            (1, ["first"])
        ]
    footage.segment(drive(footage)[50:])
    [run] = footage.aggregate().runs
    history = read_history(footage.store, run)
    assert [entry.sequence for entry in history.entries] == [1, 4]
    assert history.entries[-1].differences["gate"][""] == {12: 50}


def test_the_ledger_knows_the_runs_of_zones_that_the_index_gets(footage: Footage, tmp_path: Path) -> None:
    counted(footage, zone())
    with closing(open_ledger(f"sqlite:///{tmp_path}/ledger.sqlite", None)) as ledger:
        ledger.refresh(footage.store, NoProgress())
        runs = with_zones(counted.run for counted in ledger.runs())
    assert sorted(runs, key=lambda run: run.model) == current_runs(footage.store)
    assert beyond_store(current_runs(footage.store), runs) == []


def test_a_removed_zone_leaves_no_counts(footage: Footage) -> None:
    counted(footage, zone())
    draw(footage)
    [run] = footage.aggregate().part_runs
    assert (run.parts, run.frames, zone_counts(footage)) == ([], 0, [])
    assert footage.aggregate().part_runs == []


def test_without_a_zone_nothing_is_read_or_published_for_zones(footage: Footage) -> None:
    footage.segment(drive(footage))
    assert footage.aggregate().part_runs == []
    assert {run.model for run in current_runs(footage.store)} == {"tiny-1"}


@pytest.mark.thorough
def test_any_order_of_edits_ends_with_the_same_counts(footage: Footage, tmp_path: Path) -> None:
    other = type(footage)(tmp_path / "other")
    for one in (footage, other):
        one.segment(drive(one))
    draw(footage, zone())
    footage.aggregate()
    draw(footage, zone("right", RIGHT))
    footage.aggregate()
    draw(footage, zone("right", RIGHT), zone())
    footage.aggregate()
    draw(other, zone(), zone("right", RIGHT))
    other.aggregate()
    assert parts(footage) == parts(other)


@pytest.mark.thorough
def test_splitting_reordering_and_repeating_segments_changes_nothing_within_zones(
    footage: Footage, tmp_path: Path
) -> None:
    # Over midnight, so that the days have other zones: b on the first, c on the second.
    start_ms = NOON_MS + DAY_MS // 2 - 10_000
    zones = (
        zone("b", RIGHT, to_ms=start_ms + 10_000),
        zone("a", LEFT),
        zone("c", RIGHT, from_ms=start_ms + 10_000),
    )
    whole = type(footage)(tmp_path / "whole")
    whole.segment(drive(whole, start_ms=start_ms))
    frames = drive(footage, start_ms=start_ms)
    for some in (frames[60:], frames[:60:2], frames[1:60:2], frames[20:70]):
        footage.segment(some)
    for one in (whole, footage):
        draw(one, *zones)
        assert len(one.aggregate().part_runs) == 2
    assert parts(footage) == parts(whole)
    assert sum(run.duplicates_dropped for run in zone_runs(footage)) == 2 * 50  # each line twice, once a zone


@pytest.mark.thorough
@pytest.mark.parametrize("runner", ["local"])
def test_engines_count_the_same_bytes_within_zones(
    file_footage: Footage, tmp_path: Path, runner: str
) -> None:
    inline = type(file_footage)(tmp_path / "inline")
    for one, engine in ((file_footage, runner), (inline, "inline")):
        one.segment(drive(one)[:50])
        one.segment(drive(one)[50:])
        draw(one, zone(), zone("right", RIGHT))
        one.aggregate(runner=engine)
    assert parts(file_footage) == parts(inline)


def test_a_zone_drawn_over_a_larger_picture_has_the_same_place_on_the_stored_one(footage: Footage) -> None:
    frames = drive(footage)
    footage.segment(frames)
    footage.store.put(frames[0].image_path, jpeg(640, 480))
    footage.store.put(keys.media_key(frames[0].media), encode(medium(frames)))
    twice = tuple((x * 2, y * 2) for x, y in LEFT)
    draw(footage, DrawnZone(name="left side", points=twice, width_px=1280, height_px=960))
    footage.aggregate()
    assert [count.detections for count in zone_counts(footage)] == [41]


def test_a_damaged_drawing_is_named_and_existing_counts_stay(footage: Footage) -> None:
    counted(footage, zone())
    key = read_drawing(footage.store, "gate").key
    footage.store.put(key, footage.store.get(key).replace(b"left side", b"lift side"))
    report = footage.aggregate()
    assert report.part_runs == []
    assert [item.name for item in report.skipped] == ["zones of gate"]
    assert [count.detections for count in zone_counts(footage)] == [41]


def test_forgotten_footage_leaves_the_zone_and_is_not_a_loss(footage: Footage) -> None:
    frames = drive(footage)
    footage.segment(frames)
    draw(footage, zone())
    footage.aggregate()
    footage.store.put(keys.media_key(frames[0].media), encode(medium(frames)))
    put_tombstone(footage.store, medium(frames), why="forget", from_ms=NOON_MS, to_ms=NOON_MS + 20 * STEP_MS)
    report = footage.aggregate()
    assert report.skipped == []
    assert [(run.model, run.frames) for run in report.part_runs] == [("tiny-1~zones", 80)]
    assert [count.detections for count in zone_counts(footage)] == [21]


@pytest.mark.thorough
@settings(max_examples=examples(8), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_zone_counts_the_objects_whose_foot_point_is_in_it_however_footage_is_split(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    left, top, width, height = (data.draw(st.integers(20, most)) for most in (400, 300, 200, 160))
    corners = ((left, top), (left + width, top), (left + width, top + height), (left, top + height))
    begins, ends = data.draw(st.tuples(st.integers(0, 40), st.integers(41, 60)))
    drawn = zone("z", corners, from_ms=NOON_MS + begins * STEP_MS, to_ms=NOON_MS + ends * STEP_MS)
    footage = conftest.Footage(tmp_path_factory.mktemp("footage"))
    boxes = [
        [tuple(data.draw(st.integers(0, most)) for most in (560, 400)) for _ in range(n % 4)]
        for n in range(60)
    ]
    frames = [
        footage.frame(
            NOON_MS + n * STEP_MS,
            *["car"] * len(places),
            index=n,
            boxes=[(float(x), float(y), 60.0, 40.0) for x, y in places],
        )
        for n, places in enumerate(boxes)
    ]
    cuts = sorted(data.draw(st.lists(st.integers(1, 59), max_size=3, unique=True)))
    for first, end in zip([0, *cuts], [*cuts, 60], strict=True):
        footage.segment(frames[max(first - data.draw(st.integers(0, 5)), 0) : end])  # some of it again
    draw(footage, drawn)
    footage.aggregate()
    expected = sum(
        left <= x + 30 <= left + width and top <= y + 40 <= top + height
        for places in boxes[begins:ends]
        for x, y in places
    )
    assert sum(count.detections for count in zone_counts(footage)) == expected
    [run] = zone_runs(footage)
    assert run.frames == ends - begins
