"""Folders are searched all through; what cannot be read is named, what is no footage is passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from frametally_producer.reading.footage import Footage, PicturesToProduce, VideoToProduce, find_footage


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def find(*paths: Path, source: str | None = None, leave_out: tuple[Path, ...] = ()) -> Footage:
    return find_footage(paths, source=source, leave_out=leave_out)


def test_a_folder_is_searched_all_through_in_order(tmp_path: Path) -> None:
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


def test_the_source_is_the_folders_name_or_the_files_stem_or_what_is_said(tmp_path: Path) -> None:
    touch(tmp_path, "Gate/a.jpg", "Front door.mp4", "Yard.jpg")
    paths = (tmp_path / "Gate", tmp_path / "Front door.mp4", tmp_path / "Yard.jpg")
    assert [medium.source_name for medium in find(*paths).media] == ["Gate", "Front door", "Yard"]
    assert {medium.source_name for medium in find(*paths, source="All").media} == {"All"}


def test_the_current_folder_has_a_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "Gate/a.jpg")
    monkeypatch.chdir(tmp_path / "Gate")
    assert find(Path()).media[0].source_name == "Gate"


def test_a_path_given_twice_is_taken_once(tmp_path: Path) -> None:
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


def test_what_is_missing_or_of_an_unknown_kind_is_named_with_the_remedy(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt", "phone/a.HEIC", "phone/list.m3u8", "good.mp4")
    footage = find(tmp_path / "gone", tmp_path / "notes.txt", tmp_path / "phone", tmp_path / "good.mp4")
    assert len(footage.media) == 1
    reasons = {Path(skipped.name).name: skipped.reason for skipped in footage.skipped}
    assert set(reasons) == {"gone", "notes.txt", "a.HEIC", "list.m3u8"}
    assert "check the path" in reasons["gone"]
    for name in ("notes.txt", "a.HEIC", "list.m3u8"):
        assert "convert it" in reasons[name]
        assert "mp4" in reasons[name]


def test_a_folder_with_nothing_in_it_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "new_pics/.gitkeep")
    [skipped] = find(tmp_path / "new_pics").skipped
    assert "holds no pictures or videos" in skipped.reason
