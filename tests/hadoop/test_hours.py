"""A round counts what is new: hours that nothing changed are kept, and all is as if counted from nothing."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import tempfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import THOROUGH, examples, first_quick
from tests.fakes.records import make_manifest
from tests.hadoop.conftest import NOON_MS, Footage
from tests.hadoop.test_aggregate_kills import POINTS, count, published, start

from frametally import keys
from frametally.books.runs import (
    current_runs,
    hour_files,
    read_hours,
    read_parts,
    read_paths,
    read_tracks,
)
from frametally.errors import Poison
from frametally.ports.object_store import ObjectStore
from frametally.records import FrameDetections, encode
from frametally.rules.times import HOUR_MS
from frametally.undo_records import Tombstone
from frametally_hadoop.planning.counting_steps import DaySelection
from frametally_hadoop.planning.hours import HourInputs
from frametally_hadoop.running import engine

MEDIA = ("ab" * 32, "cd" * 32)
MIDNIGHT_MS = NOON_MS + 12 * HOUR_MS


def drive(
    footage: Footage,
    at_ms: int,
    *,
    source: str = "gate",
    media: str = MEDIA[0],
    frames: int = 12,
    first: int = 0,
) -> list[FrameDetections]:
    """A car that drives by, at five frames a second."""
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
    """All that current runs say, but which runs they are and how they came about."""
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
    """What one count of all that there is gives, with nothing counted before."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Footage(Path(folder))
        for info in footage.store.list(""):
            if not info.key.startswith(("mapreduce-output/", "tracks/", "hours/")):
                fresh.store.put(info.key, footage.store.get(info.key))
        fresh.aggregate(**changed)
        return stands(fresh)


times = st.sampled_from(
    [
        NOON_MS,
        NOON_MS + 1_800_000,
        NOON_MS + HOUR_MS - 1_000,  # over the full hour
        NOON_MS + 2 * HOUR_MS + 59_000,
        MIDNIGHT_MS - 1_200,  # over midnight
        MIDNIGHT_MS + 30_000,
    ]
)
films = st.tuples(times, st.sampled_from(["gate", "yard"]), st.sampled_from(["a", "b"]))
changes = st.sampled_from([{}, {}, {"count_min_confidence": 0.95}, {"count_labels": "bus"}])
rounds = st.tuples(
    st.lists(films, min_size=1, max_size=3), st.none() | films, st.booleans(), changes, st.booleans()
)
drives = (
    st.lists(rounds, min_size=2, max_size=3),
    st.booleans(),
    st.sampled_from([60, 60, 2700, 3600, 7200, 86_400]),
)


def medium_of(film: tuple[int, str, str]) -> str:
    return hashlib.sha256(repr(film).encode()).hexdigest()


def assert_counted_as_from_nothing(
    rounds: Sequence[Any], with_objects: bool, interval_s: int, at_times: Callable[[Footage], None]
) -> None:
    """Count after each round, with what is done at some of them."""
    with tempfile.TemporaryDirectory() as folder:
        footage = Footage(Path(folder))
        for filmed, forgotten, in_part, changed, at_this_time in rounds:
            frames = []
            for film in filmed:
                at_ms, source, _ = film
                frames += drive(footage, at_ms, source=source, media=medium_of(film))
                manifest = make_manifest(12, media=medium_of(film), source=source)
                span = {"first_captured_at_ms": at_ms, "last_captured_at_ms": at_ms + 2_200}
                footage.store.put(manifest.key, encode(msgspec.structs.replace(manifest, **span)))
            footage.segment(frames)
            if forgotten:
                bounds = {"from_ms": forgotten[0] + 1_000} if in_part else {}
                forget(footage, medium_of(forgotten), forgotten[1], **bounds)
            if at_this_time:
                at_times(footage)
            how = {"count_objects": with_objects, "interval_s": interval_s, **changed}
            assert footage.aggregate(**how).skipped == []
            expected = from_nothing(footage, **how)
            counted = stands(footage)
            assert {name: counted.get(name) for name in expected} == expected


@settings(max_examples=examples(20))
@given(*drives)
def test_rounds_give_the_bytes_of_one_count_from_nothing_whatever_comes_and_goes(
    rounds: Sequence[Any], with_objects: bool, interval_s: int
) -> None:
    """Late segments, frames that come twice, media that overlap or are forgotten, other settings."""
    assert_counted_as_from_nothing(rounds, with_objects, interval_s, lambda _: None)


@pytest.fixture
def three_hours(file_footage: Footage) -> Footage:
    """Two sources over three hours, an hour in a segment of each, counted; a track goes over a full hour."""
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


def addresses(footage: Footage, watched: Callable[..., ObjectStore], **how: Any) -> tuple[Any, list[str]]:
    read: list[str] = []

    def watch(call: str, key: str) -> None:
        if call == "before address" and key.startswith("metadata/"):
            read.append(key)

    return footage.aggregate(store=watched(footage.store, watch), **how), read


