"""Gold tables equal the count index, each day with the old run or the new one, in every database."""

from __future__ import annotations

import datetime
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, func, select
from tests.fakes.databases import Place, sqlite
from tests.fakes.memory import MemoryStore
from tests.fakes.records import make_count, make_coverage, make_run, put_run
from tests.gold.gold_year import INTERVAL_S, MODEL, days_of_year, put_day
from tests.kit.processes import run_program

from frametally import keys
from frametally.adapters_by_url import open_count_index
from frametally.errors import Misconfigured
from frametally.ports.count_index import CountIndex, CountQuery
from frametally.process.reports import NoProgress
from frametally.records import Run
from frametally.rules.blank_stretches import BlankPart
from frametally.rules.known import NAMES_OF_TRACKS
from frametally.rules.times import EPOCH, MILLISECOND
from frametally_gold import tables
from frametally_gold.book import Gold
from frametally_gold.comparison import check_gold
from frametally_gold.loading import GoldReport, gold_day, load_gold
from frametally_search.indexer import index_runs

services = pytest.mark.services


def elasticsearch() -> AbstractContextManager[Any]:
    from elasticsearch_indices import fresh_alias

    return fresh_alias()


TABLES = [tables.counts, tables.coverage, tables.tracks, tables.loads]
Open = Callable[[], AbstractContextManager[Place]]


@pytest.fixture
def opening() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def gold(database: Place, opening: ExitStack) -> Gold:
    return opening.enter_context(closing(Gold(*database)))


@pytest.fixture
def index(opening: ExitStack) -> CountIndex:
    url, _ = opening.enter_context(sqlite())
    return opening.enter_context(closing(open_count_index(url)))


def load(store: MemoryStore, gold: Gold, **bounds: Any) -> GoldReport:
    report = load_gold(store=store, gold=gold, progress=NoProgress(), **bounds)
    assert report.skipped == []
    return report


def rows(gold: Gold, *columns: Any) -> list[tuple[Any, ...]]:
    with gold._database.reading() as connection:
        return sorted(tuple(row) for row in connection.execute(select(*columns)))


def ms(moment: Any) -> int:
    """A time as the database returns it: SQLite's are in UTC, without a zone."""
    return int((moment.replace(tzinfo=moment.tzinfo or datetime.UTC) - EPOCH) / MILLISECOND)


def everything(gold: Gold) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    with gold._database.reading() as connection:
        for table in tables.ALL.sorted_tables:
            columns = [column for column in table.c if column.name != "loaded_at"]
            found[table.name] = sorted(map(repr, connection.execute(select(*columns))))
    return found


def check(index: CountIndex, gold: Gold, **bounds: Any) -> str | None:
    return check_gold(index=index, gold=gold, progress=NoProgress(), **bounds).difference


@pytest.mark.thorough
def test_each_interval_of_a_year_is_as_in_the_index(
    store: MemoryStore, gold: Gold, opening: ExitStack
) -> None:
    # The usual combinations: SQLite with SQLite, Elasticsearch with PostgreSQL.
    beside: Open = sqlite if gold.url.startswith("sqlite") else elasticsearch
    url, access = opening.enter_context(beside())
    index = opening.enter_context(closing(open_count_index(url, access)))
    for day in days_of_year():
        put_day(store, day)
    report = load(store, gold)
    index_runs(store=store, index=index, progress=NoProgress())
    assert len(report.loaded) == 365
    bars = index.histogram(CountQuery(MODEL, INTERVAL_S, by_source=True))
    c = tables.counts.c
    counted = {
        (row[0], row[1], ms(row[2])): row[3:]
        for row in rows(gold, c.source, c.label, c.interval_start, c.detections, c.peak, c.objects)
    }
    assert counted == {
        (bar.source, bar.label, bar.start_ms): (bar.detections, bar.peak, bar.objects) for bar in bars.buckets
    }
    c = tables.coverage.c
    filmed = {(row[0], ms(row[1])): row[2] for row in rows(gold, c.source, c.interval_start, c.frames)}
    assert filmed == {(one.source, one.start_ms): one.frames for one in bars.coverage}
    assert check(index, gold) is None


