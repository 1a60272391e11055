"""A watched folder: finished files are produced once; bad files are named once; a stop ends it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.kit.waiting import until
from tests.producer.conftest import Bench

from frametally.errors import Misconfigured
from frametally_producer import produce as producing
from frametally_producer.produce import Rounds, begin, produce_media, watch
from frametally_producer.reading.footage import find_footage
from frametally_producer.writing import production
from frametally_producer.writing.production import ProduceCall


@pytest.fixture
def rounds(bench: Bench) -> Callable[[float], list[str]]:
    """A look at `yard` at a time in seconds: the names of the files to produce."""
    (bench.folder / "yard").mkdir(exist_ok=True)
    with begin(
        ProduceCall(paths=[], settings=bench.settings()),
        store=bench.store,
        log=bench.log,
        progress=bench.progress,
    ) as production:
        kept = Rounds(production)

        def look(now_s: float) -> list[str]:
            footage = find_footage([bench.folder / "yard"], source=None, leave_out=[])
            media = kept.ready(footage, now_s=now_s)
            kept.name_bad_ones()
            paths = [p for m in media for p in ([m.path] if hasattr(m, "path") else m.paths)]
            return [path.name for path in paths]

        yield look


def test_a_file_is_produced_once_after_it_stopped_changing(bench: Bench, rounds: Callable[..., Any]) -> None:
    assert rounds(0) == []
    bench.picture("yard/a.jpg")
    bench.video("yard/b.mp4")
    assert rounds(1) == []
    assert rounds(5.9) == []
    assert rounds(6) == ["a.jpg", "b.mp4"]
    assert rounds(7) == rounds(100) == []


def test_a_growing_file_is_left_until_it_stops_changing(bench: Bench, rounds: Callable[..., Any]) -> None:
    path = bench.folder / "yard" / "a.jpg"
    path.write_bytes(b"1")
    assert rounds(0) == []
    path.write_bytes(b"22")
    assert rounds(4) == []
    assert rounds(8.9) == []
    assert rounds(9) == ["a.jpg"]


def test_a_file_overwritten_without_growing_is_left_too(bench: Bench, rounds: Callable[..., Any]) -> None:
    path = bench.folder / "yard" / "a.jpg"
    path.write_bytes(b"1")
    os.utime(path, (1, 1))
    assert rounds(0) == []
    os.utime(path, (2, 2))
    assert rounds(5) == []
    assert rounds(10) == ["a.jpg"]


def test_a_file_that_grows_after_it_was_produced_is_produced_again_with_a_notice(
    bench: Bench, rounds: Callable[..., Any]
) -> None:
    path = bench.folder / "yard" / "a.jpg"
    path.write_bytes(b"1")
    rounds(0)
    assert rounds(5) == ["a.jpg"]
    path.write_bytes(b"22")
    assert rounds(6) == []
    [line] = bench.progress.lines
    assert "another medium" in line
    assert "frames that both versions have count once" in line
    assert rounds(10.9) == []
    assert rounds(11) == ["a.jpg"]
    assert bench.progress.lines == [line]


def test_a_file_that_disappears_and_comes_back_must_stop_changing_again(
    bench: Bench, rounds: Callable[..., Any]
) -> None:
    path = bench.folder / "yard" / "a.jpg"
    path.write_bytes(b"1")
    rounds(0)
    assert rounds(5) == ["a.jpg"]
    path.unlink()
    assert rounds(6) == []
    path.write_bytes(b"1")
    assert rounds(7) == []
    assert rounds(12) == ["a.jpg"]


def test_an_unsupported_file_is_named_once(bench: Bench, rounds: Callable[..., Any]) -> None:
    (bench.folder / "yard" / "a.heic").write_bytes(b"1")
    (bench.folder / "yard" / "gone.jpg").symlink_to(bench.folder / "nowhere.jpg")
    for now_s in range(0, 30, 3):
        assert rounds(now_s) == []
    [line] = bench.progress.lines
    assert "a.heic" in line


def watched(bench: Bench, monkeypatch: pytest.MonkeyPatch, steps: list[Callable[[], None]]) -> Any:
    """A watch that does one of `steps` after each look, and stops after the last."""
    monkeypatch.setattr(producing, "_LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(producing, "STILL_S", 0.0001)
    looks = [0]
    whole = production.find_footage

    def find(*arguments: object, **options: Any) -> object:
        found = whole(*arguments, **options)
        looks[0] += 1
        return found

    monkeypatch.setattr(production, "find_footage", find)
    done = [0]

    def should_stop() -> bool:
        if done[0] < len(steps) and looks[0] > done[0] * 4:
            steps[done[0]]()
            done[0] += 1
        return looks[0] > len(steps) * 4 + 4

    return watch(
        ProduceCall(paths=[bench.folder / "yard"], settings=bench.settings(), should_stop=should_stop),
        store=bench.store,
        log=bench.log,
        progress=bench.progress,
    )


@pytest.mark.thorough
def test_new_files_in_a_watched_folder_are_produced_and_bad_files_are_named_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.picture("yard/a.jpg")
    bad = bench.folder / "yard" / "bad.mp4"
    report = watched(
        bench,
        monkeypatch,
        [lambda: bench.video("yard/b.mp4", 10), lambda: bad.write_text("no video") and None],
    )
    assert report.frames_announced == 6
    assert [item.name for item in report.skipped] == [str(bad)]
    assert len([line for line in bench.progress.lines if str(bad) in line]) == 1
    assert {manifest.kind for manifest in bench.manifests()} == {"video", "pictures"}


def test_a_grown_file_supersedes_itself_and_is_not_listed_at_the_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = bench.video("whole.mkv", 60).read_bytes()
    growing = bench.folder / "yard" / "cam_20260501_080000.mkv"
    growing.parent.mkdir()
    growing.write_bytes(whole[: len(whole) // 2])
    bench.overrides["time_pattern"] = "cam_%Y%m%d_%H%M%S"
    report = watched(
        bench, monkeypatch, [lambda: None, lambda: growing.write_bytes(whole) and None, lambda: None]
    )
    short, long = sorted(bench.manifests(), key=lambda one: one.frames_announced)
    assert (short.name, long.frames_announced) == (long.name, 30)
    assert len([line for line in bench.progress.lines if "skipped" in line and "in part" in line]) == 1
    assert report.skipped == []
    assert f"the earlier version ({short.sha256[:12]}, " in "".join(report.notices)


def test_a_watch_reports_doubtful_times_and_merged_folders_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(name: str, frames: int) -> Callable[[], object]:
        made = {"creation_time": f"2096-05-01T08:{frames}:00Z"}
        return lambda: bench.video(name, frames, metadata=made)

    add("yard/front/a.mkv", 10)()
    add("yard/back/a.mkv", 11)()
    report = watched(
        bench,
        monkeypatch,
        [add("yard/back/b.mkv", 12), lambda: None, add("yard/back/c.mkv", 13), lambda: None],
    )
    assert len(bench.manifests()) == 4
    assert len([line for line in report.notices if "in the future" in line]) == 1
    assert len([line for line in report.notices if "become one source" in line]) == 1


def test_only_existing_folders_are_watched(bench: Bench) -> None:
    for path in (bench.picture("a.jpg"), bench.folder / "none"):
        with pytest.raises(Misconfigured, match="is not an existing folder"):
            watch(
                ProduceCall(paths=[path], settings=bench.settings(), should_stop=lambda: True),
                store=bench.store,
                log=bench.log,
                progress=bench.progress,
            )


SOON = """
import sys
from frametally_cli.main import main
from frametally_producer import produce
produce.STILL_S = 0.5
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.thorough
def test_watching_leaves_the_machine_idle_until_sigterm_and_ends_with_0(
    tmp_path: Path, make_picture: Callable[..., Path]
) -> None:
    make_picture("yard/a.jpg")
    command = [sys.executable, "-c", SOON, "produce", "--watch", tmp_path / "yard"]
    command += ["--data-dir", tmp_path / "data"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: [*(tmp_path / "data").glob("store/media/*.json")])
    time.sleep(1)
    busy = Path(f"/proc/{running.pid}/stat")
    ticks = busy.read_text().rpartition(")")[2].split()[11:13] if busy.exists() else None
    time.sleep(2)
    later = busy.read_text().rpartition(")")[2].split()[11:13] if busy.exists() else None
    running.terminate()
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert "frames: 1 announced" in out
    if ticks and later:
        used = sum(map(int, later)) - sum(map(int, ticks))
        assert used < 100, f"{used} hundredths of 2 s of processor time were used for nothing"


def test_watching_allows_no_start_time_and_needs_folders(tmp_path: Path) -> None:
    from frametally_cli.main import main

    assert main(["produce", "--watch", "--start-time", "2026-01-01", "--data-dir", str(tmp_path)]) == 2
    assert main(["produce", "--watch", "--dry-run", "none", "--data-dir", str(tmp_path / "d")]) == 2


@pytest.mark.thorough
def test_no_picture_process_stays_alive_between_two_rounds(bench: Bench) -> None:
    call = ProduceCall(paths=[], settings=bench.settings())
    with begin(call, store=bench.store, log=bench.log, progress=bench.progress) as production:
        for name in ("a", "b"):
            yard = bench.picture(f"{name}/{name}.jpg", index=ord(name)).parent
            footage = find_footage([yard], source=None, leave_out=[])
            produce_media(footage.media, production)
            assert production.pictures._process is None
        assert production.tally.frames_announced == 2
