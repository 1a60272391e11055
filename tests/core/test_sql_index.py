"""Details of the SQL index: foreign files, locks, and statements that other databases accept as well."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable
from tests.fakes.at_once import at_once
from tests.fakes.records import make_count, make_coverage, make_run

from frametally.adapters.sql import engine as sql_engine
from frametally.adapters.sql.index import publication
from frametally.adapters.sql.index import tables as sql_tables
from frametally.adapters.sql.index.counts import SqlIndex
from frametally.adapters_by_url import open_count_index
from frametally.errors import Misconfigured, Retryable
from frametally.files import sqlite
from frametally.files.sqlite import BUSY_TIMEOUT_S
from frametally.ports.count_index import CountQuery
from frametally.process.time_limit import TookTooLong

Opened = Callable[..., SqlIndex]
RUN = make_run(day="1970-01-01", parts=[])
COVERAGE = make_coverage(0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite"


@pytest.fixture
def opened() -> Iterator[Callable[..., SqlIndex]]:
    indexes = []

    def make(path: Path, **options: Any) -> SqlIndex:
        indexes.append(SqlIndex(f"sqlite:///{path}", **options))
        return indexes[-1]

    yield make
    for index in indexes:
        index.close()


def test_the_file_and_its_folder_are_created(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b c%20?#" / "index.sqlite"
    index = open_count_index(f"sqlite:///{path}")
    assert index.publish(RUN, [], [COVERAGE])
    index.close()
    assert path.is_file()


@pytest.mark.parametrize("url", ["sqlite:///index.sqlite", "sqlite://", "sqlite:///:memory:", "mongodb://x"])
def test_a_url_that_names_no_file_is_refused_with_one_that_does(url: str) -> None:
    with pytest.raises(Misconfigured, match=r"sqlite:////absolute/file\.sqlite"):
        open_count_index(url)


@pytest.mark.parametrize(
    "data", [b"not a database, but a long text " * 99, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_file_that_is_not_a_database_is_named_and_left_alone(
    path: Path, data: bytes, opened: Opened
) -> None:
    path.write_bytes(data)
    with pytest.raises(Misconfigured) as raised:
        opened(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert path.read_bytes() == data


def test_another_programs_database_is_named_and_left_alone(path: Path, opened: Opened) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE message (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(Misconfigured, match=r"another kind \(it has a table 'message'\)"):
        opened(path)
    assert path.read_bytes() == before


def test_an_index_damaged_while_in_use_is_one_line(path: Path, opened: Opened) -> None:
    index = opened(path)
    index.publish(RUN, [], [COVERAGE])
    index.close()
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * len(data[4096:])
    path.write_bytes(data)
    with pytest.raises(Misconfigured, match="is damaged"):
        opened(path).sources("m")


@pytest.mark.parametrize("others", [("",), ("", "-wal", "-shm")])
def test_readers_follow_an_index_that_is_removed_and_rebuilt(path: Path, opened: Opened, others: Any) -> None:
    index = opened(path)
    index.publish(RUN, [], [COVERAGE])
    assert index.current_runs() == [RUN]
    for suffix in others:
        path.with_name(path.name + suffix).unlink()
    anew = msgspec.structs.replace(RUN, run_id="000002-5555555555555555", sequence=2)
    opened(path).publish(anew, [], [COVERAGE])
    assert index.current_runs() == [anew]
    assert not index.publish(RUN, [], [COVERAGE])


def test_readers_follow_an_index_that_another_file_replaces(path: Path, opened: Opened) -> None:
    index = opened(path)
    index.publish(RUN, [], [COVERAGE])
    built = opened(path.with_name("built.sqlite"))
    built.close()
    path.with_name("built.sqlite").replace(path)
    assert index.current_runs() == []


def test_a_missing_index_is_created_again_and_is_empty(tmp_path: Path, opened: Opened) -> None:
    path = tmp_path / "folder" / "index.sqlite"
    index = opened(path)
    index.publish(RUN, [], [COVERAGE])
    shutil.rmtree(path.parent)
    assert index.series() == []
    assert path.is_file()
    shutil.rmtree(path.parent)
    assert index.publish(RUN, [], [COVERAGE])
    assert index.current_runs() == [RUN]


def test_another_kind_of_file_in_its_place_is_named_until_it_is_gone(path: Path, opened: Opened) -> None:
    index = opened(path)
    index.publish(RUN, [], [COVERAGE])
    path.with_name("other").write_bytes(b"not a database, but a long text " * 99)
    path.with_name("other").replace(path)
    for _ in range(2):
        with pytest.raises(Misconfigured, match="is damaged or not a SQLite file"):
            index.series()
    path.unlink()
    assert index.series() == []


def test_an_index_with_another_layout_is_refused(path: Path, opened: Opened) -> None:
    opened(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE frametally_index SET schema_version = 99")
    connection.close()
    with pytest.raises(Misconfigured, match="has layout 99"):
        opened(path)


def test_an_unwritable_place_is_one_line(tmp_path: Path, opened: Opened) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match="FRAMETALLY_INDEX_URL"):
        opened(tmp_path / "file" / "index.sqlite")
    (tmp_path / "folder").mkdir()
    with pytest.raises(Misconfigured, match="FRAMETALLY_INDEX_URL"):
        opened(tmp_path / "folder")


def test_readers_can_use_a_locked_index_and_writers_can_retry(path: Path, opened: Opened) -> None:
    index = opened(path, busy_timeout_s=0.05)
    index.publish(RUN, [], [COVERAGE])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Retryable, match="another process locked"):
        index.publish(RUN, [], [COVERAGE])
    assert [source.frames for source in index.sources("m")] == [1]
    other.execute("ROLLBACK")
    other.close()
    assert not index.publish(RUN, [], [COVERAGE])


def test_many_processes_may_open_a_new_index_at_once(path: Path, opened: Opened) -> None:
    indexes = at_once(*8 * [lambda: opened(path)])
    assert indexes[0].publish(RUN, [], [COVERAGE])
    assert all(index.current_runs() == [RUN] for index in indexes)


def test_an_answer_with_too_many_bars_is_refused_with_the_remedy(path: Path, opened: Opened) -> None:
    index = opened(path)
    records = [make_coverage(n * 60_000) for n in range(3)]
    index.publish(RUN, [], records)
    with pytest.raises(Misconfigured, match="choose a longer interval or a shorter range"):
        index.histogram(CountQuery(model="m", base_interval_s=60, interval_s=60, most_bars=2))
    coverage = index.histogram(
        CountQuery(model="m", base_interval_s=60, interval_s=120, most_bars=2)
    ).coverage
    assert [(one.start_ms, one.frames) for one in coverage] == [(0, 2), (120_000, 1)]


def test_a_replaced_run_leaves_no_row_behind(path: Path, opened: Opened) -> None:
    index = opened(path)
    bar = make_count(0)
    for sequence in (1, 2, 3):
        index.publish(msgspec.structs.replace(RUN, sequence=sequence), [bar], [COVERAGE])
    with sqlite3.connect(path) as connection:
        rows = {
            table.name: connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0]  # noqa: S608
            for table in (*sql_tables.DOCUMENTS, sql_tables.runs)
        }
    connection.close()
    assert rows.pop(sql_tables.cells.name) == 4  # minute, quarter, hour and day
    assert set(rows.values()) == {1}


def test_readers_and_the_writer_never_wait_for_each_other(path: Path, opened: Opened) -> None:
    opened(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


@pytest.mark.parametrize("table", sql_tables.ALL.sorted_tables, ids=lambda table: table.name)
def test_postgresql_accepts_the_same_table(table: Any) -> None:
    assert "ROWID" not in str(CreateTable(table).compile(dialect=postgresql.dialect()))


@pytest.mark.parametrize("query", [publication._OF_BAR, publication._OF_DAY])
def test_evidence_is_found_by_its_key(path: Path, query: Any, opened: Opened) -> None:
    opened(path).close()
    engine = create_engine(f"sqlite:///{path}")
    key = {"of_run": 7, "of_start_ms": 0, "of_sources": ["gate", "yard"], "of_label": "car"}
    text = str(query.params(key).compile(engine, compile_kwargs={"literal_binds": True}))
    with engine.connect() as connection:
        plan = " / ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}"))
    engine.dispose()
    assert "USING PRIMARY KEY (run=? AND" in plan
    assert "label=?" in plan
    assert "source=?" in plan


def test_a_query_ends_at_its_limit_and_its_connection_remains_usable(
    path: Path, monkeypatch: pytest.MonkeyPatch, opened: Opened
) -> None:
    index = opened(path)
    index.publish(RUN, [], [COVERAGE])
    clock = itertools.count(step=1000)
    monkeypatch.setattr(sql_engine, "_STEPS_BETWEEN_LOOKS", 1)
    monkeypatch.setattr(sql_engine.time, "monotonic", lambda: next(clock))
    with pytest.raises(TookTooLong, match="time limit"), limited_for(5.0):
        index.sources("m")
    monkeypatch.undo()
    assert [source.frames for source in index.sources("m")] == [1]
    with index._database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == BUSY_TIMEOUT_S * 1000


@contextmanager
def limited_for(left_s: Any) -> Iterator[None]:
    """Under a limit, independent of the clock."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (sql_engine, sqlite):
            patch.setattr(module, "seconds_left", lambda: left_s)
        yield


@pytest.mark.timeout(60, method="thread")  # SQLite hears no signal while it waits: an hour, without the limit
def test_waiting_for_a_locked_index_ends_within_the_callers_time_limit(path: Path, opened: Opened) -> None:
    index = opened(path, busy_timeout_s=3600.0)
    index.publish(RUN, [], [COVERAGE])
    index.close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    holder.execute("DELETE FROM frametally_runs")
    try:
        with pytest.raises(Retryable), limited_for(0.05):
            index.sources("m")
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert [source.frames for source in index.sources("m")] == [1]
