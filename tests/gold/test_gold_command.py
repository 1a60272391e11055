"""`frametally gold`: an error is one line with the remedy; later runs are loaded later."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.commands import frametally
from tests.gold.gold_year import MODEL, days_of_year, put_day
from tests.videos.video_records import make_video

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.records import Run, encode
from frametally.settings.loading import load_settings
from frametally_videos.catalogue.catalogue_rows import JobKind
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.jobs.job_results import take_in


@pytest.fixture(autouse=True)
def in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(tmp_path))


def put_days(count: int) -> list[Run]:
    with closing(open_object_store(load_settings().store_url)) as store:
        return [put_day(store, day) for day in days_of_year(count)]


def test_a_day_is_loaded_and_checked_and_named_if_the_index_does_not_have_it() -> None:
    put_days(1)
    assert "no gold tables in" in frametally("gold", "--check", code=2).err
    assert "1 day loaded" in frametally("gold").out
    assert f"gold, 2025-01-01 ({MODEL}, 21600 s): in gold, missing in the index" in (
        frametally("gold", "--check", code=3).out
    )
    frametally("index")
    frametally("gold", "--check")


def test_indexing_fills_a_configured_database_and_the_default_one_only_after_the_first_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_days(1)
    assert "gold" not in frametally("index").out
    assert not (tmp_path / "gold.sqlite").exists()
    monkeypatch.setenv("FRAMETALLY_GOLD_URL", f"sqlite:///{tmp_path}/ours.sqlite")
    assert "gold: 1 day loaded" in frametally("index").out
    frametally("gold", "--check")


def test_the_check_names_a_video_that_gold_does_not_have(tmp_path: Path) -> None:
    settings = load_settings()
    with (
        closing(open_object_store(settings.store_url)) as store,
        closing(open_video_catalogue(settings.catalogue_url)) as catalogue,
    ):
        video = make_video()
        store.put(keys.video_key(video.id), encode(video))
        catalogue.put_video(video, "1")
        frametally("gold")
        catalogue.set_video(video.id, state="ready")
        frametally("gold", "--check")
        with closing(sqlite3.connect(tmp_path / "gold.sqlite")) as database, database:
            for table in ("gold_videos", "gold_video_counts", "gold_quality"):
                database.execute(f"DELETE FROM {table}")  # noqa: S608 - its names are above
        said = frametally("gold", "--check", code=3).out
        assert f"gold, video {video.id}: missing in gold; run `frametally gold`" in said
        frametally("gold")
        frametally("gold", "--check")


def test_the_check_names_a_table_that_cannot_be_read(tmp_path: Path) -> None:
    put_days(1)
    frametally("index")
    frametally("gold")
    with closing(sqlite3.connect(tmp_path / "gold.sqlite")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = database.execute("PRAGMA page_size").fetchone()
        query = "SELECT rootpage FROM sqlite_schema WHERE name = 'gold_tracks'"
        (page,) = database.execute(query).fetchone()
    with (tmp_path / "gold.sqlite").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 64)
    said = frametally("gold", "--check", code=3).out
    assert "gold, 2025-01-01" in said
    assert ": cannot be read: " in said


def test_a_damaged_part_file_gives_one_line_and_exit_code_1_and_other_days_are_loaded() -> None:
    first, second = put_days(2)
    with closing(open_object_store(load_settings().store_url)) as store:
        store.put(f"{first.prefix}/{first.parts[0]}", b"no line\n")
    said = frametally("gold", code=6)
    assert f"{first.parts[0]}: damaged" in said.err.replace("\n", "")
    assert "1 day loaded" in said.out
    assert f"day={second.day}" not in said.err


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://host/gold", "this kind of gold database is not supported; use sqlite:"),
        ("postgresql://user:secret@host/gold", "contains a password"),
        ("postgresql://127.0.0.1:1/gold", "check the server and try again"),
        ("sqlite:////proc/no/gold.sqlite", "FRAMETALLY_GOLD_URL"),
    ],
)
def test_an_invalid_url_gives_one_line(url: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMETALLY_GOLD_URL", url)
    [line] = frametally("gold", code=2).err.splitlines()
    assert says in line
    assert "secret" not in line


def test_tables_of_a_newer_release_and_files_of_others_are_not_touched(tmp_path: Path) -> None:
    frametally("gold")
    with closing(sqlite3.connect(tmp_path / "gold.sqlite")) as file:
        file.execute("UPDATE frametally_gold SET schema_version = 99")
        file.commit()
    assert "has layout 99" in frametally("gold", code=2).err
    (tmp_path / "gold.sqlite").unlink()
    with closing(sqlite3.connect(tmp_path / "gold.sqlite")) as file:
        file.execute("CREATE TABLE mine (a)")
    assert "is a SQLite file of another kind" in frametally("gold", code=2).err


@pytest.mark.parametrize(("kind", "queued"), [("checks", True), ("enhance", True), ("previews", False)])
def test_later_work_on_a_finished_video_updates_its_rows_where_gold_is_used(
    kind: JobKind, queued: bool
) -> None:
    video = make_video()
    settings = load_settings()
    with (
        closing(open_object_store(settings.store_url)) as store,
        closing(open_video_catalogue(settings.catalogue_url)) as catalogue,
    ):
        catalogue.put_video(video, "1")
        catalogue.set_video(video.id, state="ready")
        take_in(settings, store, catalogue, video.id, kind, [])
        assert catalogue.jobs(video.id) == []  # gold tables are not configured
        frametally("gold")
        take_in(settings, store, catalogue, video.id, kind, [])
        assert [job.kind for job in catalogue.jobs(video.id)] == ["gold"] * queued
        catalogue.set_video(video.id, state="detecting")
        take_in(settings, store, catalogue, video.id, kind, [])
        assert len(catalogue.jobs(video.id)) == queued
