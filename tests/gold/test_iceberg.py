"""Iceberg tables have the rows of the gold tables, all of the same moment, and expired ones are gone."""

from __future__ import annotations

import datetime
import io
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from pyiceberg.expressions import visitors
from pyiceberg.types import StringType
from sqlalchemy import select
from tests.commands import frametally
from tests.examples import THOROUGH
from tests.fakes.databases import Place
from tests.fakes.memory import MemoryStore
from tests.gold.gold_year import days_of_year, put_day
from tests.kit.errors import one_line

from frametally.adapters_by_url import open_object_store
from frametally.console import output
from frametally.errors import Misconfigured
from frametally.process.reports import NoProgress
from frametally.settings.loading import load_settings
from frametally_gold import tables
from frametally_gold.book import Gold
from frametally_gold.iceberg_checksums import CHECKSUMS, FOLDER
from frametally_gold.iceberg_tables import IcebergTables
from frametally_gold.loading import load_gold

FIRST, SECOND = days_of_year(2)


class Killed(BaseException):
    """Ends a round like a kill: no code catches it."""


class KillingStore(MemoryStore):
    """A store that kills its writer before the write with a given number, and counts the writes.

    Threads write at once, so all later writes die too; otherwise no thread might notice the kill.
    """

    kill_at = 0
    writes = 0
    ago_s = 0.0

    def __init__(self) -> None:
        super().__init__(clock=lambda: time.time() - self.ago_s)

    def put(self, key: str, data: bytes, **options: Any) -> bool:
        self.writes += 1
        if 0 < self.kill_at <= self.writes:
            raise Killed
        return super().put(key, data, **options)


class Lake:
    """A store, a gold database, and the Iceberg tables of both."""

    def __init__(self, database: Place) -> None:
        self.store = KillingStore()
        self.database = database
        self.open()

    def open(self) -> None:
        self.gold = Gold(*self.database)
        self.iceberg = IcebergTables(*self.database, self.store)

    def close(self) -> None:
        self.gold.close()
        self.iceberg.close()

    def load(self) -> None:
        assert load_gold(store=self.store, gold=self.gold, progress=NoProgress()).skipped == []

    def publish(self) -> int:
        self.load()
        return self.iceberg.publish()

    def rows(self, table: str, snapshot: int | None = None) -> list[dict[str, Any]]:
        with self.iceberg._reading() as catalogue:
            found = catalogue.load_table(("gold", table)).scan(snapshot_id=snapshot).to_arrow().to_pylist()
        return sorted(found, key=repr)

    def runs(self) -> set[tuple[tuple[datetime.date, str], ...]]:
        """The runs of each day in each table with rows: one entry if all are of one moment."""
        return {
            tuple(sorted({(row["day"], row["run_id"]) for row in rows}))
            for table in ("loads", "counts", "coverage", "tracks")
            if (rows := self.rows(table))
        }

    def snapshots(self, table: str = "counts") -> list[int]:
        with self.iceberg._reading() as catalogue:
            return [one.snapshot_id for one in catalogue.load_table(("gold", table)).snapshots()]

    def current(self, table: str) -> str:
        with self.iceberg._reading() as catalogue:
            return catalogue.load_table(("gold", table)).metadata_location

    def files(self) -> list[str]:
        """Everything except their checksums."""
        return [info.key for info in self.store.list(FOLDER) if not info.key.startswith(CHECKSUMS)]


@pytest.fixture
def lake(database: Place) -> Iterator[Lake]:
    lake = Lake(database)
    for day in (FIRST, SECOND):
        put_day(lake.store, day)
    yield lake
    lake.close()


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def test_a_round_publishes_the_rows_of_gold_and_another_writes_nothing(lake: Lake) -> None:
    assert lake.publish() == 2
    for table in (tables.counts, tables.coverage, tables.tracks, tables.loads):
        with lake.gold._database.reading() as connection:
            expected = [dict(row) for row in connection.execute(select(table)).mappings()]
        for row in expected:
            for name, value in row.items():
                if isinstance(value, datetime.datetime):
                    row[name] = value.replace(tzinfo=value.tzinfo or datetime.UTC).astimezone(datetime.UTC)
        found = lake.rows(table.name.removeprefix("gold_"))
        assert [{name: row[name] for name in table.c.keys()} for row in found] == sorted(expected, key=repr)  # noqa: SIM118
    writes = lake.store.writes
    assert lake.publish() == 0
    assert lake.store.writes == writes


