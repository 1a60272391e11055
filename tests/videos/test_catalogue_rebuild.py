"""A catalogue that is lost is made anew from the store: the same rows, but for how they came to be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.videos.test_video_states import VIDEO, House, announced
from tests.videos.video_records import corrected, make_video

from frametally import keys
from frametally.opening import open_object_store
from frametally.process.reports import NoProgress
from frametally.records import encode
from frametally_cli import main as cli
from frametally_videos.books.rebuilding import Rebuilt, rebuild_catalogue
from frametally_videos.opening import open_video_catalogue
from frametally_videos.ports.video_catalogue import VideoCatalogue, VideoQuestion, VideoRow

MADE = {
    "poster-0a1b2c3d.jpg": 3,
    "sprite-0a1b2c3d.jpg": 4,
    "sprite-0a1b2c3d.vtt": 5,
    "metadata.json": 6,
    "quality.json": 7,
}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A video that is counted, and one that nobody has worked on."""
    with ExitStack() as stack:
        made = House(tmp_path, stack)
        made.put(make_video(2))
        for name, size_bytes in MADE.items():
            made.store.put(keys.preview_key(VIDEO.id, name), b"x" * size_bytes)
        made.store.put(keys.original_key(VIDEO.id), b"bytes")
        made.store.put(keys.video_content_key(VIDEO.sha256), b"{}")
        made.announce(announced(3))
        made.detect(0, 1, 2)
        made.count(3)
        yield made


def rows(catalogue: VideoCatalogue) -> list[VideoRow]:
    return catalogue.videos(VideoQuestion()).rows


def rebuilt(house: House) -> Rebuilt:
    found = rebuild_catalogue(house.store, house.catalogue, NoProgress())
    house.settler.settle_all()
    return found


def test_a_catalogue_that_was_lost_has_the_same_rows_again(house: House) -> None:
    rebuilt(house)
    before = rows(house.catalogue)
    assert [row.state for row in before] == ["received", "ready"]
    assert [(one.kind, one.size_bytes) for one in before[1].artifacts] == [
        ("metadata", 6),
        ("poster", 3),
        ("quality", 7),
        ("sprite", 4),
        ("sprite_vtt", 5),
    ]
    for row in before:
        house.catalogue.remove_video(row.record.id)
    assert rebuilt(house) == (2, 0, [])
    assert rows(house.catalogue) == before


def test_only_what_is_missing_is_queued_and_once(house: House) -> None:
    for _ in range(2):
        rebuilt(house)
    assert house.jobs() == []
    assert {(job.kind, job.state) for job in house.catalogue.jobs(make_video(2).id)} == {
        ("frames", "queued"),
        ("previews", "queued"),
        ("metadata", "queued"),
        ("checks", "queued"),
    }


def test_rows_of_videos_that_the_store_does_not_have_are_removed(house: House) -> None:
    house.catalogue.put_video(make_video(3), "v1")
    assert rebuilt(house) == (2, 1, [])
    assert house.catalogue.video(make_video(3).id) is None


def test_a_record_that_was_changed_is_taken_in_again(house: House) -> None:
    record = corrected(VIDEO, name="Other")
    house.store.put(record.key, encode(record))
    rebuilt(house)
    row = house.catalogue.video(VIDEO.id)
    assert row is not None
    assert (row.record.name, row.state) == ("Other", "ready")


def test_a_removal_that_was_begun_goes_on(house: House) -> None:
    record = corrected(VIDEO, state="deleting")
    house.store.put(record.key, encode(record))
    rebuilt(house)
    assert house.jobs() == [("removal", "queued")]


def test_the_newest_pictures_of_several_recipes_are_shown(house: House) -> None:
    house.store.put(keys.preview_key(VIDEO.id, "poster-ffffffff.jpg"), b"xx")
    rebuilt(house)
    row = house.catalogue.video(VIDEO.id)
    assert row is not None
    assert [one.key.rpartition("/")[2] for one in row.artifacts if one.kind == "poster"] == [
        "poster-ffffffff.jpg"
    ]


def test_a_damaged_record_is_told_and_the_others_are_taken_in(house: House) -> None:
    house.store.put(VIDEO.key, b"{")
    found = rebuilt(house)
    assert (found.videos, [skipped.name for skipped in found.skipped]) == (1, [VIDEO.key])


def test_the_command_makes_it_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    store = open_object_store((folder / "store").as_uri())
    store.put(VIDEO.key, encode(VIDEO))
    store.close()
    for _ in range(2):
        assert cli.main(["catalogue", "rebuild", "--data-dir", str(folder)]) == 0
        assert capsys.readouterr().out == "catalogue: 1 videos taken in, 0 removed\n"
        catalogue = open_video_catalogue(f"sqlite:///{folder}/catalogue.sqlite")
        assert [row.record for row in rows(catalogue)] == [VIDEO]
        assert {job.kind for job in catalogue.jobs(VIDEO.id)} == {"frames", "previews", "metadata", "checks"}
        catalogue.close()
        for part in folder.glob("catalogue.sqlite*"):
            part.unlink()
