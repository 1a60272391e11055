"""A changed row of the index is reported with its day and the remedy, and never charted."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.memory import MemoryStore
from tests.fakes.records import make_count, make_coverage, make_run, put_run

from frametally import keys
from frametally.adapters.sql.index import tables as sql_tables
from frametally.adapters_by_url import open_count_index, open_object_store
from frametally.books.index_check import check_index
from frametally.errors import Misconfigured
from frametally.ports.count_index import CountIndex, CountQuery, IndexDamaged
from frametally.process.reports import NoProgress
from frametally.settings.loading import load_settings
from frametally_accounts.book import AccessBook
from frametally_cli import main as cli
from frametally_search.indexer import index_runs, repair_index

DAY_MS = keys.day_start_ms("2026-01-01")
STARTS = [DAY_MS + hour * 3_600_000 for hour in (2, 9)]
COUNTS = [make_count(at, label, 3, source="gate") for at in STARTS for label in ("bus", "car")]
COVERAGE = [make_coverage(at, 5) for at in STARTS]
RUN = put_run(MemoryStore(), make_run(day="2026-01-01", frames=10), COUNTS, COVERAGE)
TABLES = (*sql_tables.DOCUMENTS, sql_tables.runs)
COLUMNS = [(table.name, column.name) for table in TABLES for column in table.c]


def answers(path: Path) -> list[Any]:
    """The answers to a new process; `IndexDamaged` instead of those that it does not get."""
    query = CountQuery("m", 60, 60)
    asked: list[Callable[[CountIndex], Any]] = [
        lambda index: index.current_runs(),
        lambda index: index.series(),
        lambda index: index.counted_days("m"),
        lambda index: index.labels("m"),
        lambda index: index.sources("m"),
        *(
            lambda index, step_s=step_s: index.histogram(query._replace(interval_s=step_s, by_source=True))
            for step_s in (60, 900, 3600, 86_400)
        ),
        lambda index: index.week_hours(query),
        lambda index: index.evidence(query),
        lambda index: index.evidence(query, limit_per_label=50),
    ]
    found: list[Any] = []
    with closing(open_count_index(f"sqlite:///{path}")) as index:
        for ask in asked:
            try:
                found.append(ask(index))
            except IndexDamaged as error:
                found.append(error)
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "index.sqlite"
    with closing(open_count_index(f"sqlite:///{path}")) as index:
        index.publish(RUN, COUNTS, COVERAGE)
    return path


@pytest.mark.thorough
@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=map(".".join, COLUMNS))
def test_one_flipped_bit_in_any_column_changes_no_answer_silently(
    whole: Path, tmp_path: Path, table: str, column: str
) -> None:
    before = answers(whole)
    with closing(sqlite3.connect(whole)) as connection:
        key, value = connection.execute(
            f"SELECT (SELECT count(*) FROM {table}), {column} FROM {table} ORDER BY 2 DESC"  # noqa: S608
        ).fetchone()
    assert key
    bits = range(8 * len(value)) if isinstance(value, bytes) else range(31 if isinstance(value, int) else 6)
    told = 0
    for bit in bits[:: max(1, len(bits) // 6)]:
        path = tmp_path / "index.sqlite"
        shutil.copy(whole, path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(
                f"UPDATE {table} SET {column} = ? WHERE {column} = ?",  # noqa: S608
                (flipped(value, bit), value),
            )
            connection.commit()
        after = answers(path)
        damage = [answer for answer in after if isinstance(answer, IndexDamaged)]
        assert all(one == other for one, other in zip(before, after, strict=True) if other not in damage)
        for error in damage:
            assert "run `frametally index --repair`" in str(error)
            assert table == "frametally_runs" or "2026-01-01" in str(error)
        told += bool(damage)
    assert told  # not because it happens to have no query


def test_a_day_without_its_part_file_is_named_and_not_reported_as_compared(
    whole: Path, store: MemoryStore
) -> None:
    put_run(store, RUN, COUNTS, COVERAGE)
    store.delete(f"{RUN.prefix}/{RUN.parts[0]}")
    with closing(open_count_index(f"sqlite:///{whole}")) as index:
        days, differences, [skipped] = check_index(store, index, NoProgress())
    assert (days, differences, skipped.name) == (0, [], RUN.prefix)


@pytest.mark.thorough
@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=map(".".join, COLUMNS))
def test_a_comparison_finds_damage_and_the_store_mends_it(
    whole: Path, tmp_path: Path, table: str, column: str
) -> None:
    path = tmp_path / "index.sqlite"
    shutil.copy(whole, path)
    with closing(sqlite3.connect(path)) as connection:
        (value,) = connection.execute(f"SELECT {column} FROM {table} ORDER BY 1 DESC").fetchone()  # noqa: S608
        connection.execute(
            f"UPDATE {table} SET {column} = ? WHERE {column} = ?",  # noqa: S608
            (flipped(value, 5), value),
        )
        connection.commit()
    store = MemoryStore()
    put_run(store, RUN, COUNTS, COVERAGE)
    with closing(open_count_index(f"sqlite:///{path}")) as index:
        try:
            found = check_index(store, index, NoProgress())
        except IndexDamaged:
            assert table == "frametally_runs"
        else:
            [told] = map(str, found.differences)
            assert "index, 2026-01-01 (m, 60 s): " in told
            assert told.endswith("gate: differs from the part files")
        assert len(repair_index(store=store, index=index, progress=NoProgress())) == 1
        assert not index_runs(store=store, index=index, progress=NoProgress()).skipped
        assert check_index(store, index, NoProgress()) == (1, [], [])
    assert answers(path)[1:2] + answers(path)[3:] == answers(whole)[1:2] + answers(whole)[3:]


def test_a_damaged_day_is_named_with_its_sources(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    shutil.copy(whole, path)
    with closing(sqlite3.connect(path)) as connection:
        (packed,) = connection.execute("SELECT packed FROM frametally_cells WHERE step_s = 3600").fetchone()
        connection.execute(
            "UPDATE frametally_cells SET packed = ? WHERE step_s = 3600", (flipped(packed, 8 * 60),)
        )
        connection.commit()
    with (
        closing(open_count_index(f"sqlite:///{path}")) as index,
        pytest.raises(IndexDamaged, match=r"counts of gate on 2026-01-01; run `frametally index --repair`"),
    ):
        index.histogram(CountQuery("m", 60, 3600))


def flipped(value: Any, bit: int) -> Any:
    """The same with one bit changed; in a text, in one of its letters."""
    if isinstance(value, int):
        return value ^ 1 << bit
    if isinstance(value, str):
        at = bit * len(value) // 6
        return f"{value[:at]}{chr(ord(value[at]) ^ 1)}{value[at + 1 :]}"
    data = bytearray(value)
    data[bit // 8] ^= 1 << bit % 8
    return bytes(data)


def test_doctor_deep_names_each_day_of_the_index_that_differs_from_its_part_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    settings = load_settings(data_dir=data)
    counts = [make_count(STARTS[0], "bus", 9, source="gate"), *COUNTS[1:]]
    run = put_run(open_object_store(settings.store_url), RUN, counts, COVERAGE)
    with closing(open_count_index(settings.index_url)) as index:
        index.publish(run, COUNTS, COVERAGE)
    assert cli.main(["doctor", "--deep", "--json", "--data-dir", str(data)]) == 2
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["name"], row["value"], row["remedy"]) for row in rows if row["area"] == "index"][1:] == [
        ("2026-01-01 (m, 60 s)", "gate: differs from the part files", "run `frametally index --repair`"),
        ("days", "compared 1 day with their part files", ""),
    ]
    assert cli.main(["index", "--repair", "--data-dir", str(data)]) == 0
    assert "removed: index, 2026-01-01 (m, 60 s): gate" in capsys.readouterr().out
    with closing(open_count_index(settings.index_url)) as index:
        assert check_index(open_object_store(settings.store_url), index, NoProgress()) == (1, [], [])


@pytest.mark.parametrize("open_it", [open_count_index, AccessBook])
def test_damage_in_text_that_sqlite_cannot_decode_is_one_line(
    tmp_path: Path, open_it: Callable[[str], Any]
) -> None:
    path = tmp_path / "book.sqlite"
    open_it(f"sqlite:///{path}").close()
    for beside in tmp_path.glob("book.sqlite-*"):
        beside.unlink()
    data = path.read_bytes()
    assert b"CREATE TABLE" in data
    path.write_bytes(data.replace(b"CREATE TABLE", b"CRE\xc1TE TABLE"))
    damaged = pytest.raises(Misconfigured, match="is damaged or not a SQLite file")
    with damaged as told, closing(open_it(f"sqlite:///{path}")) as book:
        book.check()
    assert "\n" not in str(told.value)
