"""Archives of recorders: paths name times and cameras; contradictions are reported once, not per file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from tests.commands import line_of
from tests.producer.conftest import Bench

from frametally.errors import Misconfigured
from frametally.media.manifests import find_manifest
from frametally_producer.plan import plan
from frametally_producer.reading.event_time import iso
from frametally_producer.writing.production import ProduceCall

PATTERN = "gate_%Y%m%d_%H%M%S"


def begun(bench: Bench) -> dict[str, str]:
    return {Path(m.name).name: iso(m.start_ms or 0) for m in bench.manifests()}


def notes(bench: Bench, *paths: Path, **overrides: object) -> list[str]:
    """A dry run's lines about times and sources."""
    call = ProduceCall(paths=paths, settings=bench.settings(**overrides))
    find = lambda sha256: find_manifest(bench.store, sha256)  # noqa: E731
    return plan(call, find=find, progress=bench.progress).notes


def told(bench: Bench, *paths: Path, **overrides: Any) -> list[str]:
    """The same output of a dry run and of the run itself, without times that lack a zone."""
    planned = notes(bench, *paths, **overrides)
    assert planned == bench.produce(*paths, **overrides).notices
    return [line for line in planned if "has no time zone" not in line]


def test_a_pattern_wins_over_the_containers_time_which_may_be_the_end(bench: Bench) -> None:
    path = bench.video("a/gate_20260501_120000.mp4", 700, metadata={"creation_time": "2026-05-01T12:01:10Z"})
    [line] = told(bench, path.parent, time_pattern=PATTERN, sample_fps="1")
    assert begun(bench) == {"gate_20260501_120000.mp4": "2026-05-01T12:00:00.000Z"}
    assert line.startswith("1 file states two times more than a minute apart")
    for part in (
        str(path),
        "2026-05-01T12:00:00.000Z",
        "2026-05-01T12:01:10.000Z, 1 min 10 s later",
        "length",
    ):
        assert part in line
    assert "the container states the end" in line


@pytest.mark.thorough
def test_a_recorders_exports_keep_the_times_in_their_names_and_one_line_reports_it(bench: Bench) -> None:
    for hour, second, frames in ((8, 11, 20), (9, 11, 30), (10, 19, 25)):
        made = {"creation_time": f"2026-06-02T15:47:{second}Z"}
        path = bench.video(f"a/gate_20260501_{hour:02}0000.mp4", frames, metadata=made)
    [line] = told(bench, path.parent, time_pattern=PATTERN)
    assert sorted(begun(bench).values()) == [f"2026-05-01T{hour:02}:00:00.000Z" for hour in (8, 9, 10)]
    assert line.startswith("3 files state two times")
    assert "32 days 8 h later" in line
    assert "In 2 of them, the container states the same time as another file's: cuts or exports" in line


@pytest.mark.thorough
def test_remarks_of_one_kind_about_times_appear_once_with_their_number(bench: Bench) -> None:
    for n in range(3):
        path = bench.video(f"a/gate_20260501_08{n:02}00.mp4", 20 + n)
        bench.video(f"a/other{n}.mp4", 30 + n)
    naive, file_time = notes(bench, path.parent, time_pattern=PATTERN, timezone="Europe/Berlin")
    assert naive.startswith(
        f"{path.parent}/gate_20260501_080000.mp4 (2 more like this): its time 2026-05-01 08"
    )
    assert file_time.startswith(f"{path.parent}/other0.mp4 (2 more like this): neither the file nor its name")
    report = bench.produce(path.parent, time_pattern=PATTERN, timezone="Europe/Berlin")
    assert report.notices == [naive, file_time]
    assert bench.produce(path.parent, time_pattern=PATTERN, timezone="Europe/Berlin").notices == []


@pytest.mark.thorough
def test_an_iphones_own_date_is_the_time_of_filming(bench: Bench) -> None:
    path = bench.video(
        "IMG_0042.mov",
        20,
        options={"movflags": "use_metadata_tags"},
        metadata={
            "creation_time": "2026-06-03T10:00:00Z",
            "com.apple.quicktime.creationdate": "2026-05-01T14:00:00+0200",
        },
    )
    [line] = told(bench, path)
    assert begun(bench) == {"IMG_0042.mov": "2026-05-01T12:00:00.000Z"}
    assert "the QuickTime date says 2026-05-01T12:00:00.000Z, which frametally used" in line


