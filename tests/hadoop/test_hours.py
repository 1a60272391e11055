"""A round counts only new footage: unchanged hours are kept, and the result equals a count from scratch."""

from __future__ import annotations

import json
import tempfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count as count_from
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.examples import THOROUGH, first_quick
from tests.hadoop.conftest import NOON_MS, Footage
from tests.hadoop.test_aggregate_kills import POINTS, published_whatever_is_killed
from tests.kit.stand_ins import Watched

from frametally import keys
from frametally.books.runs import (
    DayKey,
    current_runs,
    hour_files,
    read_hours,
    read_parts,
    read_paths,
    read_tracks,
)
from frametally.errors import Poison, Retryable
from frametally.ports.object_store import ObjectStore
from frametally.records import FrameDetections, encode
from frametally.rules.places import ZoneShape, within_zones
from frametally.rules.times import HOUR_MS
from frametally.undo_records import Tombstone
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.planning.hours import DaySegments, HourDigest, HourInputs, SourceHour
from frametally_hadoop.planning.plan import DaySelection
from frametally_hadoop.running import engine

MEDIA = ("ab" * 32, "cd" * 32)


def drive(
    footage: Footage,
    at_ms: int,
    *,
    source: str = "gate",
    media: str = MEDIA[0],
    frames: int = 12,
    first: int = 0,
) -> list[FrameDetections]:
    """A passing car, at five frames a second."""
    driven = [
        footage.frame(
            at_ms + n * 200, "car", source=source, index=first + n, box=(n * 20.0, 50.0, 60.0, 40.0)
        )
        for n in range(frames)
    ]
    return [
        msgspec.structs.replace(
            frame,
            media=media,
            image_path=keys.image_key(source, frame.captured_at_ms, media, frame.frame_index),
        )
        for frame in driven
    ]


def forget(footage: Footage, media: str, source: str = "gate", **bounds: int) -> None:
    stone = Tombstone(media=media, source=source, name="cam.mp4", why="forget", **bounds)
    footage.store.put(stone.key, encode(stone), if_absent=True)


def stands(footage: Footage) -> dict[str, Any]:
    """The content of all current runs, except their ids and histories."""
    found: dict[str, Any] = {}
    for run in current_runs(footage.store):
        of_run = f"{run.model} {run.params} {run.day}"
        found[of_run] = run.frames, run.duplicates_dropped, run.footage_sha256, run.inputs_sha256, run.hours
        for key, data in read_parts(footage.store, run):
            found[f"{of_run} {key.rpartition('/')[2]}"] = data
        if (listed := read_hours(footage.store, run)) is not None:
            found[f"{of_run} list"] = listed.hours
        for of_source in hour_files(footage.store, run).values():
            found |= {file.key: footage.store.get(file.key) for file in of_source}
    return found