@pytest.mark.thorough
def test_a_newer_run_replaces_only_its_day_in_one_snapshot_and_a_removed_day_disappears(lake: Lake) -> None:
    lake.publish()
    before = {row["day"]: row for row in lake.rows("counts")}
    files = set(lake.files())
    newer = put_day(lake.store, SECOND, sequence=2, seed=7)
    assert lake.publish() == 1
    assert [row for row in lake.rows("counts") if row["day"] in before and row["run_id"] != newer.run_id]
    assert {row["run_id"] for row in lake.rows("counts") if str(row["day"]) == SECOND} == {newer.run_id}
    assert len(lake.snapshots()) == 2
    written = {key for key in set(lake.files()) - files if key.endswith(".parquet")}
    assert all(f"day={SECOND}" in key or "/loads/" in key for key in written)
    lake.store.delete(newer.key)
    lake.store.delete(newer.key.replace("000002", "000001"))
    assert lake.publish() == 1
    assert {str(row["day"]) for table in ("counts", "coverage", "loads") for row in lake.rows(table)} == {
        FIRST
    }


@pytest.mark.thorough
@pytest.mark.parametrize("writes", [range(1, 99) if THOROUGH else (2, 20, 28)])
def test_after_a_kill_at_any_write_all_tables_agree_and_the_next_round_completes_them(
    lake: Lake, writes: Any
) -> None:
    """A round that is killed before the new snapshot leaves the old one: the next is killed a write later."""
    lake.publish()
    numbers, sequence, killed = iter(writes), 1, True
    while killed:
        sequence += 1
        put_day(lake.store, SECOND, sequence=sequence, seed=sequence)
        lake.load()
        [before] = [now] = lake.runs()
        while now == before and (killed := killed_at(lake, next(numbers, 0))):
            [now] = lake.runs()
        lake.store.kill_at = 0
        lake.iceberg.publish()
        assert lake.runs() != {before}
        places = {
            lake.store.get(key) for key in lake.files() if key.endswith("loads/metadata/version-hint.text")
        }
        assert len(places) == 1
    assert sequence > 2
    assert (next(numbers, 0) > 0) == THOROUGH


def killed_at(lake: Lake, number: int) -> bool:
    """Publish; return whether it was killed at its write of that number, 0 for no kill."""
    lake.store.kill_at = number and lake.store.writes + number
    try:
        lake.iceberg.publish()
    except Killed:
        return True
    return False