def test_repeated_loads_give_the_same_rows_and_write_nothing(store: MemoryStore, gold: Gold) -> None:
    for day in days_of_year(3):
        put_day(store, day)
    assert len(load(store, gold).loaded) == 3
    before = everything(gold)
    report = load(store, gold)
    assert (report.loaded, report.unchanged, report.rows) == ([], 3, 0)
    assert everything(gold) == before


def test_a_newer_run_replaces_only_its_day_and_leaves_nothing_of_the_previous_one(
    store: MemoryStore, gold: Gold, opening: ExitStack
) -> None:
    first, second = days_of_year(2)
    for day in (first, second):
        put_day(store, day)
    load(store, gold)
    newer = put_day(store, second, sequence=2, seed=7)
    report = load(store, gold)
    assert [day.day for day in report.loaded] == [second]
    url, _ = opening.enter_context(sqlite())
    fresh = opening.enter_context(closing(Gold(url)))
    load(store, fresh)
    if gold.url.startswith("sqlite"):
        assert everything(gold) == everything(fresh)
    assert {run for (run,) in rows(gold, tables.tracks.c.run_id)} == {newer.run_id, f"000001-{0:016x}"}


def test_days_missing_from_the_store_are_removed_and_an_older_backup_is_followed(
    store: MemoryStore, gold: Gold
) -> None:
    first, second = days_of_year(2)
    gone, older = put_day(store, first), put_day(store, second)
    newer = put_day(store, second, sequence=2)
    load(store, gold)
    store.delete(gone.key)
    store.delete(newer.key)
    report = load(store, gold)
    assert [day.day for day in report.removed] == [first]
    [loaded] = gold.loads().values()
    assert loaded.run_id == older.run_id
    store.delete(older.key)
    load(store, gold)
    assert all(not found for name, found in everything(gold).items() if name.startswith("gold_"))


def test_only_the_requested_days_are_touched(store: MemoryStore, gold: Gold) -> None:
    first, second, third = days_of_year(3)
    for day in (first, second, third):
        put_day(store, day)
    start_ms = keys.day_start_ms(second)
    assert [day.day for day in load(store, gold, from_ms=start_ms, to_ms=start_ms + 1).loaded] == [second]
    assert [day.day for day in load(store, gold).loaded] == [first, third]


def test_a_day_with_several_intervals_has_those_of_its_newest_footage(
    store: MemoryStore, gold: Gold, index: CountIndex
) -> None:
    def put(interval_s: int, footage: str, detections: int) -> Run:
        run = make_run(model="m", interval_s=interval_s, footage_sha256=footage, digest=footage * 64)
        return put_run(
            store,
            run,
            [make_count(interval_s=interval_s, detections=detections)],
            [make_coverage(interval_s=interval_s, detections=detections)],
        )

    put(60, "1", 3)
    load(store, gold)
    put(3600, "2", 4)
    index_runs(store=store, index=index, progress=NoProgress())
    load(store, gold)
    assert rows(gold, tables.counts.c.interval_s, tables.counts.c.detections) == [(3600, 4)]
    assert check(index, gold) is None


def test_the_first_day_that_differs_from_the_index_is_named(
    store: MemoryStore, gold: Gold, index: CountIndex
) -> None:
    days = [*days_of_year(4)]
    for day in days:
        put_day(store, day)
    index_runs(store=store, index=index, progress=NoProgress())
    load(store, gold, to_ms=keys.day_start_ms(days[3]))
    assert check(index, gold, to_ms=keys.day_start_ms(days[3])) is None
    assert f"gold, {days[3]} (tiny-1, 21600 s): in the index, missing in gold" in (check(index, gold) or "")
    put_day(store, days[2], sequence=2)
    load(store, gold)
    assert f"gold, {days[2]} (tiny-1, 21600 s): gold has run 000002-" in (check(index, gold) or "")
    with gold._database.writing() as connection:
        c = tables.counts.c
        first = connection.execute(select(func.min(c.interval_start))).scalar_one()
        connection.execute(
            tables.counts.update().where(c.interval_start == first).values(detections=c.detections + 1)
        )
    assert f"gold, {days[0]} (tiny-1, 21600 s): the rows of gold_counts were changed" in (
        check(index, gold) or ""
    )