@pytest.mark.thorough
def test_a_reset_clock_in_a_trail_camera_does_not_override_the_file_names(bench: Bench) -> None:
    for n in range(3):
        path = bench.picture(f"trap/gate_20260501_1000{n:02}.jpg", index=n, taken="2019:01:01 00:00:00")
    [line] = told(bench, path.parent, time_pattern=PATTERN)
    assert [iso(one.captured_at_ms)[:16] for one in bench.log.announcements] == ["2026-05-01T10:00"] * 3
    assert {one.time_source for one in bench.log.announcements} == {"file_name"}
    assert line.startswith("3 files state two times")
    assert "the EXIF says 2019-01-01T00:00:00.000Z" in line


@pytest.mark.thorough
def test_a_difference_of_whole_hours_suggests_a_time_zone(bench: Bench) -> None:
    path = bench.video("gate_20260501_140001.mp4", 20, metadata={"creation_time": "2026-05-01T12:00:02Z"})
    [line] = told(bench, path, time_pattern=PATTERN)
    assert "2 h earlier; the difference is whole hours: check the time zone (--timezone)" in line
    [naive] = notes(Bench(bench.folder / "b"), path, time_pattern=PATTERN, timezone="Europe/Berlin")
    assert "has no time zone" in naive


@pytest.mark.thorough
def test_times_that_agree_to_the_minute_are_not_mentioned(bench: Bench) -> None:
    path = bench.video("gate_20260501_120000.mp4", 20, metadata={"creation_time": "2026-05-01T12:01:00Z"})
    assert told(bench, path, time_pattern=PATTERN) == []


@pytest.mark.thorough
def test_cuts_that_keep_their_recordings_start_are_reported(bench: Bench) -> None:
    made = {"creation_time": "2026-05-01T12:00:00Z"}
    first = bench.video("cuts/a.mp4", 20, metadata=made)
    second = bench.video("cuts/b.mp4", 30, metadata=made)
    bench.video("cuts/c.mp4", 25, metadata={"creation_time": "2026-05-01T13:00:00Z"})
    [line] = told(bench, first.parent)
    assert line.startswith(f"2 files state the same start as another of their source: {first} and {second}")
    assert "--time-pattern" in line


@pytest.mark.thorough
def test_files_that_do_not_match_are_reported_once(bench: Bench) -> None:
    for n in range(2):
        made = {"creation_time": f"2026-05-01T1{n}:00:00Z"}
        path = bench.video(f"a/other{n}.mp4", 20 + n, metadata=made)
    [line] = told(bench, path.parent, time_pattern=PATTERN)
    assert line.startswith(f"2 files do not match --time-pattern {PATTERN}, such as {path.parent}/other0.mp4")


@pytest.mark.thorough
def test_a_time_in_the_future_is_reported_with_the_remedy_but_tomorrow_is_not(bench: Bench) -> None:
    now_s = time.time()
    tomorrow, later = (
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_s + hours * 3600)) for hours in (23, 25)
    )
    bench.video("a/soon.mp4", 20, metadata={"creation_time": tomorrow})
    path = bench.video("a/ahead.mp4", 21, metadata={"creation_time": later})
    [line] = told(bench, path.parent)
    assert line.startswith(
        f"1 file begins in the future, such as {path} at {later[:-1]}.000Z. Check the camera"
    )
    assert "frametally retime" in line
    assert "in the future" in " ".join(bench.produce(bench.video("b.mp4", 22), start_time=later).notices)


