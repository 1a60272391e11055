"""Overlapping footage of one source counts once, with any engine and in any order."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests.fakes.records import make_manifest
from tests.hadoop.conftest import Footage, Reads
from tests.kit.stand_ins import Around

from frametally import keys
from frametally.books.quality_reports import read_quality
from frametally.books.runs import current_runs, read_history
from frametally.media.forgetting import put_tombstone
from frametally.media.manifests import ManifestReader
from frametally.ports.object_store import KeyRanges, ObjectInfo
from frametally.process.reports import NoProgress
from frametally.records import FrameDetections, MediaManifest, encode
from frametally.rules.overlaps import joined_runs
from frametally_hadoop.driver import settings_params
from frametally_hadoop.dry_run import dry_run
from frametally_hadoop.planning.hours import SegmentBook
from frametally_hadoop.planning.plan import DaySelection, make_plan
from frametally_hadoop.publication.quality_checks import COVERAGE_EQUALS_MANIFESTS, NO_MEDIA_OVERLAP

EARLY, LATE = "ab" * 32, "cd" * 32
NOON_MS, DAY_MS = 1_767_268_800_000, 86_400_000
STEP_MS = 200


def video(footage: Footage, sha256: str, start_ms: int, frames: int) -> MediaManifest:
    """A video of 5 frames a second with a moving car."""
    made = [moment(footage, sha256, start_ms + index * STEP_MS, index) for index in range(frames)]
    footage.segment(made)
    return manifest(footage, sha256, made)


def moment(footage: Footage, sha256: str, time_ms: int, index: int) -> FrameDetections:
    at = (time_ms - NOON_MS) / 1000 * 10 % 500
    frame = footage.frame(time_ms, "car", index=index, box=(round(at, 1), 100.0, 80.0, 60.0))
    return msgspec.structs.replace(
        frame, media=sha256, image_path=keys.image_key(frame.source, time_ms, sha256, index)
    )


def manifest(footage: Footage, sha256: str, frames: list[FrameDetections]) -> MediaManifest:
    made = make_manifest(
        len(frames),
        media=sha256,
        source="gate",
        name=f"{sha256[:4]}.mp4",
        start_ms=frames[0].captured_at_ms,
        span_ms=(frames[0].captured_at_ms, frames[-1].captured_at_ms),
        runs=joined_runs((frame.captured_at_ms, frame.captured_at_ms) for frame in frames),
    )
    footage.store.put(keys.media_key(sha256), encode(made))
    return made


def recorder_files(footage: Footage) -> MediaManifest:
    """0 to 20 s, and 18 to 39.4 s: two files of a recorder that starts the next before ending the last."""
    late = video(footage, LATE, NOON_MS + 18_000, 108)
    video(footage, EARLY, NOON_MS, 101)
    return late


@pytest.mark.thorough
@pytest.mark.parametrize("runner", ["inline", "local"])
def test_overlapping_recorder_files_count_like_the_uncut_file(
    file_footage: Footage, tmp_path: Path, runner: str
) -> None:
    footage = file_footage
    recorder_files(footage)
    report = footage.aggregate(runner=runner, interval_s=1)
    whole = type(footage)(tmp_path / "whole")
    frames = [moment(whole, EARLY, NOON_MS + n * STEP_MS, n) for n in range(101)]
    frames += [moment(whole, LATE, NOON_MS + n * STEP_MS, n - 90) for n in range(101, 198)]
    whole.segment(frames)
    whole.aggregate(runner="inline", interval_s=1)
    assert (report.frames, report.duplicates_dropped) == (198, 0)
    assert footage.parts() == whole.parts()  # objects as well: one car, one track over the hand-over
    counts = b"".join(footage.parts().values()).split(b'["coverage"')[0]
    assert counts.count(b'"objects":1') == 1


def test_an_overlap_on_one_day_makes_no_other_day_stale(footage: Footage) -> None:
    hours = [moment(footage, EARLY, NOON_MS + n * 3_600_000, n) for n in range(72)]
    other = moment(footage, LATE, NOON_MS + DAY_MS, 0)
    footage.segment(hours)
    footage.segment([other])
    manifest(footage, EARLY, hours)
    assert len(footage.aggregate().runs) == 4
    manifest(footage, LATE, [other])  # the same moment as an hourly frame of the other
    report = footage.aggregate()
    assert [(run.day, run.frames) for run in report.runs] == [("2026-01-02", 24)]
    assert footage.aggregate().runs == []


def test_forgetting_the_counted_file_brings_the_others_frames_back(footage: Footage) -> None:
    late = recorder_files(footage)
    assert footage.aggregate().frames == 198
    early = msgspec.structs.replace(late, sha256=EARLY, source="gate")
    put_tombstone(footage.store, early, why="forget")
    footage.store.delete(keys.media_key(EARLY))
    assert footage.aggregate().frames == 108
    assert footage.aggregate().runs == []


@pytest.mark.thorough
@pytest.mark.parametrize(("wins", "frames"), [("first", 198), ("last", 198), ("all", 209)])
def test_a_setting_decides_which_file_counts_and_changing_it_counts_again(
    footage: Footage, wins: str, frames: int
) -> None:
    recorder_files(footage)
    footage.aggregate(count_overlaps="all" if wins != "all" else "first")
    report = footage.aggregate(count_overlaps=wins)
    assert report.frames == frames
    with closing(SegmentBook(footage.settings.ledger_url)) as book:
        plan = make_plan(
            store=footage.store,
            params=settings_params(footage.settings.model_copy(update={"count_overlaps": wins})),
            book=book,
            manifests=ManifestReader(footage.store),
            progress=NoProgress(),
        )
    losers = {one.loser for day in plan.up_to_date for one in day.overlaps}
    assert losers == {"first": {LATE}, "last": {EARLY}, "all": set()}[wins]


def test_without_overlaps_the_setting_first_keeps_the_digest_of_earlier_versions(footage: Footage) -> None:
    before = settings_params(footage.settings).digest()
    assert before == settings_params(footage.settings.model_copy(update={"count_overlaps": "first"})).digest()
    assert before != settings_params(footage.settings.model_copy(update={"count_overlaps": "last"})).digest()


def test_an_unreadable_manifest_is_named_and_the_days_are_counted(footage: Footage) -> None:
    recorder_files(footage)
    footage.store.put(keys.media_key("ee" * 32), b"{")
    report = footage.aggregate()
    assert report.frames == 198
    assert [item.name for item in report.skipped] == [keys.media_key("ee" * 32)]


def test_the_quality_report_names_both_media_and_the_times_until_one_is_forgotten(footage: Footage) -> None:
    late = recorder_files(footage)
    [run] = footage.aggregate().runs
    report = read_quality(footage.store, run)
    [failed] = report.failed
    assert failed.name == NO_MEDIA_OVERLAP
    [line] = failed.details
    assert "cdcd.mp4 (cdcdcdcdcdcd) is not counted from 2026-01-01 12:00:18Z to 2026-01-01 12:00:20Z" in line
    assert "frametally forget" not in line  # that would lose 101 frames for 11
    put_tombstone(footage.store, late, why="forget")
    footage.store.delete(keys.media_key(LATE))
    [run] = footage.aggregate().runs
    report = read_quality(footage.store, run)
    assert not report.failed


def test_a_growing_file_fails_no_check_and_counts_only_in_its_last_version(
    footage: Footage, tmp_path: Path
) -> None:
    early, late = video(footage, EARLY, NOON_MS, 51), video(footage, LATE, NOON_MS, 101)
    for version in (early, late):
        grown = msgspec.structs.replace(version, name="cam.ts")
        footage.store.put(keys.media_key(version.sha256), encode(grown))
    [run] = footage.aggregate().runs
    report = read_quality(footage.store, run)
    assert (run.frames, report.failed) == (101, [])
    [doubt] = [line for check in report.checks if check.passed is None for line in check.details]
    assert "some of it is not counted, because recordings overlap" in doubt  # no frame waits or is lost
    alone = type(footage)(tmp_path / "alone")
    video(alone, LATE, NOON_MS, 101)
    alone.aggregate()
    assert footage.parts() == alone.parts()


def test_consecutive_clips_pass_all_checks_and_each_moment_counts_once(footage: Footage) -> None:
    """With names in whole seconds: 0 to 20.4 s, and footage from 20.5 s on that claims to begin at 20 s."""
    video(footage, EARLY, NOON_MS, 103)
    video(footage, LATE, NOON_MS + 20_000, 103)
    [run] = footage.aggregate().runs
    assert run.frames == 203
    report = read_quality(footage.store, run)
    assert not [check for check in report.checks if check.passed is not True]
    [line] = next(check for check in report.checks if check.name == NO_MEDIA_OVERLAP).details
    assert "1 video begins up to 0.4 s before the previous one ends" in line
    assert "about 3 frames there do not count" in line


@pytest.mark.parametrize(("lost", "passed"), [(1, True), (2, None)])
def test_between_consecutive_clips_one_missing_frame_passes_the_check_and_two_do_not(
    footage: Footage, lost: int, passed: bool | None
) -> None:
    video(footage, EARLY, NOON_MS, 103)
    made = [moment(footage, LATE, NOON_MS + 20_000 + index * STEP_MS, index) for index in range(103)]
    footage.segment(made[:-lost])
    manifest(footage, LATE, made)
    [run] = footage.aggregate().runs
    checks = {check.name: check.passed for check in read_quality(footage.store, run).checks}
    assert checks[COVERAGE_EQUALS_MANIFESTS] is passed


def test_an_overlap_just_after_midnight_leaves_the_previous_days_footage_unchanged(footage: Footage) -> None:
    midnight_ms = NOON_MS + DAY_MS // 2
    video(footage, EARLY, midnight_ms - 20_000, 301)
    footage.aggregate()
    before = current_runs(footage.store)
    manifest(footage, LATE, [moment(footage, LATE, midnight_ms + n * STEP_MS, n) for n in range(101)])
    footage.aggregate()
    after = current_runs(footage.store)
    assert [one.footage_sha256 == other.footage_sha256 for one, other in zip(before, after, strict=True)] == [
        True,
        False,
    ]


def test_a_history_names_a_new_overlap_and_no_earlier_one(footage: Footage) -> None:
    recorder_files(footage)
    footage.aggregate()
    video(footage, "ef" * 32, NOON_MS + 30_000, 101)
    [run] = footage.aggregate().runs
    history = read_history(footage.store, run)
    assert history is not None
    assert [entry.sequence for entry in history.entries] == [1, 2]
    starts = [reason.from_ms for reason in history.entries[-1].reasons if reason.kind == "overlap"]
    assert starts == [NOON_MS + 30_000]


class WithoutVersions(Around):
    """A store that lists no versions and no dates."""

    def list(self, *arguments: str, **options: str) -> Iterator[ObjectInfo]:
        for info in self.inner.list(*arguments, **options):
            yield ObjectInfo(info.key, info.size_bytes)

    def list_unless(self, prefix: str, known_keys: KeyRanges) -> Iterator[ObjectInfo]:
        return known_keys.leave_out(self.list(prefix))


def manifest_notes(footage: Footage) -> Path:
    [path] = footage.settings.data_dir.glob("manifests-*.jsonl")
    return path


def test_an_aggregation_of_an_unchanged_store_reads_no_manifest(file_footage: Footage) -> None:
    recorder_files(file_footage)
    reads = Reads(file_footage, f"{keys.MEDIA}/")
    assert len(file_footage.aggregate(store=reads.store).runs) == 1
    assert reads.keys == [keys.media_key(EARLY), keys.media_key(LATE)]
    assert file_footage.aggregate(store=reads.store).runs == []
    dry_run(settings=file_footage.settings, store=reads.store, progress=NoProgress())
    assert len(reads.keys) == 2


def test_a_new_changed_or_removed_manifest_since_the_last_aggregation_is_noticed(
    file_footage: Footage,
) -> None:
    footage = file_footage
    late = recorder_files(footage)
    footage.store.delete(keys.media_key(LATE))
    counted = [footage.aggregate().frames]
    footage.store.put(late.key, encode(late))
    reads = Reads(footage, f"{keys.MEDIA}/")
    counted.append(footage.aggregate(store=reads.store).frames)
    span = (NOON_MS + 19_000, late.runs[0][1])  # 5 frames of it no longer overlap
    footage.store.put(late.key, encode(msgspec.structs.replace(late, runs=[span])))
    counted.append(footage.aggregate(store=reads.store).frames)
    footage.store.delete(keys.media_key(EARLY))
    counted.append(footage.aggregate(store=reads.store).frames)
    assert (counted, reads.keys) == ([209, 198, 203, 209], [late.key, late.key])


def test_a_manifest_in_a_store_without_versions_is_read_every_time(file_footage: Footage) -> None:
    recorder_files(file_footage)
    reads = Reads(file_footage, f"{keys.MEDIA}/")
    for _ in range(2):
        file_footage.aggregate(store=WithoutVersions(reads.store))  # type: ignore[arg-type]
    assert len(reads.keys) == 4


def flip(path: Path) -> None:
    """Let the earlier medium begin 4 s later: one bit of one digit, and it can still be decoded."""
    early, late = f"[{NOON_MS}".encode(), f"[{NOON_MS + 4_000}".encode()
    data = path.read_bytes()
    assert early in data
    path.write_bytes(data.replace(early, late))


def of_an_earlier_layout(path: Path) -> None:
    """Omit the runs, as in a program that noted manifests without them."""
    lines = re.sub(rb',"runs":\[\[.*?\]\]', b"", path.read_bytes().partition(b"\n")[2])
    assert b"runs" not in lines
    path.write_bytes(b"%08x\n%s" % (zlib.crc32(lines), lines))


def no_file(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.thorough
@pytest.mark.parametrize("harm", [Path.unlink, flip, of_an_earlier_layout, no_file])
def test_lost_or_damaged_notes_of_manifests_are_never_believed(
    file_footage: Footage, harm: Callable[[Path], None]
) -> None:
    recorder_files(file_footage)
    assert file_footage.aggregate().frames == 198
    harm(manifest_notes(file_footage))
    reads = Reads(file_footage, f"{keys.MEDIA}/")
    report = file_footage.aggregate(store=reads.store, selection=DaySelection(recount=True))
    assert (report.frames, report.skipped, len(reads.keys)) == (198, [], 2)
    again = Reads(file_footage, f"{keys.MEDIA}/")
    file_footage.aggregate(store=again.store)
    assert len(again.keys) == (2 if harm is no_file else 0)