@pytest.mark.thorough
def test_manifests_read_at_the_same_time_are_each_filtered_by_their_own_days(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyiceberg reads them in threads, and its evaluator keeps the one that it was given last."""
    days = [f"2025-02-{day:02d}" for day in range(1, 7)]
    for day in days:  # a manifest each
        put_day(lake.store, day)
        lake.publish()
    visit = visitors.visit

    def visit_late(expression: Any, visitor: Any) -> Any:
        if isinstance(visitor, visitors._ManifestEvalVisitor):
            time.sleep(0.01)
        return visit(expression, visitor=visitor)

    monkeypatch.setattr(visitors, "visit", visit_late)
    newer = put_day(lake.store, days[2], sequence=2, seed=2)
    assert lake.publish() == 1
    assert {row["run_id"] for row in lake.rows("counts") if str(row["day"]) == days[2]} == {newer.run_id}


def test_the_slower_of_two_simultaneous_rounds_reverts_nothing(lake: Lake) -> None:
    lake.publish()
    put_day(lake.store, SECOND, sequence=2, seed=2)
    lake.load()
    slow = lake.iceberg._read_batch()
    assert slow is not None
    newest = put_day(lake.store, SECOND, sequence=3, seed=3)
    assert lake.publish() == 1
    assert lake.iceberg._publish_batch(slow) == 0
    assert newest.run_id in {row["run_id"] for row in lake.rows("counts")}
    assert len(lake.runs()) == 1


def test_a_snapshot_gives_the_same_rows_until_it_expires_and_then_leaves_nothing(lake: Lake) -> None:
    lake.publish()
    [first] = lake.snapshots()
    then = lake.rows("counts")
    put_day(lake.store, SECOND, sequence=2, seed=2)
    lake.publish()
    assert lake.rows("counts", first) == then != lake.rows("counts")
    yesterday = now() - datetime.timedelta(days=1)
    assert lake.iceberg.expire(yesterday) == (0, 0)
    assert lake.rows("counts", first) == then
    expected = lake.rows("counts")
    expiry = lake.iceberg.expire(now())
    assert expiry.snapshots == 4  # of counts, coverage, tracks and loads
    assert first not in lake.snapshots()
    left = [key for key in lake.files() if key.endswith(".parquet") and "/counts/" in key]
    rows = [row for key in left for row in parquet.read_table(io.BytesIO(lake.store.get(key))).to_pylist()]
    assert sorted(rows, key=repr) == expected == lake.rows("counts")
    assert lake.publish() == 0


@pytest.mark.thorough
def test_files_of_a_killed_round_are_removed_once_no_round_can_need_them(lake: Lake) -> None:
    lake.publish()
    files = set(lake.files())
    put_day(lake.store, SECOND, sequence=2, seed=2)
    lake.load()
    lake.store.kill_at = lake.store.writes + 4
    with pytest.raises(Killed):
        lake.iceberg.publish()
    orphans = set(lake.files()) - files
    assert orphans
    lake.store.kill_at = 0
    assert lake.iceberg.expire(now() - datetime.timedelta(days=1)).files == 0
    for key in orphans:
        lake.store.ago_s = 4000
        lake.store.put(key, lake.store.get(key))
    assert lake.iceberg.expire(now() - datetime.timedelta(days=1)).files == len(orphans)
    assert set(lake.files()) == files


@pytest.mark.thorough
def test_a_lost_catalogue_is_recovered_from_the_store_with_its_history(lake: Lake) -> None:
    lake.publish()
    put_day(lake.store, SECOND, sequence=2, seed=2)
    lake.publish()
    snapshots, expected = lake.snapshots(), lake.rows("counts")
    with lake.iceberg._writing() as catalogue:
        catalogue.destroy_tables()
    assert not lake.gold.has_iceberg()
    lake.publish()
    assert lake.snapshots() == snapshots
    assert lake.rows("counts") == expected


@pytest.mark.thorough
@pytest.mark.parametrize("spoil", ["missing", "cut", "other", "moved"])
def test_unreadable_files_give_one_line_and_a_rebuild_publishes_everything_again(
    lake: Lake, spoil: str
) -> None:
    lake.publish()
    [data] = [key for key in lake.files() if "/loads/data/" in key]
    if spoil == "missing":
        lake.store.delete(data)
    elif spoil == "cut":
        lake.store.put(data, lake.store.get(data)[:-9])
    elif spoil == "other":
        for key in lake.files():
            if key.endswith(".metadata.json") and "/loads/" in key:
                lake.store.put(key, b"{}")
    else:
        lake.store.url = "memory://elsewhere"
    with one_line(Misconfigured, match="frametally iceberg --rebuild"):
        lake.iceberg.publish()
    lake.iceberg.remove()
    assert lake.files() == []
    assert lake.iceberg.publish() == 2
    assert len(lake.runs()) == 1


@pytest.mark.thorough
def test_tables_of_an_earlier_release_get_the_columns_of_this_one(lake: Lake) -> None:
    of_now = tables.counts.c.keys()
    lake.publish()
    with lake.iceberg._writing() as catalogue:
        catalogue.table(tables.counts).update_schema().delete_column("tracked_detections").commit()
        catalogue.table(tables.loads).update_schema().add_column("made_of", StringType()).commit()
    put_day(lake.store, SECOND, sequence=2, seed=2)
    assert lake.publish() == 1
    rows = lake.rows("counts")
    assert {*of_now, "day"} == rows[0].keys()
    assert any(row["tracked_detections"] is not None for row in rows if str(row["day"]) == SECOND)
    assert {*tables.loads.c.keys()} == lake.rows("loads")[0].keys()


@pytest.mark.thorough
def test_the_command_publishes_and_whatever_updates_gold_updates_the_tables(tmp_path: Path) -> None:
    data = ["--data-dir", tmp_path]
    with closing(open_object_store(load_settings(data_dir=tmp_path).store_url)) as store:
        put_day(store, FIRST)
        assert "iceberg" not in frametally("gold", *data).out
        assert "iceberg: 1 day published" in frametally("iceberg", *data).out
        put_day(store, SECOND)
        assert "iceberg: 1 day published" in frametally("index", *data).out
        deleted = re.search(
            r"iceberg: (\d+) snapshots and (\d+) files deleted",
            frametally("iceberg", "--keep-days", "0", *data).out,
        )
        assert deleted
        assert int(deleted[1]) == 4
        assert "iceberg: 2 days published" in frametally("iceberg", "--rebuild", *data).out


@pytest.mark.thorough
def test_doctor_deep_names_every_iceberg_file_that_has_changed(tmp_path: Path) -> None:
    def rows() -> dict[str, tuple[str, bool, str]]:
        done = frametally("doctor", "--deep", "--json", "--data-dir", tmp_path, code=None)
        told = json.loads(done.out)["rows"]
        found = {
            row["name"]: (row["value"], row["good"], row["note"]) for row in told if row["area"] == "iceberg"
        }
        assert done.code == 2 or all(good for _, good, _ in found.values())
        return found

    with closing(open_object_store(load_settings(data_dir=tmp_path).store_url)) as store:
        for day in (FIRST, SECOND):
            put_day(store, day)
        frametally("iceberg", "--data-dir", tmp_path)
        put_day(store, SECOND, sequence=2, seed=2)
        frametally("iceberg", "--keep-days", "0", "--data-dir", tmp_path)
        keys = [info.key for info in store.list(FOLDER)]
        assert rows() == {"files": (f"{len(keys) - 1} files read", True, "")}
        whole = {key: store.get(key) for key in keys}
        kinds = {re.sub("[^/]*[0-9a-f]{6,}[^/.]*", "*", key): key for key in keys}
        assert {Path(kind).suffix for kind in kinds} == {".parquet", ".avro", ".json", ".text"}
        [checksums] = [kinds.pop(kind) for kind in [*kinds] if kind.startswith(CHECKSUMS)]
        for wanted in ({*kinds.values()}, {checksums}):
            for key in wanted:
                flipped = bytearray(whole[key])
                flipped[len(flipped) // 2] ^= 0x10
                store.put(key, bytes(flipped))
            found = rows()
            assert wanted <= {name for name, (_, good, _) in found.items() if not good}
            assert ("1 damaged record of checksums is named above" in found["files"][2]) == (
                wanted == {checksums}
            )
            for key in wanted:
                store.put(key, whole[key])
        gone = next(key for key in keys if key.endswith(".parquet"))
        store.delete(gone)
        assert rows()[gone] == ("missing", False, "")
        store.put(gone, whole[gone])
        for info in store.list(CHECKSUMS):
            store.delete(info.key)
        [(_, is_good, note)] = rows().values()
        assert is_good
        assert "have no checksum" in note
        frametally("iceberg", "--rebuild", "--data-dir", tmp_path)
        assert [note for _, _, note in rows().values()] == [""]


def test_pages_of_parquet_files_have_checksums(lake: Lake) -> None:
    lake.publish()
    data = next(lake.store.get(key) for key in lake.files() if "/counts/" in key and key.endswith(".parquet"))
    column = parquet.read_metadata(io.BytesIO(data)).row_group(0).column(4)
    first_byte = column.dictionary_page_offset or column.data_page_offset
    flipped = bytearray(data)
    flipped[first_byte + column.total_compressed_size - 2] ^= 1
    with pytest.raises(OSError, match="CRC"):
        parquet.read_table(io.BytesIO(bytes(flipped)), page_checksum_verification=True)


@pytest.mark.thorough
def test_tables_in_a_copied_folder_stop_only_their_own_command(tmp_path: Path) -> None:
    first, copy = tmp_path / "first", tmp_path / "copy"
    with closing(open_object_store(load_settings(data_dir=first).store_url)) as store:
        put_day(store, FIRST)
    frametally("iceberg", "--data-dir", first)
    shutil.copytree(first, copy)
    with closing(open_object_store(load_settings(data_dir=copy).store_url)) as store:
        put_day(store, SECOND)
    for command in ("index", "gold"):
        told = frametally(command, "--data-dir", copy, code=6)
        [line] = [line for line in told.err.splitlines() if line]
        assert line.startswith("warning: publishing the Iceberg tables failed; everything else is done: ")
        assert "published for another address" in line
        assert "frametally iceberg --rebuild" in line
        output._warned.clear()
    frametally("gold", "--check", "--data-dir", copy)
    frametally("iceberg", "--data-dir", copy, code=2)
    frametally("iceberg", "--rebuild", "--data-dir", copy)
    frametally("index", "--data-dir", copy)


def test_unreadable_gold_tables_do_not_stop_the_index_command(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    with closing(open_object_store(settings.store_url)) as store:
        put_day(store, FIRST)
    (tmp_path / "gold.sqlite").write_bytes(b"not a database" * 100)
    for round_number in range(2):
        told = frametally("index", "--data-dir", tmp_path, code=6)
        assert ("1 run published" in told.out) == (round_number == 0)
        assert told.err.count("warning: the update by frametally_gold") == (round_number == 0)


def test_without_pyiceberg_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "frametally_gold.iceberg_tables", raising=False)
    monkeypatch.setitem(sys.modules, "pyiceberg", None)
    monkeypatch.setitem(sys.modules, "pyiceberg.catalog", None)
    assert (
        "run pip install 'frametally[iceberg]'" in frametally("iceberg", "--data-dir", tmp_path, code=2).err
    )


@pytest.mark.thorough
def test_only_publishing_imports_pyiceberg(tmp_path: Path) -> None:
    code = (
        "import sys; from frametally_cli import main as cli;"
        f"cli.main(['gold', '--data-dir', {str(tmp_path)!r}]);"
        "sys.exit(any(name.startswith('pyiceberg') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
