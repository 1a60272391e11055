"""Each place of data is declared once: what was erased is on no disk, and nothing is kept anywhere else."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests.capabilities import needs
from tests.fakes.records import make_manifest
from tests.privacy.erased_footage import ERASED, FROM_MS, RANGE, START_MS, Footage, filmed, opened

from frametally import keys
from frametally.adapters.sql import catalogue
from frametally.adapters.sql.kept_books import KeptBooks
from frametally.adapters_by_url import open_count_index, open_frame_log
from frametally.media.kept_data import kept_parts, kinds_in, undeclared
from frametally.ports.opened import Ports
from frametally.process.reports import NoProgress
from frametally.records import encode
from frametally.rules.times import DAY_MS, DAY_S
from frametally_cli.commands.doctor import check_places
from frametally_cli.main import main

pytestmark = needs("live", "privacy", "retention", "traffic", "videos", "gold", "alerts")

PICTURE = f"a picture of a {ERASED}".encode()
ONLY_COUNTS = {"iceberg-tables", "reports", "sent-alerts"}
"""Kinds that show no picture: the docs say what happens to their numbers."""


@pytest.fixture(scope="module")
def counted_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of counted footage; each test changes a copy."""
    folder = tmp_path_factory.mktemp("counted")
    with filmed(folder):
        return folder


@pytest.fixture
def footage(counted_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Footage]:
    shutil.copytree(counted_folder, tmp_path / "data")
    (tmp_path / "system").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "system"))
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FRAMETALLY_INTERVAL_S", "60")
    with opened(tmp_path / "data") as place:
        yield place


def put_video(footage: Footage, number: int) -> Path:
    """Put the records of an uploaded video that shows some of the range; return its folder."""
    from tests.videos.video_records import make_video

    from frametally_videos.records import VideoContent

    video = make_video(number)
    manifest = msgspec.structs.replace(
        make_manifest(1, media=video.sha256, source="gate"),
        state="complete",
        first_captured_at_ms=FROM_MS - 30_000,
        last_captured_at_ms=FROM_MS + 30_000,
    )
    content = VideoContent(sha256=video.sha256, video_id=video.id, upload_id=video.id)
    for record in (manifest, video, content):
        footage.store.put(record.key, encode(record))
    return footage.settings.data_dir / "store" / keys.video_folder(video.id)


def plant(footage: Footage) -> dict[str, list[Path]]:
    """Put the known picture into each place, whole and as a kill leaves it; return the files by kind."""
    data = footage.settings.data_dir
    of_video = put_video(footage, 1)
    first = next(footage.store.list(f"{keys.IMAGES}/gate")).key
    frames = data / "store" / Path(first).parent
    minute = data / "live/gate/000000000000001-000000000000002"
    planted = {
        "frames": [frames / "put#170", frames / f"{Path(first).name}#1"],
        "originals": [of_video / "original"],
        "derivatives": [
            of_video / "playable-0a1b2c3d.mp4",
            of_video / "enhanced-0a1b2c3d.mp4.2adefe13.part",
            of_video / "put#171",
        ],
        "previews": [of_video / "poster-0a1b2c3d.jpg", of_video / "sprite-0a1b2c3d.jpg"],
        "waiting-frames": [
            minute / f"0.{FROM_MS + 1000}.arrival.jpg",
            minute / f".1.{FROM_MS + 2000}.arrival.jpg.0a1b2c3d",
        ],
        "temporary-files": [
            data / "tmp/frametally-temporary-1/made.mp4",
            Path(tempfile.gettempdir()) / "frametally-temporary-2/index.sqlite",
        ],
        "flows": [data / "flows/flows-1", data / "flows/.flows-2.0a1b2c3d"],
    }
    for path in (path for paths in planted.values() for path in paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PICTURE)
        os.utime(path, (time.time() - 60, time.time() - 60))
    return planted


def on_disk(tmp_path: Path, known: bytes = ERASED.encode()) -> set[Path]:
    """Return the files, databases included, with the name of what was erased, or with its picture."""
    return {path for path in tmp_path.rglob("*") if path.is_file() and known in path.read_bytes()}


