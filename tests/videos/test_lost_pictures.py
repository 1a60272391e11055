"""Counted frames of an uploaded video that a power cut left empty are made again from its original."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.commands import findings, run_frametally
from tests.videos.test_upload_command import make_video

from frametally.media.screening import note_in

START = "2026-05-01T08:00:00Z"


class House:
    """A folder with an uploaded video that is counted."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        video = make_video(folder / "a.mp4")
        self("upload", video, "--source", "gate", "--start-time", START)
        self("work", "--until-done", "--queue", "frames")
        self("consume", "--until-caught-up")
        self("aggregate")
        self("index")

    def __call__(self, *command: object, code: int = 0) -> str:
        done = run_frametally(
            *(*command, "--data-dir", self.data), cwd=self.data.parent, FRAMETALLY_DETECTOR="pixels"
        )
        assert done.code == code, done
        return done.out + done.err

    def pictures(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in sorted(self.data.glob("store/images/gate/*/*.jpg"))}

    def books(self) -> tuple[str, object]:
        """Return the verdict of `status`, and each source's numbers of frames."""
        status = json.loads(self("status", "--json"))
        return status["verdict"], status["sources"]

    def work(self) -> str:
        return self("work", "--until-done", "--queue", "frames")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_empty_pictures_of_an_upload_are_restored_under_its_privacy_rule_and_deleted_ones_are_not(
    house: House,
) -> None:
    before = house.pictures()
    first, second, deleted, *_ = before
    for path in (first, second):
        path.write_bytes(b"")
    deleted.unlink()
    books = house.books()
    assert "frames: done" in house.work()
    assert house.pictures() == {path: data for path, data in before.items() if path != deleted}
    assert house.books() == books
    assert "jobs: 0 done" in house.work()
    first.write_bytes(b"")
    house("privacy", "set", "--source", "gate", "--mask", "0,0 32,0 32,32", "--size", "64x64", "--yes")
    assert "frames: done" in house.work()
    note = note_in(first.read_bytes())
    assert note is not None and "1 mask" in note.screened
    assert house.books() == books
    second.write_bytes(b"")
    told = findings(house("doctor", "--deep", "--json", code=2))
    assert "1 empty picture" in told and "privacy rule of their source has deleted their originals" in told


@pytest.mark.parametrize("damage", ["another picture", "no video"])
def test_pictures_that_the_original_cannot_restore_stay_empty_and_are_named(
    house: House, damage: str
) -> None:
    before = house.pictures()
    first = next(iter(before))
    first.write_bytes(b"")
    (original,) = house.data.glob("store/videos/*/original*")
    if damage == "no video":
        original.write_bytes(original.read_bytes()[:100])
    else:
        original.write_bytes(make_video(original.parents[4] / "b.mp4", seed=3).read_bytes())
    assert "jobs: 1 done, 0 failed" in house.work()
    assert house.pictures() == before | {first: b""}
    assert "1 empty picture" in findings(house("doctor", "--deep", "--json", code=2))
