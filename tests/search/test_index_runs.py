"""Runs are indexed as a whole or not at all, once, and the newest wins."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.memory import MemoryStore
from tests.fakes.records import make_count, make_coverage, make_run, put_lines

from frametally import keys
from frametally.adapters_by_url import open_count_index
from frametally.books.counted_days import up_to_date
from frametally.books.runs import read_parts
from frametally.errors import Retryable
from frametally.ports.count_index import CountIndex, CountQuery
from frametally.process.reports import NoProgress
from frametally.records import Run, encode
from frametally_search.indexer import index_runs

DAYS_MS = {"2026-01-01": 1_767_225_600_000, "2026-01-02": 1_767_312_000_000}


@pytest.fixture
def index(tmp_path: Path) -> Iterator[CountIndex]:
    opened = open_count_index(f"sqlite:///{tmp_path / 'index.sqlite'}")
    yield opened
    opened.close()


def put_run(
    store: MemoryStore,
    day: str = "2026-01-01",
    *,
    sequence: int = 1,
    detections: int = 3,
    params: str = "0" * 8,
    interval_s: int = 60,
    frames: int = 2,
    footage: str = "",
) -> Run:
    """A run of one bar, as the counting job leaves it."""
    start_ms = DAYS_MS[day]
    bar = make_count(start_ms, "car", detections, interval_s=interval_s, frames=frames)
    covered = make_coverage(start_ms, frames, interval_s=interval_s, detections=detections)
    lines = [
        b'["count","gate","car",%d]\t' % start_ms + encode(bar) + b"\n",
        b'["coverage","gate",%d]\t' % start_ms + encode(covered) + b"\n",
    ]
    run = make_run(
        sequence,
        digest=f"{detections:064x}",
        params=params,
        interval_s=interval_s,
        day=day,
        parts=["part-00000.gz", "part-00001.gz"],
        frames=frames,
        footage_sha256=footage,
    )
    return put_lines(store, run, lines)


def index_all(store: MemoryStore, index: CountIndex) -> Any:
    return index_runs(store=store, index=index, progress=NoProgress())


def seen(index: CountIndex) -> list[int]:
    """A reader's view: detections per day."""
    histogram = index.histogram(CountQuery(model="m", base_interval_s=60, interval_s=86_400))
    return [bucket.detections for bucket in histogram.buckets]


def test_every_current_run_is_published(store: MemoryStore, index: CountIndex) -> None:
    runs = [put_run(store, day, detections=number) for number, day in enumerate(DAYS_MS, start=1)]
    report = index_all(store, index)
    assert (report.published, report.unchanged, report.documents, report.skipped) == (runs, 0, 4, [])
    assert index.current_runs() == runs
    assert seen(index) == [1, 2]


def test_indexing_twice_changes_nothing_and_reads_no_part_again(
    store: MemoryStore, index: CountIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_run(store)
    index_all(store, index)
    before = (index.current_runs(), seen(index))
    get = store.get

    def get_pointers_only(key: str) -> bytes:
        assert "/_runs/" in key
        return get(key)

    monkeypatch.setattr(store, "get", get_pointers_only)
    report = index_all(store, index)
    assert (report.published, report.unchanged, report.documents) == ([], 1, 0)
    assert (index.current_runs(), seen(index)) == before


def test_a_newer_run_replaces_its_day_only(store: MemoryStore, index: CountIndex) -> None:
    put_run(store, "2026-01-01", detections=1)
    put_run(store, "2026-01-02", detections=2)
    index_all(store, index)
    newer = put_run(store, "2026-01-02", sequence=2, detections=7, params="f" * 8)
    report = index_all(store, index)
    assert (report.published, report.unchanged) == ([newer], 1)
    assert seen(index) == [1, 7]


def test_runs_with_other_settings_do_not_alternate(store: MemoryStore, index: CountIndex) -> None:
    put_run(store, sequence=1, detections=1, params="a" * 8)
    put_run(store, sequence=2, detections=2, params="0" * 8)
    for published in (1, 0, 0):
        assert len(index_all(store, index).published) == published
        assert seen(index) == [2]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda store, run: put_lines(store, run, [b"", b"oh\n"]), "part-00001.gz, line 1"),
        (lambda store, run: put_lines(store, run, [b"", b""]), "covers 0 frames"),
        (lambda store, run: store.delete(f"{run.prefix}/part-00000.gz"), "part-00000.gz is missing"),
    ],
)
def test_an_unreadable_run_is_named_and_the_index_keeps_its_earlier_counts_of_that_day(
    store: MemoryStore, index: CountIndex, spoil: Callable[..., Any], says: str
) -> None:
    old = put_run(store, "2026-01-01", detections=1)
    index_all(store, index)
    bad = put_run(store, "2026-01-01", sequence=2, detections=5)
    good = put_run(store, "2026-01-02", detections=2)
    spoil(store, bad)
    for published in ([good], []):
        report = index_all(store, index)
        assert report.published == published
        [skipped] = report.skipped
        assert skipped.name == bad.prefix
        assert says in skipped.reason
        assert "frametally aggregate" in skipped.reason
        assert index.current_runs() == [old, good]
        assert seen(index) == [1, 2]