def from_nothing(footage: Footage, **changed: Any) -> dict[str, Any]:
    """The result of one count of everything, without earlier counts."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Footage(Path(folder))
        for info in footage.store.list(""):
            if not info.key.startswith(("mapreduce-output/", "tracks/", "hours/")):
                fresh.store.put(info.key, footage.store.get(info.key))
        fresh.aggregate(**changed)
        return stands(fresh)


@pytest.fixture
def three_hours(file_footage: Footage) -> Footage:
    """Two sources over three hours, each hour in a segment, counted; a track crosses a full hour."""
    for hour in range(3):
        for source, media in zip(("gate", "yard"), MEDIA, strict=True):
            at_ms = (
                NOON_MS + hour * HOUR_MS + HOUR_MS - 1_000
                if hour == 1
                else NOON_MS + hour * HOUR_MS + 600_000
            )
            film = drive(file_footage, at_ms, source=source, media=media, first=hour * 100)
            file_footage.segment(film)
    file_footage.aggregate()
    return file_footage


def late(footage: Footage) -> str:
    return footage.segment(drive(footage, NOON_MS + 1_200_000, first=500))


def addresses(footage: Footage, **how: Any) -> tuple[Any, list[str]]:
    read: list[str] = []

    def watch(call: str, key: str) -> None:
        if call == "before address" and key.startswith("metadata/"):
            read.append(key)

    return footage.aggregate(store=Watched(footage.store, watch), **how), read


@pytest.mark.parametrize("runner", first_quick(["inline", "local"]))
def test_only_the_hour_of_a_late_segment_is_read(three_hours: Footage, runner: str) -> None:
    first = next(iter(three_hours.objects("metadata")))
    new = late(three_hours)
    report, read = addresses(three_hours, runner=runner)
    assert read == [first, new]
    assert (report.hours_kept, report.hours_counted, report.segments_read) == (5, 1, 2)
    assert report.warnings == []
    assert stands(three_hours) == from_nothing(three_hours)


def test_only_the_sources_of_changed_hours_are_decoded_in_a_segment_of_many(
    footage: Footage, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_ms = NOON_MS + 1_800_000
    footage.segment([*drive(footage, at_ms), *drive(footage, at_ms, source="yard")])
    footage.aggregate()
    footage.segment(drive(footage, at_ms + 5_000, source="yard", first=50))
    manifests: list[str] = []
    run_job = engine.run_job

    def spy(**arguments: Any) -> Iterator[bytes]:
        manifests.extend(arguments["manifest"])
        return run_job(**arguments)

    monkeypatch.setattr("frametally_hadoop.running.outcome.run_job", spy)
    footage.aggregate()
    [split] = manifests
    [old, new] = split.split("\x1e")
    hour = NOON_MS // HOUR_MS
    assert json.loads(old.split("\t")[1])["hours"] == {"yard": [hour]}
    assert "hours" not in json.loads(new.split("\t")[1])
    assert stands(footage) == from_nothing(footage)


def test_a_days_segments_are_sorted_into_hours_once(three_hours: Footage) -> None:
    late(three_hours)
    HourInputs.segments_by_hour.cache_clear()
    report = three_hours.aggregate()
    assert (report.hours_kept, report.hours_counted) == (5, 1)
    assert HourInputs.segments_by_hour.cache_info().misses == 1


def test_a_changed_zone_changes_only_the_identity_of_the_hours_within_it() -> None:
    noon, digest = NOON_MS // HOUR_MS, HourDigest((1, 2), is_own=True)
    segments = DaySegments({("gate", noon): digest, ("gate", noon + 2): digest})
    day = HourInputs(DayKey("tiny-1", 60, keys.utc_day(NOON_MS)), CountParams(), segments, (), (), {})

    def identities(*zones: ZoneShape) -> dict[SourceHour, str]:
        return day._replace(zones={"gate": zones}).identities()

    box = ZoneShape("box", ((0, 0), (3000, 0), (3000, 4800)))
    of_box, of_others = identities(box), identities(box._replace(name="door"))
    whole = [("gate", NOON_MS), ("gate", NOON_MS + 2 * HOUR_MS)]
    within = [(within_zones("gate"), start_ms) for _, start_ms in whole]
    assert sorted(of_box) == sorted(of_others) == sorted(whole + within)
    assert [of_box[hour] for hour in whole] == [of_others[hour] for hour in whole]
    assert [of_box[hour] for hour in whole] == [*day.identities().values()]
    assert len({*of_box.values(), *(of_others[hour] for hour in within)}) == 6
    of_later = identities(box, box._replace(name="later", from_ms=NOON_MS + HOUR_MS + 60_000))
    assert [of_later[hour] == of_box[hour] for hour in within] == [True, False]


def test_only_the_hours_of_forgotten_footage_are_read(three_hours: Footage) -> None:
    forget(three_hours, MEDIA[0], from_ms=NOON_MS + 2 * HOUR_MS + 60_000)
    report, read = addresses(three_hours)
    assert (report.hours_kept, report.hours_counted, len(read)) == (5, 1, 2)
    assert stands(three_hours) == from_nothing(three_hours)


def test_other_settings_recount_every_hour_and_so_does_all(three_hours: Footage) -> None:
    report, read = addresses(three_hours, count_min_confidence=0.5)
    assert (report.hours_kept, len(read)) == (0, 6)
    again = DaySelection(recount=True)
    report, read = addresses(three_hours, selection=again, count_min_confidence=0.5)
    assert (report.hours_kept, len(read)) == (0, 6)


def lose(store: ObjectStore, key: str) -> None:
    store.delete(key)


def tear(store: ObjectStore, key: str) -> None:
    data = store.get(key)
    store.put(key, data[: len(data) // 4])


def flip(store: ObjectStore, key: str) -> None:
    data = bytearray(store.get(key))
    data[len(data) // 4] ^= 1  # after it there is the history in `_hours.json`, which stops no count
    store.put(key, bytes(data))


@pytest.mark.parametrize("harm", first_quick([flip, tear, lose]))
@pytest.mark.parametrize("name", ["part-00000.gz", "_hours.json"])
def test_a_damaged_run_is_one_line_and_its_day_is_counted_from_segments(
    three_hours: Footage, harm: Callable[[ObjectStore, str], None], name: str
) -> None:
    [run] = current_runs(three_hours.store)
    key = f"{run.prefix}/{name}"
    harm(three_hours.store, key)
    late(three_hours)
    report = three_hours.aggregate()
    [line] = report.warnings
    assert key in line and "2026-01-01 is counted" in line and "\n" not in line
    assert (report.hours_kept, report.skipped) == (0, [])
    assert stands(three_hours) == from_nothing(three_hours)


def test_missing_hour_files_are_one_line_and_are_counted_again(three_hours: Footage) -> None:
    lost = [*three_hours.objects("hours")][1:3]
    for key in lost:
        three_hours.store.delete(key)
    late(three_hours)
    report, read = addresses(three_hours)
    [line] = report.warnings
    assert line == f"{lost[0]} and 1 more: missing, counted again from segments"
    assert (report.hours_kept, report.hours_counted, report.skipped) == (3, 3, [])
    assert len(read) == 4
    assert stands(three_hours) == from_nothing(three_hours)


@pytest.mark.parametrize("harm", first_quick([flip, tear, lose]))
def test_readers_name_a_damaged_hour_file_and_all_heals_it(
    three_hours: Footage, harm: Callable[[ObjectStore, str], None]
) -> None:
    [run] = current_runs(three_hours.store)
    key = next(iter(three_hours.objects("hours")))
    harm(three_hours.store, key)
    for read in (read_tracks, read_paths):
        with pytest.raises(Poison, match="aggregate --all --interval 60 --from 2026-01-01") as refused:
            deque(read(three_hours.store, run), maxlen=0)
        assert str(refused.value).startswith(key)
    report = three_hours.aggregate(selection=DaySelection(recount=True))
    assert (report.hours_kept, report.hours_counted, report.warnings) == (0, 6, [])
    assert len([*read_tracks(three_hours.store, *current_runs(three_hours.store))]) == 8
    assert stands(three_hours) == from_nothing(three_hours)


def test_a_list_of_another_version_is_one_line_and_its_day_is_counted_from_segments(
    three_hours: Footage,
) -> None:
    [run] = current_runs(three_hours.store)
    listed = read_hours(three_hours.store, run)
    assert listed is not None
    data = encode(msgspec.structs.replace(listed, v=2))
    three_hours.store.put(listed.key, data)
    three_hours.store.put(run.key, encode(msgspec.structs.replace(run, hours_crc32=zlib.crc32(data))))
    late(three_hours)
    [line] = three_hours.aggregate().warnings
    assert "version 2" in line and listed.key in line
    assert stands(three_hours) == from_nothing(three_hours)


def test_a_disk_full_at_any_step_of_a_round_is_one_line_and_a_rerun_counts(three_hours: Footage) -> None:
    late(three_hours)
    before, expected = stands(three_hours), from_nothing(three_hours)
    stored = {info.key: three_hours.store.get(info.key) for info in three_hours.store.list("")}
    for step in count_from(1):
        left = step

        def fill_up(call: str, key: str) -> None:
            nonlocal left
            left -= call == "before put"
            if not left:
                raise Retryable(f"no space left for {key}")

        with tempfile.TemporaryDirectory() as folder:
            full = Footage(Path(folder))
            for key, data in stored.items():
                full.store.put(key, data)
            try:
                full.aggregate(store=Watched(full.store, fill_up))
                break
            except Retryable as error:
                assert str(error).startswith("no space left for ") and "\n" not in str(error)
            assert (stands(full), full.temporary_files()) == (before, [])
            full.aggregate()
            assert stands(full) == expected
    assert step == 6  # an hour file, the part file, the list and two small objects


def test_two_writers_of_one_day_write_the_same_files(three_hours: Footage) -> None:
    late(three_hours)
    with tempfile.TemporaryDirectory() as folder:
        other = Footage(Path(folder))
        for info in three_hours.store.list(""):
            other.store.put(info.key, three_hours.store.get(info.key))
        for footage in (three_hours, other):
            footage.aggregate()
        assert stands(other) == stands(three_hours)
        assert other.objects("hours") == three_hours.objects("hours")


def test_an_hour_with_a_line_set_aside_is_read_every_time(three_hours: Footage) -> None:
    first, *others = drive(three_hours, NOON_MS + 1_200_000, first=500)
    boxes: Any = [msgspec.structs.replace(first.detections[0], label=12345)]
    three_hours.segment([msgspec.structs.replace(first, detections=boxes), *others])
    report = three_hours.aggregate()
    assert (len(report.skipped), report.hours_kept) == (1, 5)
    again = three_hours.aggregate()
    assert (again.runs, again.skipped) == ([], report.skipped)
    assert stands(three_hours) == from_nothing(three_hours)


@pytest.mark.thorough
def test_killed_at_any_failpoint_with_kept_hours_a_rerun_gives_the_bytes_of_an_undisturbed_run(
    three_hours: Footage, tmp_path: Path
) -> None:
    late(three_hours)
    published_whatever_is_killed(tmp_path, POINTS if THOROUGH else POINTS[:2])
    three_hours.aggregate()
    assert stands(three_hours) == from_nothing(three_hours)
