"""A dry run reports the files, their gaps and the expected duration, and writes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.commands import frametally
from tests.producer.conftest import Bench

from frametally.media.manifests import find_manifest
from frametally_cli.main import main
from frametally_producer.plan import find_gaps, plan
from frametally_producer.reading.event_time import iso
from frametally_producer.writing import seen_files
from frametally_producer.writing.production import ProduceCall

MIN_MS = 60_000


def everything_below(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def yard(bench: Bench) -> Path:
    bench.video("yard/a.mp4", 30, metadata={"creation_time": "2026-05-01T06:00:00Z"})
    bench.video("yard/b.mkv", 20, metadata={"creation_time": "2026-05-01T07:00:00Z"})
    for minute in range(5):
        taken = f"2026:05:01 08:{minute:02}:00"
        bench.picture(f"yard/{minute}.jpg", index=minute, taken=taken, offset="+00:00")
    (bench.folder / "yard" / "bad.mp4").write_text("no video")
    return bench.folder / "yard"


def planned(bench: Bench, *paths: Path, **overrides: object) -> Any:
    return plan(
        ProduceCall(paths=paths, settings=bench.settings(**overrides)),
        find=lambda sha256: find_manifest(bench.store, sha256),
        progress=bench.progress,
    )


def test_a_plan_lists_files_frames_bytes_time_span_and_unreadable_files_and_writes_nothing(
    bench: Bench, yard: Path
) -> None:
    before = everything_below(bench.folder)
    found = planned(bench, yard)
    [source] = found.sources
    assert (source.source_name, source.files, source.files_known) == ("yard", 7, 0)
    assert (source.frames, source.frames_unknown) == (15 + 10 + 5, 0)
    assert source.bytes == sum(p.stat().st_size for p in yard.iterdir() if p.name != "bad.mp4")
    assert iso(source.first_ms) == "2026-05-01T06:00:00.000Z"
    assert iso(source.last_ms) == "2026-05-01T08:04:00.000Z"
    assert [item.name for item in found.skipped] == [str(yard / "bad.mp4")]
    assert found.seconds > 0
    assert found.stored_bytes > 0
    assert "by a trial just now" in found.measured
    assert everything_below(bench.folder) == before
    assert not bench.store.effects
    assert not (bench.folder / "data").exists()


@pytest.mark.thorough
def test_producing_does_what_was_planned(bench: Bench, yard: Path) -> None:
    for sampling in ("all", "3", "5"):
        fresh = type(bench)(bench.folder / sampling)
        [source] = planned(fresh, yard, sample_fps=sampling).sources
        report = fresh.produce(yard, sample_fps=sampling)
        assert source.frames == report.frames_announced
        assert source.first_ms == min(m.first_captured_at_ms for m in report.media)


@pytest.mark.thorough
def test_copies_and_footage_known_from_another_sampling_are_planned_as_they_are_then_produced(
    bench: Bench, yard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen_files, "_SETTLED_NS", -1_000_000_000_000)
    for name in ("a.mp4", "0.jpg"):
        shutil.copyfile(yard / name, yard / f"copy-{name}")
    found = []
    for sampling in ("2", "3", "1", "3", "all"):
        [source] = planned(bench, yard, sample_fps=sampling).sources
        report = bench.produce(yard, sample_fps=sampling)
        assert source.frames == report.frames_announced
        found.append((source.files_known, source.frames))
    assert found == [(2, 10 + 5), (7, 10), (9, 0), (9, 0), (7, 30)]


@pytest.mark.thorough
def test_files_finished_here_are_known_and_earlier_runs_give_the_rates(
    bench: Bench, yard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen_files, "_SETTLED_NS", -1_000_000_000_000)
    bench.produce(yard)
    found = planned(bench, yard)
    [source] = found.sources
    assert (source.files_known, source.frames, found.seconds, found.stored_bytes) == (7, 0, 0, 0)
    bench.video("yard/c.mp4", 40)
    found = planned(bench, yard)
    assert (found.sources[0].files_known, found.sources[0].frames) == (7, 20)
    assert found.measured == "video: as measured in earlier runs here"
    assert planned(bench, yard, jpeg_quality=50).measured.startswith("video: by a trial")


def test_a_gap_is_longer_than_ten_usual_steps() -> None:
    steady = [(at * MIN_MS, at * MIN_MS) for at in range(60)]
    assert find_gaps(steady) == ([], 10 * MIN_MS)
    holed = steady[:20] + steady[35:]
    [gap], bound_ms = find_gaps(holed)
    assert (gap, bound_ms) == ((19 * MIN_MS, 35 * MIN_MS), 10 * MIN_MS)
    assert find_gaps([]) == ([], 0)


def test_overlapping_or_consecutive_videos_have_no_gap() -> None:
    assert find_gaps([(0, 100_000), (100_000, 150_000), (20_000, 30_000)])[0] == []
    steady = [(at * MIN_MS, at * MIN_MS) for at in range(60)]
    assert find_gaps([*steady[:21], (19 * MIN_MS, 40 * MIN_MS), *steady[41:]])[0] == []


def test_the_command_prints_the_plan_and_creates_no_data_folder(bench: Bench, yard: Path) -> None:
    data = bench.folder / "data"
    told = frametally("produce", yard, "--dry-run", "--data-dir", data, code=6)
    assert "yard: 7 files (0 already known)" in told.out
    assert "about 30 new frames, 2026-05-01T06:00:00.000Z to 2026-05-01T08:04:00.000Z, 2 gaps" in told.out
    assert "gap in yard: 59 min 57 s, 2026-05-01T06:00:03.000Z to 2026-05-01T07:00:00.000Z" in told.out
    assert "a gap is more than" in told.out
    assert "producing it takes about" in told.out
    assert "bad.mp4" in told.err
    assert not data.exists()
    assert main(["produce", str(yard / "bad.mp4"), "--dry-run", "--data-dir", str(data)]) == 2
