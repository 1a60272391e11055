"""A publication writes only the hours of sources that differ; the index equals one with only the last run."""

from __future__ import annotations

import base64
import itertools
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update
from tests.examples import examples
from tests.fakes.count_indexes import (
    ADAPTERS,
    IndexRow,
    Opener,
    everything,
    opened,
    publish_by_parts,
    refresh,
    rows_by_writer,
    rows_named,
    sqlite,
)
from tests.fakes.memory import MemoryStore
from tests.fakes.records import make_count, make_coverage, make_run, put_run

from frametally.adapters.sql.index import tables
from frametally.adapters.sql.index.counts import SqlIndex
from frametally.books.index_check import check_index
from frametally.ports.count_index import CountIndex, CountQuery, DayPart, IndexDamaged
from frametally.process.reports import NoProgress
from frametally.records import Coverage, Evidence, IntervalCount, Run
from frametally_search.index.queries import open_moment
from frametally_search.indexer import index_runs, repair_index

DAY_MS = 1_767_225_600_000
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
Day = dict[DayPart, int]
"""The counts of each hour of each source; another number means other counts."""
WHOLE: Day = {DayPart(source, hour): 1 for source in ("gate", "yard") for hour in (0, 1, 23)}


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.__name__)
def new_index(request: pytest.FixtureRequest) -> Iterator[Opener]:
    with opened(request.param) as make:
        yield make


def run(sequence: int, day: Day, params: str = "0" * 8) -> Run:
    return make_run(sequence, params=params, frames=sum(day.values()))


def counts_of(day: Day) -> list[IntervalCount]:
    """Two minutes of each part, with their evidence frames."""
    return [
        make_count(start_ms, label, number, source=part.source, evidence=[shown])
        for part, number in day.items()
        for start_ms in (DAY_MS + part.hour * HOUR_MS, DAY_MS + part.hour * HOUR_MS + 59 * MINUTE_MS)
        for label in ("bus", "car")
        for shown in [Evidence(image_path=f"{part}/{number}", captured_at_ms=start_ms + 7, count=number)]
    ]


def coverage_of(day: Day) -> list[Coverage]:
    return [
        make_coverage(DAY_MS + part.hour * HOUR_MS, number, source=part.source)
        for part, number in day.items()
    ]


def publish(index: CountIndex, sequence: int, day: Day, **options: Any) -> bool:
    return publish_by_parts(index, run(sequence, day, **options), counts_of(day), coverage_of(day))


