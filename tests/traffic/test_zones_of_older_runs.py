"""Stores whose zones an earlier version counted, in separate runs: nothing twice, nothing lost."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tests.fakes.older_runs import with_zones_apart
from tests.hadoop.conftest import Footage
from tests.traffic.test_zone_counts import NOON_MS, PLACE, RIGHT, draw, drive, zone, zone_counts, zone_runs

from frametally import keys
from frametally.books.runs import current_runs
from frametally.records import Run
from frametally_traffic.drawings.revisions import read_drawing

HOUR_MS = 3_600_000


@pytest.fixture
def older(footage: Footage) -> Footage:
    """A day with a zone, as version 0.3.0 counted it."""
    footage.segment(drive(footage))
    draw(footage, zone())
    footage.aggregate()
    [run] = [run for run in current_runs(footage.store) if run.model == "tiny-1"]
    with_zones_apart(footage.store, run, [*footage.objects("metadata")])
    return footage


def pointers(footage: Footage) -> set[str]:
    """Of runs of whole pictures and of zones."""
    runs = (key for key in footage.objects(keys.OUTPUT) if keys.parse_run_pointer_key(key))
    return {key for key in runs if "~flows" not in key}


def detections(footage: Footage) -> dict[tuple[str, int], int]:
    return {(count.source, count.interval_start_ms): count.detections for count in zone_counts(footage)}


def test_zones_that_an_earlier_version_counted_stay_as_they_are_until_something_changes(
    older: Footage,
) -> None:
    before = pointers(older)
    report = older.aggregate()
    assert (report.runs, report.part_runs, report.days_up_to_date) == ([], [], 1)
    assert pointers(older) == before
    assert [run.zone_parts for run in zone_runs(older)] == [None]
    assert detections(older) == {(PLACE, NOON_MS): 41}


def test_the_footage_of_zones_is_named_as_by_an_earlier_version_so_that_other_intervals_still_count(
    older: Footage,
) -> None:
    older.segment(drive(older, source="yard"))
    older.aggregate()
    [of_zones] = zone_runs(older)
    [whole] = [run for run in current_runs(older.store) if run.model == "tiny-1"]
    own = sorted(older.objects("metadata"))[:1]
    expected = hashlib.sha256("\n".join([of_zones.day, *own, ""]).encode()).hexdigest()
    assert of_zones.footage_sha256 == expected != whole.footage_sha256


def assert_counted_in_the_models_run(older: Footage) -> Run:
    """The day has one current run, whose pointer is the model's, and no other run has zones."""
    [of_zones] = zone_runs(older)
    [whole] = [run for run in current_runs(older.store) if run.model == "tiny-1"]
    assert (of_zones.key, of_zones.prefix, whole.sequence) == (whole.key, whole.prefix, 2)
    assert "~zones" not in whole.key
    return of_zones


def test_new_footage_counts_such_a_day_again_with_its_zones_once(older: Footage, tmp_path: Path) -> None:
    late = drive(older, start_ms=NOON_MS + HOUR_MS)
    older.segment(late)
    report = older.aggregate()
    assert report.skipped == []
    assert assert_counted_in_the_models_run(older).frames == 200
    fresh = type(older)(tmp_path / "fresh")
    for frames in (drive(fresh), late):
        fresh.segment(frames)
    draw(fresh, zone())
    fresh.aggregate()
    assert detections(older) == detections(fresh)
    assert older.aggregate().runs == []


def test_a_changed_drawing_counts_such_a_day_again(older: Footage) -> None:
    draw(older, zone(points=RIGHT))
    assert older.aggregate().skipped == []
    assert_counted_in_the_models_run(older)
    assert detections(older) == {(PLACE, NOON_MS): 45}


def test_a_zone_that_is_deleted_afterwards_leaves_no_counts(older: Footage) -> None:
    draw(older)
    older.aggregate()
    assert assert_counted_in_the_models_run(older).parts == []
    assert detections(older) == {}
    assert older.aggregate().runs == []


def test_while_a_drawing_is_damaged_new_footage_counts_within_the_zones_that_the_day_had(
    older: Footage,
) -> None:
    key = read_drawing(older.store, "gate").key
    older.store.put(key, older.store.get(key).replace(b"left side", b"lift side"))
    older.segment(drive(older, start_ms=NOON_MS + HOUR_MS))
    report = older.aggregate()
    assert [item.name for item in report.skipped] == ["zones of gate"]
    assert detections(older) == {(PLACE, NOON_MS): 41, (PLACE, NOON_MS + HOUR_MS): 41}
    assert_counted_in_the_models_run(older)


def test_where_footage_of_the_zone_is_gone_its_counts_stay(older: Footage) -> None:
    for key in [*older.objects("metadata")]:
        older.store.delete(key)
    older.segment(drive(older, start_ms=NOON_MS + HOUR_MS))
    report = older.aggregate()
    assert ["would lose frames" in item.reason for item in report.skipped] == [True]
    assert detections(older) == {(PLACE, NOON_MS): 41}