@pytest.mark.thorough
@pytest.mark.parametrize("harm", ["emptied", "one value"])
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_check_names_any_changed_table_and_a_load_repairs_it(
    store: MemoryStore, gold: Gold, index: CountIndex, table: Table, harm: str
) -> None:
    day = next(days_of_year(1))
    put_day(store, day)
    index_runs(store=store, index=index, progress=NoProgress())
    load(store, gold)
    before = everything(gold)
    assert before[table.name]
    assert check(index, gold) is None
    column = table.c.run_id
    with gold._database.writing() as connection:
        connection.execute(table.delete() if harm == "emptied" else table.update().values({column: "x"}))
    difference = check(index, gold) or ""
    assert day in difference
    if table is not tables.loads:
        assert f"{table.name} were changed after loading" in difference
    load_gold(store=store, gold=gold, progress=NoProgress(), verify=True)
    assert check(index, gold) is None
    assert everything(gold) == before


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE gold_tracks SET last_seen = 'x'",
        "UPDATE gold_coverage SET frames = 'x', objects_measured = 'x'",
        "UPDATE gold_counts SET peak = 'x'",
        "UPDATE gold_loads SET checksums = '{'",
        "UPDATE gold_counts SET interval_start = 'x' || interval_start",
        "UPDATE gold_counts SET model = 'x' WHERE label = 'car'",
        "UPDATE gold_coverage SET interval_start = '1999' || substr(interval_start, 5)",
    ],
)
def test_a_value_that_its_column_cannot_have_is_named_and_repaired_like_any_other(
    store: MemoryStore, tmp_path: Path, index: CountIndex, harm: str
) -> None:
    """SQLite keeps any value in any column, like one with a flipped bit."""
    put_day(store, next(days_of_year(1)))
    index_runs(store=store, index=index, progress=NoProgress())
    with closing(Gold(f"sqlite:///{tmp_path}/gold.sqlite")) as gold:
        load(store, gold)
        before = everything(gold)
        with gold._database.writing() as connection:
            connection.exec_driver_sql(harm)
        assert "were changed after loading" in (check(index, gold) or "")
        load(store, gold, verify=True)
        assert check(index, gold) is None
        assert everything(gold) == before
        with gold._database.writing() as connection:
            connection.exec_driver_sql("UPDATE gold_tracks SET interval_s = 7, first_seen = 'x'")
        load(store, gold, verify=True)
        assert everything(gold) == before
        with gold._database.writing() as connection:
            row = "gold_coverage SELECT 'ghost', " + ", ".join(tables.coverage.c.keys()[1:])
            connection.exec_driver_sql(f"INSERT INTO {row} FROM gold_coverage")
        assert "gold_coverage has rows of days that were never loaded" in (check(index, gold) or "")
        load(store, gold, verify=True)
        assert check(index, gold) is None
        with gold._database.writing() as connection:
            connection.exec_driver_sql("UPDATE gold_loads SET day = 'x'")
        with pytest.raises(Misconfigured, match="gold_loads cannot be read"):
            check(index, gold)


@pytest.mark.parametrize(
    ("tracked", "objects"),
    [(0, None), (4, None), (5, 2), (9, 2), (None, 2)],
    ids=["none", "under half", "half", "all", "not noted"],
)
def test_objects_that_an_export_calls_unmeasured_are_null_beside_the_number_followed(
    store: MemoryStore, gold: Gold, index: CountIndex, tracked: int | None, objects: int | None
) -> None:
    counted = make_count(detections=9, objects=2, tracked_detections=tracked, evidence=[])
    put_run(store, make_run(frames=1), [counted], [make_coverage(detections=9, objects=2, analysed_fps=5.0)])
    index_runs(store=store, index=index, progress=NoProgress())
    load(store, gold)
    c = tables.counts.c
    assert rows(gold, c.objects, c.followed_objects) == [(objects, 2)]
    assert check(index, gold) is None


def test_footage_that_shows_nothing_is_in_no_count_and_has_its_reason(
    store: MemoryStore, gold: Gold, index: CountIndex
) -> None:
    blank: list[BlankPart] = [("black", 4, 48_000), ("frozen", 1, 12_000)]
    filmed = [
        make_coverage(frames=0, analysed_fps=5.0, covered_ms=0, blank=blank),
        make_coverage(frames=3, source="yard", blank=[]),
        make_coverage(frames=3, source="old"),
    ]
    put_run(store, make_run(frames=11), [], filmed)
    index_runs(store=store, index=index, progress=NoProgress())
    load(store, gold)
    c = tables.coverage.c
    assert sorted(rows(gold, c.source, c.frames, c.blank_frames, c.blank_s, c.blank_reasons)) == [
        ("gate", 0, 5, 60.0, "black, frozen"),
        ("old", 3, None, None, None),
        ("yard", 3, 0, 0.0, ""),
    ]
    assert check(index, gold) is None