@pytest.mark.thorough
def test_an_archive_of_days_hours_and_cameras_is_read_in_one_call(bench: Bench) -> None:
    frames = 10
    for hour in (18, 19):
        for camera in ("front_door", "garage"):
            for name in ("00.00", "59.50"):
                frames += 1
                bench.video(f"recordings/2024-01-26/{hour}/{camera}/{name}.mp4", frames)
    folder = bench.folder / "recordings"
    assert told(bench, folder, time_pattern="%Y-%m-%d/%H/{source}/%M.%S") == []
    assert sorted((m.source, iso(m.start_ms or 0)) for m in bench.manifests()) == [
        (camera, f"2024-01-26T{time}.000Z")
        for camera in ("front_door", "garage")
        for time in ("18:00:00", "18:59:50", "19:00:00", "19:59:50")
    ]
    assert {m.time_source for m in bench.manifests()} == {"file_name"}


@pytest.mark.thorough
def test_pictures_of_several_cameras_in_one_folder_each_have_a_source(bench: Bench) -> None:
    for n, camera in enumerate(("Gate 1", "yard", "Gate 1")):
        path = bench.picture(f"p/{camera}_20260501_0800{n:02}.jpg", index=n)
    assert told(bench, path.parent, time_pattern="{source}_%Y%m%d_%H%M%S") == []
    assert [(m.source, m.source_name, m.frames_announced) for m in bench.manifests()] in (
        [("gate-1", "Gate 1", 2), ("yard", "yard", 1)],
        [("yard", "yard", 1), ("gate-1", "Gate 1", 2)],
    )


@pytest.mark.thorough
def test_folders_whose_cameras_are_merged_are_named(bench: Bench) -> None:
    for n, camera in enumerate(("front", "back", "side")):
        bench.video(f"cams/{camera}/gate_20260501_08{n:02}00.mp4", 20 + n)
    folder = bench.folder / "cams"
    [line] = told(bench, folder, time_pattern=PATTERN)
    assert line.startswith(f"3 folders with footage below {folder} become one source, cams: if they are of")
    assert "{source}" in line
    assert "--source" in line
    assert {m.source for m in bench.manifests()} == {"cams"}
    call = ProduceCall(paths=[folder], settings=bench.settings(time_pattern=PATTERN), source="cams")
    assert call.find_footage().notes == []


@pytest.mark.thorough
def test_folders_named_by_days_and_hours_are_not_cameras(bench: Bench) -> None:
    days = ("2026-05-01/08", "2026/May/02/09", "2022Y04M12D18H", "Monday", ".")
    for n, day in enumerate(days):
        bench.video(f"cams/{day}/gate_20260501_08{n:02}00.mp4", 20 + n)
    assert told(bench, bench.folder / "cams", time_pattern=PATTERN) == []


def test_a_source_cannot_be_named_twice(bench: Bench) -> None:
    path = bench.video("gate_20260501_080000.mp4", 20)
    with pytest.raises(Misconfigured, match=r"either --source or \{source\} in the time pattern, not both"):
        bench.produce(path, source="x", time_pattern="{source}_%Y%m%d_%H%M%S")
    assert bench.store.effects == []


@pytest.mark.thorough
def test_files_with_the_same_name_in_two_folders_are_footage_of_two_cameras(bench: Bench) -> None:
    for n, camera in enumerate(("a", "b")):
        bench.video(f"r/{camera}/20260501080000.mp4", 20 + n)
    assert told(bench, bench.folder / "r", time_pattern="{source}/%Y%m%d%H%M%S") == []
    assert sorted((m.source, iso(m.start_ms or 0)) for m in bench.manifests()) == [
        ("a", "2026-05-01T08:00:00.000Z"),
        ("b", "2026-05-01T08:00:00.000Z"),
    ]


@pytest.mark.parametrize("pattern", ["gate_%Y%m%d_%Y%m%d", "%Y%m%d%", "{x}%Y%m%d", "%Y%m%d%I"])
@pytest.mark.parametrize("command", [["produce", "a.mp4"], ["run", "a.mp4"], ["upload", "a.mp4"], ["doctor"]])
def test_a_bad_pattern_is_one_line_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRAMETALLY_TIME_PATTERN", pattern)
    words = line_of(*command, code=2)
    assert f"FRAMETALLY_TIME_PATTERN={pattern}: " in words
    assert "Traceback" not in words
    assert "install frametally[producer]" not in words