def parts_written_by(index: CountIndex, others: set[str]) -> set[DayPart]:
    """The parts whose rows come from other runs."""
    return {
        DayPart(row.source, (row.start_ms - DAY_MS) // HOUR_MS)
        for writer, rows in rows_by_writer(index).items()
        if writer not in others
        for row in rows
    }


def assert_it_is_as_written_at_once(index: CountIndex, of_day: Run, day: Day) -> None:
    """All answers match an index that has only this run, and every row is referenced."""
    with opened(sqlite) as make:
        alone = make()
        alone.publish(of_day, counts_of(day)[::-1], coverage_of(day)[::-1])
        assert everything(index) == everything(alone)
        for part in day:
            start_ms = DAY_MS + part.hour * HOUR_MS
            asked = CountQuery("m", 60, sources=[part.source], from_ms=start_ms, to_ms=start_ms + MINUTE_MS)
            assert index.evidence(asked) == alone.evidence(asked) != []
    assert index.differing_sources(of_day, counts_of(day), coverage_of(day)) == []
    assert rows_by_writer(index) == rows_named(index, counts_of(day), coverage_of(day))


LATE = DayPart("gate", 1)
CHANGES: dict[str, tuple[Day, set[DayPart]]] = {
    "a late segment": (WHOLE | {LATE: 2}, {LATE}),
    "nothing": (WHOLE, set()),
    "an hour more": (WHOLE | {DayPart("gate", 2): 1}, {DayPart("gate", 2)}),
    "a source more": (WHOLE | {DayPart("quay", 1): 1}, {DayPart("quay", 1)}),
    "an hour less": ({part: 1 for part in WHOLE if part != LATE}, set()),
    "a source less": ({part: 1 for part in WHOLE if part.source != "gate"}, set()),
    "all other": (dict.fromkeys(WHOLE, 3), {*WHOLE}),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("params", ["0" * 8, "f" * 8])
def test_a_round_writes_the_changed_hours_and_keeps_the_others(
    new_index: Opener, change: str, params: str
) -> None:
    index, (day, written) = new_index(), CHANGES[change]
    assert publish(index, 1, WHOLE)
    before = {*rows_by_writer(index)}
    assert len(before) == 1
    assert publish(index, 2, day, params=params)
    assert parts_written_by(index, before) == written
    for reader in (index, new_index()):
        assert_it_is_as_written_at_once(reader, run(2, day, params), day)
    assert index.remove_damaged() == []
    assert_it_is_as_written_at_once(index, run(2, day, params), day)


def test_a_change_of_coverage_alone_rewrites_its_hour(new_index: Opener) -> None:
    index = new_index()
    publish(index, 1, WHOLE)
    before = {*rows_by_writer(index)}
    filmed = coverage_of(WHOLE | {LATE: 9})
    newer = run(2, WHOLE | {LATE: 9})
    assert publish_by_parts(index, newer, counts_of(WHOLE), filmed)
    assert parts_written_by(index, before) == {LATE}
    assert index.differing_sources(newer, counts_of(WHOLE), filmed) == []
    assert index.differing_sources(newer, counts_of(WHOLE), coverage_of(WHOLE)) == ["gate"]


def test_hours_stay_unchanged_from_round_to_round(new_index: Opener) -> None:
    index = new_index()
    day: Day = {}
    for sequence, hour in enumerate((0, 1, 2, 23), start=1):
        day |= {DayPart("gate", hour): 1, DayPart("yard", hour): sequence}
        before = {*rows_by_writer(index)}
        assert publish(index, sequence, day)
        assert parts_written_by(index, before) == {DayPart("gate", hour), DayPart("yard", hour)}
    assert len(rows_by_writer(index)) == 4
    assert_it_is_as_written_at_once(index, run(4, day), day)
    index.remove(run(4, day))
    assert rows_by_writer(index) == {}


parts = st.builds(DayPart, st.sampled_from(["gate", "yard"]), st.sampled_from([0, 1, 23]))
days = st.dictionaries(parts, st.integers(1, 2), max_size=4)
steps = st.lists(
    st.tuples(st.sampled_from(["publish", "publish", "publish", "older", "remove", "fail"]), days,
              st.sampled_from(["0" * 8, "f" * 8])),
    max_size=7,
)  # fmt: skip


@pytest.mark.thorough
@given(steps=steps, day=days)
@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_sequence_of_rounds_gives_the_result_of_its_last_round(
    new_index: Opener, steps: list[tuple[str, Day, str]], day: Day
) -> None:
    index = new_index()
    for sequence, (step, of_step, params) in enumerate(steps, start=2):
        match step:
            case "publish":
                assert publish(index, sequence, of_step, params=params)
            case "older":
                publish(index, 1, of_step, params=params)
            case "remove":
                index.remove(run(sequence, of_step))
            case "fail":
                with pytest.raises(OSError, match="the disk is gone"):
                    index.publish(run(sequence, of_step), counts_that_end(counts_of(of_step)), [])
    assert publish(index, 99, day)
    assert_it_is_as_written_at_once(index, run(99, day), day)
    index.remove(run(99, day))
    assert (rows_by_writer(index), index.series()) == ({}, [])


def counts_that_end(counts: list[IntervalCount]) -> Iterator[IntervalCount]:
    yield from counts
    raise OSError("the disk is gone")


def damage_cells(index: Any) -> None:
    """Damage the cells of the base interval."""
    if isinstance(index, SqlIndex):
        with index._database.writing() as connection:
            connection.execute(update(tables.cells).where(tables.cells.c.step_s == 60).values(crc32=0))
        return
    refresh(index)
    with closing(open_moment(index._cluster)) as now:
        hits = [*now.hits({"term": {"step_s": 60}})]
    for hit in hits:
        packed = base64.b64encode(zlib.compress(b"?")[:-1]).decode()
        with index._cluster.asked() as client:
            client.update(index=hit["_index"], id=hit["_id"], doc={"packed": packed}, refresh=True)


def drop_row(index: Any, row: IndexRow) -> None:
    """Delete the row of a count."""
    if isinstance(index, SqlIndex):
        evidence = tables.evidence.c
        with index._database.writing() as connection:
            is_row = (evidence.source == row.source) & (evidence.interval_start_ms == row.start_ms)
            connection.execute(delete(tables.evidence).where(is_row, evidence.label == row.label))
        return
    refresh(index)
    fields = {"source": row.source, "interval_start_ms": row.start_ms, "label": row.label}
    with closing(open_moment(index._cluster)) as now:
        [hit] = now.hits({"bool": {"filter": [{"term": {name: value}} for name, value in fields.items()]}})
    with index._cluster.asked() as client:
        client.delete(index=hit["_index"], id=hit["_id"], refresh=True)


def test_over_damaged_cells_a_round_rewrites_everything_and_leaves_nothing_behind(new_index: Opener) -> None:
    index = new_index()
    day = WHOLE | {LATE: 2}
    publish(index, 1, WHOLE)
    publish(index, 2, day)
    before = {*rows_by_writer(index)}
    damage_cells(index)
    with closing(new_index()) as reader, pytest.raises(IndexDamaged, match="2026-01-01"):
        reader.evidence(CountQuery("m", 60, from_ms=DAY_MS + MINUTE_MS))
    assert publish(index, 3, day)
    assert parts_written_by(index, before) == {*WHOLE}
    assert_it_is_as_written_at_once(index, run(3, day), day)


Damage = Callable[[CountIndex], None]
DAMAGE: dict[str, Damage] = {
    "cells": damage_cells,
    "a kept row": lambda index: drop_row(index, IndexRow("gate", DAY_MS, "car")),
    "a new row": lambda index: drop_row(index, IndexRow("gate", DAY_MS + HOUR_MS, "car")),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_repair_heals_kept_hours_as_well_as_new_ones(new_index: Opener, damage: str) -> None:
    index, store = new_index(), MemoryStore()
    for sequence, day in enumerate((WHOLE, WHOLE | {LATE: 2}), start=1):
        put_run(store, run(sequence, day), counts_of(day), coverage_of(day))
        index_runs(store=store, index=index, progress=NoProgress())
    assert len(rows_by_writer(index)) == 2
    whole = everything(index)
    DAMAGE[damage](index)
    [difference] = check_index(store, index, NoProgress()).differences
    assert "gate" in str(difference)
    assert len(repair_index(store=store, index=index, progress=NoProgress())) == 1
    assert rows_by_writer(index) == {}
    index_runs(store=store, index=index, progress=NoProgress())
    assert everything(index) == whole
    assert check_index(store, index, NoProgress()).differences == []


def test_two_days_or_two_models_keep_their_hours_apart(new_index: Opener) -> None:
    """SQL rows contain neither day nor model, so deleting one day or model must spare the others."""
    index = new_index()
    for sequence, model in itertools.product((1, 2), ("m", "other")):
        day = WHOLE if sequence == 1 else WHOLE | {LATE: 2}
        of_model = [
            [msgspec.structs.replace(record, model=model) for record in records]
            for records in (counts_of(day), coverage_of(day))
        ]
        of_day = msgspec.structs.replace(run(sequence, day), model=model)
        assert publish_by_parts(index, of_day, *of_model)  # type: ignore[arg-type]
    assert len(rows_by_writer(index)) == 4
    index.remove(make_run(2, model="other"))
    day = WHOLE | {LATE: 2}
    assert_it_is_as_written_at_once(index, run(2, day), day)