@pytest.fixture
def ports(footage: Footage) -> Iterator[Ports]:
    settings = footage.settings
    with (
        closing(open_frame_log(settings.log_url)) as log,
        closing(open_count_index(settings.index_url)) as index,
    ):
        yield Ports(settings, footage.store, log, index)


@pytest.mark.thorough
def test_an_erasure_deletes_a_known_picture_from_each_place_also_after_a_crash(
    footage: Footage, tmp_path: Path
) -> None:
    planted = plant(footage)
    assert {path for paths in planted.values() for path in paths} <= on_disk(tmp_path, PICTURE)
    assert main(["privacy", "erase", "--source", "gate", *RANGE, "--yes"]) == 0
    assert on_disk(tmp_path) == set()


def test_an_erasure_that_keeps_counts_leaves_no_picture(footage: Footage, tmp_path: Path) -> None:
    kept_flows = plant(footage)["flows"]
    assert main(["privacy", "erase", "--source", "gate", *RANGE, "--keep-counts", "--yes"]) == 0
    assert on_disk(tmp_path, PICTURE) == {*kept_flows}


def test_forgetting_with_its_pictures_leaves_no_picture(footage: Footage, tmp_path: Path) -> None:
    kept_flows = plant(footage)["flows"]
    assert main(["forget", "--source", "gate", "--delete-images", "--yes"]) == 0
    assert on_disk(tmp_path, PICTURE) == {*kept_flows}


def test_retention_deletes_a_known_picture_from_each_place_that_has_rules(
    footage: Footage, ports: Ports, tmp_path: Path
) -> None:
    planted = plant(footage)
    footage.film("dock", start_ms=START_MS + 30 * DAY_MS, frames=1)  # ages count from it
    for name in ("original", "playable-0a1b2c3d.mp4"):
        (put_video(footage, 2) / name).write_bytes(b"the newest stays")
    for path in (path for paths in planted.values() for path in paths):
        os.utime(path, (time.time() - 30 * DAY_S, time.time() - 30 * DAY_S))
    for kind in ("frames", "originals", "derivatives"):
        assert main(["retention", "set", kind, "--after", "7d"]) == 0
    assert main(["retention", "apply"]) == 0
    by_rules = {kind.name for kind in kinds_in(kept_parts(ports), "rules")} | {"frames"}
    others = {path for kind, paths in planted.items() if kind not in by_rules for path in paths}
    assert on_disk(tmp_path, PICTURE) == others


def test_a_picture_is_planted_in_each_kind_that_something_removes(footage: Footage, ports: Ports) -> None:
    removed = {kind.name for kind in kinds_in(kept_parts(ports)) if kind.removed_by}
    assert removed | {"frames"} == plant(footage).keys() | ONLY_COUNTS


def test_a_folder_that_nobody_declares_is_named(footage: Footage, ports: Ports) -> None:
    plant(footage)
    assert list(undeclared(ports)) == []
    footage.store.put("thumbnails/gate.jpg", PICTURE)
    file = footage.settings.data_dir / "thumbnails/gate.jpg"
    file.parent.mkdir()
    file.write_bytes(PICTURE)
    assert list(undeclared(ports)) == ["thumbnails/gate.jpg", str(file)]
    assert [row.name for row in check_places(ports, NoProgress())] == [*undeclared(ports), "all of them"]


def test_each_table_of_the_catalogue_is_declared(footage: Footage, ports: Ports) -> None:
    url = footage.settings.catalogue_url
    KeptBooks(url).close()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
        tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    kinds = kinds_in(kept_parts(ports))
    declared = {name for kind in kinds if kind.place == "catalogue" for name in kind.files}
    assert len(tables) > 20
    assert tables - {catalogue.about.name} == declared


def test_a_backup_saves_each_declared_table_or_a_restore_empties_it_or_the_store_has_its_rows() -> None:
    tables = catalogue.all_tables().tables.values()
    rest = {table.name for table in tables if not {"kept", "emptied"} & {*table.info}} - {
        catalogue.about.name
    }
    of_store = {f"frametally_{name}" for name in ("videos", "video_artifacts", "uploads")}
    assert rest == of_store
