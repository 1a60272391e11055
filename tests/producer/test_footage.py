"""Folders are searched recursively, and unreadable files are named; sources are identified by their full
names."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.commands import frametally
from tests.examples import first_quick
from tests.producer.conftest import Bench

from frametally import keys
from frametally_producer.plan import plan
from frametally_producer.reading.footage import Footage, PicturesToProduce, VideoToProduce, find_footage
from frametally_producer.writing.production import ProduceCall


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def find(*paths: Path, source: str | None = None, leave_out: tuple[Path, ...] = ()) -> Footage:
    return find_footage(paths, source=source, leave_out=leave_out)


def test_a_folder_is_searched_recursively_in_order(tmp_path: Path) -> None:
    touch(
        tmp_path, "Gate/b.JPG", "Gate/a.jpeg", "Gate/x/c.png", "Gate/x/v.MP4", "Gate/u.mkv", "Gate/notes.txt"
    )
    touch(tmp_path, "Gate/.hidden.jpg", "Gate/.trash/d.jpg", "Gate/Thumbs.db", "Gate/x/v.srt")
    gate = tmp_path / "Gate"
    footage = find(gate)
    assert footage.skipped == []
    assert footage.media == [
        PicturesToProduce(str(gate), (gate / "a.jpeg", gate / "b.JPG", gate / "x/c.png"), "Gate"),
        VideoToProduce(gate / "u.mkv", "Gate"),
        VideoToProduce(gate / "x/v.MP4", "Gate"),
    ]


def test_the_source_is_the_folders_name_the_files_stem_or_the_given_name(tmp_path: Path) -> None:
    touch(tmp_path, "Gate/a.jpg", "Front door.mp4", "Yard.jpg")
    paths = (tmp_path / "Gate", tmp_path / "Front door.mp4", tmp_path / "Yard.jpg")
    assert [medium.source_name for medium in find(*paths).media] == ["Gate", "Front door", "Yard"]
    assert {medium.source_name for medium in find(*paths, source="All").media} == {"All"}


def test_the_current_folder_has_a_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "Gate/a.jpg")
    monkeypatch.chdir(tmp_path / "Gate")
    assert find(Path()).media[0].source_name == "Gate"


def test_a_path_given_twice_is_read_once(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    assert len(find(tmp_path / "a.mp4", tmp_path / "a.mp4").media) == 1


def test_folders_that_frametally_writes_are_not_searched_unless_named(tmp_path: Path) -> None:
    touch(tmp_path, "data/store/images/a.jpg", "extracted/b.jpg", "c.jpg")
    written = (tmp_path / "data", tmp_path / "extracted")
    [pictures] = find(tmp_path, leave_out=written).media
    assert isinstance(pictures, PicturesToProduce)
    assert pictures.paths == (tmp_path / "c.jpg",)
    assert len(find(tmp_path / "extracted", leave_out=written).media) == 1


def test_a_loop_of_folders_is_not_followed(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    (tmp_path / "again").symlink_to(tmp_path)
    [pictures] = find(tmp_path).media
    assert isinstance(pictures, PicturesToProduce)
    assert len(pictures.paths) == 1


def test_a_link_to_a_folder_elsewhere_is_named_with_the_remedy(tmp_path: Path) -> None:
    touch(tmp_path, "given/a.jpg", "elsewhere/b.jpg")
    link = tmp_path / "given/link"
    link.symlink_to(tmp_path / "elsewhere")
    footage = find(tmp_path / "given")
    assert [medium.paths for medium in footage.media] == [(tmp_path / "given/a.jpg",)]
    assert footage.skipped == [(str(link), "is a link to a folder; give the folder itself")]


def test_a_missing_or_unknown_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt", "phone/a.HEIC", "phone/list.m3u8", "phone/raw.h264", "good.mp4")
    footage = find(tmp_path / "gone", tmp_path / "notes.txt", tmp_path / "phone", tmp_path / "good.mp4")
    assert len(footage.media) == 1
    reasons = {Path(skipped.name).name: skipped.reason for skipped in footage.skipped}
    assert set(reasons) == {"gone", "notes.txt", "a.HEIC", "list.m3u8", "raw.h264"}
    assert "check the path" in reasons["gone"]
    for name in ("notes.txt", "a.HEIC", "list.m3u8", "raw.h264"):
        assert "convert it" in reasons[name]
        assert "mp4" in reasons[name]


@pytest.mark.thorough
def test_videos_are_read_with_any_extension_that_players_know_and_with_none(bench: Bench) -> None:
    formats = {".3g2": "mp4", ".qt": "mov", ".f4v": "flv", ".mp4v": "mp4", ".mod": "mpeg", ".divx": "avi"}
    for number, (ending, format) in enumerate(formats.items()):
        codec = {"flv": "flv1", "mpeg": "mpeg2video"}.get(format, "mpeg4")
        bench.video(f"odd/a{number}{ending}", 5 + number, format=format, codec=codec, fps=25)
    large = bench.video("odd/camera", 120, format="mp4", size_px=(320, 240), noise=True)
    assert large.stat().st_size > 100_000
    report = bench.produce(large.parent, source="odd", count_overlaps="all")
    assert report.skipped == []
    assert {Path(manifest.name).suffix for manifest in bench.manifests()} == {*formats, ""}


def test_ignored_files_of_a_folder_are_reported_in_one_line_by_extension_number_and_size(
    bench: Bench,
) -> None:
    folder = bench.video("mixed/ok.mp4", 5).parent
    for name, size in (("a.y4m", 700_000), ("b.Y4M", 800_000), ("c.srt", 10), ("d", 20), (".e.y4m", 9)):
        (folder / name).write_bytes(b"x" * size)
    line = (
        "passed over 4 files without the ending of a picture or video: 2 .y4m (1.5 MB), 1 without ending "
        "(20 bytes), 1 .srt (10 bytes); convert those that are footage, or rename them if only the ending is "
        "wrong"
    )
    assert bench.produce(folder).notices[-1] == line
    call = ProduceCall(paths=[folder], settings=bench.settings())
    assert plan(call, find=lambda _: None, progress=bench.progress).notes[-1] == line
    for number in range(20):
        (folder / f"x.{number}").write_bytes(b"x")
    assert "15 with other endings (15 bytes)" in bench.produce(folder).notices[-1]


def test_a_folder_with_only_unknown_extensions_says_what_it_contains(bench: Bench, tmp_path: Path) -> None:
    touch(tmp_path, "cam/a.mjpg2", "cam/pipe.nut")
    os.mkfifo(tmp_path / "cam/pipe")  # is not opened
    report = bench.produce(tmp_path / "cam")
    assert "has no pictures or videos" in report.skipped[0].reason
    assert "1 .mjpg2 (1 bytes), 1 .nut (1 bytes), 1 without ending (0 bytes)" in report.notices[0]


def test_an_archive_is_named_with_its_own_remedy_in_a_folder_and_alone(tmp_path: Path) -> None:
    touch(tmp_path, "given/may.ZIP", "given/a.mp4", "june.7z")
    footage = find(tmp_path / "given", tmp_path / "june.7z")
    assert [Path(skipped.name).name for skipped in footage.skipped] == ["may.ZIP", "june.7z"]
    assert all("unpack it" in skipped.reason for skipped in footage.skipped)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "new_pics/.gitkeep")
    [skipped] = find(tmp_path / "new_pics").skipped
    assert "has no pictures or videos" in skipped.reason


@pytest.mark.thorough
@pytest.mark.parametrize("command", first_quick([["run", "--no-serve"], ["produce"]]))
def test_an_unreadable_folder_is_skipped_as_such_and_not_called_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    scan = os.scandir

    def may_not_scan(path: Any = ".") -> Any:
        if str(path) == "secret":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return scan(path)

    (tmp_path / "secret").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, *_, **__: str(path) != "secret")
    monkeypatch.setattr(os, "scandir", may_not_scan)
    said = frametally(*command, "secret", code=2).err
    assert "skipped secret: cannot be read (Permission denied); check that" in said
    assert "1 skipped in all" in said


Video = Callable[..., Path]
START = "2026-05-01T08:00:00Z"


def sources(bench: Bench) -> dict[str, str]:
    return {manifest.source_name: manifest.source for manifest in bench.manifests()}


@pytest.mark.parametrize("names", [("北門1", "南門1"), ("Камера вход 7", "Гараж 7")])
def test_two_cameras_whose_names_share_their_latin_letters_are_two(
    bench: Bench, names: tuple[str, str]
) -> None:
    for length, name in enumerate(names, 3):
        bench.produce(bench.video(f"{length}.mp4", length), source=name, start_time=START)
    assert len(set(sources(bench).values())) == 2


def test_two_folders_whose_names_share_their_latin_letters_are_two_sources(bench: Bench) -> None:
    folders = [bench.video(f"{name}/a.mp4", len(name)).parent for name in ("カメラ 1", "玄関 1")]
    bench.produce(*folders)
    assert len(set(sources(bench).values())) == 2


@pytest.mark.parametrize("second", ["gate 1", "GATE-1", "gate-1"])
def test_another_spelling_of_a_source_is_refused_with_the_existing_spelling(
    bench: Bench, second: str
) -> None:
    bench.produce(bench.video("a.mp4", 3), source="Gate 1", start_time=START)
    report = bench.produce(bench.video("b.mp4", 4), source=second, start_time=START)
    [skipped] = report.skipped
    assert f"{second!r} has the same key as 'Gate 1'" in skipped.reason
    assert sources(bench) == {"Gate 1": "gate-1"}


def test_two_spellings_of_a_source_in_one_call_are_not_merged(bench: Bench) -> None:
    first, second = (bench.video(f"{name}/a.mp4", n).parent for n, name in enumerate(("gate", "GATE"), 3))
    report = bench.produce(first, second)
    assert sources(bench) == {"gate": "gate"}
    assert ["has the same key as 'gate'" in item.reason for item in report.skipped] == [True]


def test_another_mediums_damaged_manifest_stops_nothing(bench: Bench) -> None:
    bench.store.put(keys.media_key("0" * 64), b"{")
    assert bench.produce(bench.video("a.mp4", 3), source="Gate", start_time=START).skipped == []


def test_differently_encoded_accents_are_the_same_name(bench: Bench) -> None:
    for length, name in enumerate(("Zürich", "Zu\u0308rich"), 3):
        report = bench.produce(
            bench.video(f"{length}.mp4", length), source=name, start_time=f"2026-03-0{length}T10:00:00Z"
        )
        assert (report.skipped, report.notices) == ([], [])
    assert len(set(sources(bench).values())) == 1