@pytest.mark.parametrize("runner", first_quick(["inline", "local"]))
def test_a_late_segment_has_its_hour_read_and_no_other(
    three_hours: Footage, watched: Callable[..., ObjectStore], runner: str
) -> None:
    first = next(iter(three_hours.objects("metadata")))
    new = late(three_hours)
    report, read = addresses(three_hours, watched, runner=runner)
    assert read == [first, new]
    assert (report.hours_kept, report.hours_counted, report.segments_read) == (5, 1, 2)
    assert report.warnings == []
    assert stands(three_hours) == from_nothing(three_hours)


def test_of_a_segment_with_many_sources_only_those_of_changed_hours_are_decoded(
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


def test_the_segments_of_a_day_are_sorted_into_hours_once(
    three_hours: Footage,
) -> None:
    late(three_hours)
    HourInputs.segments_by_hour.cache_clear()
    report = three_hours.aggregate()
    assert (report.hours_kept, report.hours_counted) == (5, 1)
    assert HourInputs.segments_by_hour.cache_info().misses == 1


def test_footage_that_is_forgotten_has_its_hours_read_and_no_other(
    three_hours: Footage, watched: Callable[..., ObjectStore]
) -> None:
    forget(three_hours, MEDIA[0], from_ms=NOON_MS + 2 * HOUR_MS + 60_000)
    report, read = addresses(three_hours, watched)
    assert (report.hours_kept, report.hours_counted, len(read)) == (5, 1, 2)
    assert stands(three_hours) == from_nothing(three_hours)


def test_other_settings_count_every_hour_and_so_does_all(
    three_hours: Footage, watched: Callable[..., ObjectStore]
) -> None:
    report, read = addresses(three_hours, watched, count_min_confidence=0.5)
    assert (report.hours_kept, len(read)) == (0, 6)
    again = DaySelection(recount=True)
    report, read = addresses(three_hours, watched, selection=again, count_min_confidence=0.5)
    assert (report.hours_kept, len(read)) == (0, 6)


def lose(store: ObjectStore, key: str) -> None:
    store.delete(key)


def tear(store: ObjectStore, key: str) -> None:
    data = store.get(key)
    store.put(key, data[: len(data) // 4])


def flip(store: ObjectStore, key: str) -> None:
    data = bytearray(store.get(key))
    data[len(data) // 4] ^= 1  # behind it is the history in `_hours.json`, which stops no count
    store.put(key, bytes(data))


@pytest.mark.parametrize("harm", first_quick([flip, tear, lose]))
@pytest.mark.parametrize("name", ["part-00000", "_hours.json"])
def test_a_run_that_is_damaged_is_one_line_and_its_day_is_counted_from_segments(
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


def test_hour_files_that_are_gone_are_one_line_and_counted_again(
    three_hours: Footage, watched: Callable[..., ObjectStore]
) -> None:
    lost = [*three_hours.objects("hours")][1:3]
    for key in lost:
        three_hours.store.delete(key)
    late(three_hours)
    report, read = addresses(three_hours, watched)
    [line] = report.warnings
    assert line == f"{lost[0]} and 1 more: missing, counted again from segments"
    assert (report.hours_kept, report.hours_counted, report.skipped) == (3, 3, [])
    assert len(read) == 4
    assert stands(three_hours) == from_nothing(three_hours)


@pytest.mark.parametrize("harm", first_quick([flip, tear, lose]))
def test_a_damaged_hour_file_is_named_by_its_readers_and_healed_by_all(
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


def test_an_hour_with_a_line_that_is_set_aside_is_read_each_time(three_hours: Footage) -> None:
    def spoil(data: bytes) -> bytes:
        return data.replace(b'"label":"car"', b'"label":12345', 1)

    three_hours.segment(drive(three_hours, NOON_MS + 1_200_000, first=500), spoil=spoil)
    report = three_hours.aggregate()
    assert (len(report.skipped), report.hours_kept) == (1, 5)
    again = three_hours.aggregate()
    assert (again.runs, again.skipped) == ([], report.skipped)
    assert stands(three_hours) == from_nothing(three_hours)


@pytest.mark.thorough
def test_killed_at_every_failpoint_while_hours_are_kept_a_rerun_gives_the_bytes_of_a_quiet_run(
    three_hours: Footage, tmp_path: Path
) -> None:
    late(three_hours)

    def copied(name: str) -> Path:
        shutil.copytree(tmp_path / "store with space", tmp_path / name / "store")
        return tmp_path / name

    quiet = copied("quiet")
    count(quiet)
    expected = published(quiet)
    for point in POINTS if THOROUGH else POINTS[:2]:
        folder = copied(point)
        assert start(folder, FRAMETALLY_FAILPOINT=point).wait() == -signal.SIGKILL
        assert start(folder).wait() == os.EX_OK
        assert published(folder) == expected, point
    three_hours.aggregate()
    assert stands(three_hours) == from_nothing(three_hours)