def test_an_unreadable_pointer_is_named_and_the_rest_continues(store: MemoryStore, index: CountIndex) -> None:
    bad = put_run(store, "2026-01-01")
    put_run(store, "2026-01-02", detections=2)
    pointer = keys.run_pointer_key("m", bad.params, 60, bad.day, 1)
    store.put(pointer, b"\xff")
    report = index_all(store, index)
    assert [skipped.name for skipped in report.skipped] == [pointer]
    assert seen(index) == [2]


def test_a_count_given_twice_is_not_published(store: MemoryStore, index: CountIndex) -> None:
    run = put_run(store)
    (_, line), (_, covered) = read_parts(store, run)
    put_lines(store, run, [line * 2, covered.replace(b'"detections":3', b'"detections":6')])
    [skipped] = index_all(store, index).skipped
    assert "twice" in skipped.reason
    assert index.current_runs() == []


def test_indexing_interrupted_between_two_runs_continues_the_next_time(
    store: MemoryStore, index: CountIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_run(store, "2026-01-01", detections=1)
    put_run(store, "2026-01-02", detections=2)
    publish = index.publish

    def away_for_the_second(run: Any, counts: Any, coverage: Any, **options: Any) -> Any:
        if run.day == "2026-01-02":
            raise Retryable("the index is away")
        return publish(run, counts, coverage, **options)

    with monkeypatch.context() as patched, pytest.raises(Retryable):
        patched.setattr(index, "publish", away_for_the_second)
        index_all(store, index)
    assert seen(index) == [1]
    report = index_all(store, index)
    assert (len(report.published), report.unchanged) == (1, 1)
    assert seen(index) == [1, 2]


def test_an_empty_store_is_not_an_error(store: MemoryStore, index: CountIndex) -> None:
    report = index_all(store, index)
    assert (report.published, report.unchanged, report.skipped) == ([], 0, [])


def test_a_rebuilt_index_does_not_bring_back_forgotten_footage(index: CountIndex, tmp_path: Path) -> None:
    store = MemoryStore(clock=itertools.count(1_767_400_000).__next__)
    counted = [put_run(store, interval_s=3600, frames=100)]
    index_all(store, index)
    counted.append(put_run(store, interval_s=60, frames=60, detections=2))  # after a forget
    index_all(store, index)
    with closing(open_count_index(f"sqlite:///{tmp_path / 'rebuilt.sqlite'}")) as rebuilt:
        assert index_all(store, rebuilt).published == counted
        for one in (index, rebuilt):
            assert up_to_date(one, "m", [60, 3600], None, None) == [60]


def test_the_interval_with_the_most_frames_is_published_last_if_several_were_counted_at_once(
    index: CountIndex,
) -> None:
    store = MemoryStore(clock=lambda: 1_767_400_000)
    for day, frames_of in zip(DAYS_MS, ({60: 2, 5: 3, 900: 1}, {5: 2, 60: 9}), strict=True):
        for interval_s, frames in frames_of.items():
            put_run(store, day, interval_s=interval_s, frames=frames)
    index_all(store, index)
    last = {day.day_ms: day for day in sorted(index.counted_days("m"), key=lambda one: one.published)}
    assert [(one.base_interval_s, one.frames) for one in last.values()] == [(5, 3), (60, 9)]


def test_repairing_a_day_does_not_make_its_older_interval_the_newest(index: CountIndex) -> None:
    store = MemoryStore(clock=itertools.count(1_000.0).__next__)
    older = put_run(store, interval_s=60, footage="a" * 64)
    newer = put_run(store, interval_s=900, footage="b" * 64)
    index_all(store, index)
    assert [series.base_interval_s for series in index.series()] == [900]
    index.remove(older)
    index_all(store, index)
    assert index.current_runs() == [older, newer]
    assert [series.base_interval_s for series in index.series()] == [900]