def test_the_slower_of_two_simultaneous_loads_reverts_nothing(store: MemoryStore, gold: Gold) -> None:
    day = next(days_of_year(1))
    put_day(store, day)

    class Slow(MemoryStore):
        """While its pointers are listed, another load of a newer run finishes."""

        def list(self, prefix: str, after: str | None = None) -> Any:
            found = [*store.list(prefix, after)]
            put_day(store, day, sequence=2)
            load(store, gold)
            return iter(found)

        def get(self, key: str) -> bytes:
            return store.get(key)

    report = load_gold(store=Slow(), gold=gold, progress=NoProgress())
    assert (report.loaded, report.unchanged) == ([], 1)
    [loaded] = gold.loads().values()
    assert loaded.run_id.startswith("000002-")


@pytest.mark.thorough
@pytest.mark.timeout(300)
def test_after_a_kill_at_any_statement_a_day_is_either_the_old_one_or_the_new_one(database: Place) -> None:
    url, access = database
    order = {"url": url, "user": None, "password": None}
    if access is not None:
        order |= {"user": access.user, "password": access.password.get_secret_value()}
    told = run_program([sys.executable, "-m", "tests.gold.gold_kills"], input=json.dumps(order))
    seen = [tuple(json.loads(line)) for line in told.stdout.splitlines()]
    old, new = seen[0], seen[-1]
    assert (old[0][:6], new[0][:6]) == ("000001", "000002")
    assert len(seen) > 12  # it deletes and inserts in each table
    assert set(seen) == {old, new}
    assert seen == sorted(seen)  # and never goes back


def test_a_damaged_part_file_leaves_the_day_unchanged_and_is_named(store: MemoryStore, gold: Gold) -> None:
    first, second = days_of_year(2)
    put_day(store, first)
    load(store, gold)
    [before] = gold.loads().values()
    hours_before = {info.key for info in store.list(keys.HOURS)}
    damaged = put_day(store, first, sequence=2, seed=2)
    [key, *_] = {info.key for info in store.list(keys.HOURS)} - hours_before
    store.put(key, b"{}\n")
    put_day(store, second)
    report = load_gold(store=store, gold=gold, progress=NoProgress())
    [skipped] = report.skipped
    assert (skipped.name, [day.day for day in report.loaded]) == (damaged.prefix, [second])
    assert key in skipped.reason
    assert "`frametally aggregate" in skipped.reason
    assert gold.loads()[gold_day(damaged)] == before


def test_a_run_that_counts_something_twice_is_not_loaded(store: MemoryStore, gold: Gold) -> None:
    run = make_run(frames=1)
    put_run(store, run, [make_count(), make_count()], [make_coverage(detections=2)])
    report = load_gold(store=store, gold=gold, progress=NoProgress())
    assert [skipped.reason for skipped in report.skipped] == [
        f"run {run.prefix} counts something twice, so frametally does not load it"
    ]
    assert gold.loads() == {}


def test_the_queries_of_the_documentation_run_unchanged(store: MemoryStore, gold: Gold) -> None:
    for day in days_of_year(2):
        put_day(store, day)
    load(store, gold)
    page = (Path(__file__).resolve().parents[2] / "docs" / "gold.md").read_text(encoding="utf-8")
    questions = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    assert len(questions) >= 5
    found = []
    with gold._database.reading() as connection:
        for question in questions:
            found.append(connection.exec_driver_sql(question.rstrip(";\n")).all())
    assert found[0] == [(MODEL, INTERVAL_S, *found[0][0][2:4], 2)]
    assert found[1]
    assert {row.cars for row in found[2]} > {None, 0}


def test_every_table_and_column_is_explained_in_the_documentation() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "gold.md").read_text(encoding="utf-8")
    for table in tables.ALL.sorted_tables:
        if table is not tables.about:
            assert f"`{table.name}`" in page
            for column in table.c:
                assert f"`{column.name}`" in page or column.name in NAMES_OF_TRACKS, (table.name, column.name)
