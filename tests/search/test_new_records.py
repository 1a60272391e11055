"""The index identifies a day's content by the names of its hour files: it reads new ones and keeps the
others."""

from __future__ import annotations

import hashlib
import zlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.fakes.count_indexes import everything, opened, rows_by_writer, sqlite
from tests.fakes.memory import MemoryStore
from tests.fakes.records import make_count, make_coverage, make_run, put_run

from frametally import keys
from frametally.adapters_by_url import open_count_index
from frametally.books.index_check import check_index
from frametally.history_records import HourFile, HourList, hour_file_key
from frametally.ports.count_index import CountIndex
from frametally.process.reports import NoProgress
from frametally.records import Coverage, Evidence, IntervalCount, Run, encode
from frametally.rules.hour_file import length_ms
from frametally.rules.places import source_of
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally_search.indexer import IndexReport, index_runs

START_MS = keys.day_start_ms("2026-01-01")
Day = dict[tuple[str, int], int]
"""The counts in each interval of each source, by its number on the day."""
BUSY: Day = {(source, hour): 1 + hour for source in ("gate", "yard") for hour in range(12)}
LATE = ("gate", 3)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[CountIndex]:
    with closing(open_count_index(f"sqlite:///{tmp_path / 'index.sqlite'}")) as opened_index:
        yield opened_index


def records_of(day: Day, interval_s: int) -> tuple[list[IntervalCount], list[Coverage]]:
    counts, coverage = [], []
    for (source, number), boxes in sorted(day.items()):
        start_ms = START_MS + number * interval_s * 1000
        shown = [Evidence(image_path=f"{source}/{number}/{boxes}", captured_at_ms=start_ms, count=boxes)]
        for label in ("bus", "car"):
            counts.append(
                make_count(start_ms, label, boxes, source=source, interval_s=interval_s, evidence=shown)
            )
        coverage.append(
            make_coverage(start_ms, 5 * boxes, source=source, interval_s=interval_s, detections=2 * boxes)
        )
    return counts, coverage


def put_listed(store: MemoryStore, sequence: int, day: Day, interval_s: int = 3600) -> Run:
    """A run as the counting job publishes it: part file, hour files and their list."""
    counts, coverage = records_of(day, interval_s)
    run = make_run(sequence, interval_s=interval_s, frames=sum(record.frames for record in coverage))
    lines: defaultdict[tuple[str, int], list[bytes]] = defaultdict(list)
    every: list[IntervalCount | Coverage] = [*counts, *coverage]
    for record in every:
        start_ms = record.interval_start_ms
        kind = ["count", record.source, record.label] if isinstance(record, IntervalCount) else [
            "coverage", record.source]  # fmt: skip
        line = msgspec.json.encode([*kind, start_ms]) + b"\t" + encode(record) + b"\n"
        lines[source_of(record.source), start_ms - start_ms % length_ms(interval_s)].append(line)
    hours: defaultdict[str, dict[int, HourFile]] = defaultdict(dict)
    for (source, start_ms), of_hour in lines.items():
        data = b"".join([*sorted(of_hour), b'["track","a"]\tnot a count\n'])
        identity, hour = hashlib.sha256(data).hexdigest()[:16], start_ms % DAY_MS // HOUR_MS
        hours[source][hour] = HourFile(identity, zlib.crc32(data))
        store.put(hour_file_key(run.model, run.day, source, hour, identity), data)
    named = {name: getattr(run, name) for name in ("run_id", "model", "params", "interval_s", "day")}
    listed = HourList(**named, hours=dict(hours))
    store.put(listed.key, encode(listed))
    run = msgspec.structs.replace(run, hours_crc32=zlib.crc32(encode(listed)), hours=listed.digests())
    return put_run(store, run, counts, coverage)


def index_all(store: MemoryStore, index: CountIndex) -> IndexReport:
    return index_runs(store=store, index=index, progress=NoProgress())


def hour_keys(store: MemoryStore) -> set[str]:
    return {info.key for info in store.list(keys.HOURS)}


def keys_read(store: MemoryStore, index: CountIndex, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hour files and part files that an indexing reads."""
    get, read = store.get, []
    with monkeypatch.context() as patched:
        patched.setattr(store, "get", lambda key: read.append(key) or get(key))
        assert index_all(store, index).skipped == []
    return sorted(key for key in read if key.startswith("hours/") or "/part-" in key)


def assert_it_is_as_from_nothing(store: MemoryStore, index: CountIndex) -> None:
    with opened(sqlite) as make:
        new = make()
        index_all(store, new)
        assert everything(index) == everything(new)
    assert check_index(store, index, NoProgress()).differences == []


def test_a_late_segment_reads_only_the_new_hour_files(
    index: CountIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    put_listed(store, 1, BUSY)
    index_all(store, index)
    before = hour_keys(store)
    put_listed(store, 2, BUSY | {LATE: 99})
    [new_file] = hour_keys(store) - before
    assert keys_read(store, index, monkeypatch) == [new_file]
    assert len(rows_by_writer(index)) == 2
    assert_it_is_as_from_nothing(store, index)


def test_where_most_hours_are_new_the_smaller_part_files_are_read(
    index: CountIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    put_listed(store, 1, BUSY)
    index_all(store, index)
    run = put_listed(store, 2, {place: boxes + (place[0] == "gate") for place, boxes in BUSY.items()})
    assert keys_read(store, index, monkeypatch) == [f"{run.prefix}/part-00000.gz"]
    [kept, new] = rows_by_writer(index).values()
    assert ({row.source for row in kept}, {row.source for row in new}) == ({"yard"}, {"gate"})
    assert_it_is_as_from_nothing(store, index)


def test_a_run_without_a_list_keeps_the_hours_with_the_same_lines(index: CountIndex) -> None:
    store = MemoryStore()
    for sequence, day in enumerate((BUSY, BUSY | {LATE: 99}), start=1):
        counts, coverage = records_of(day, 3600)
        frames = sum(record.frames for record in coverage)
        put_run(store, make_run(sequence, interval_s=3600, frames=frames), counts, coverage)
        index_all(store, index)
    [_, new] = rows_by_writer(index).values()
    assert {row.source for row in new} == {"gate"}
    assert len(new) == 2
    assert_it_is_as_from_nothing(store, index)


def test_a_damaged_hour_file_is_named_and_the_day_stays_unchanged(index: CountIndex) -> None:
    store = MemoryStore()
    old = put_listed(store, 1, BUSY)
    index_all(store, index)
    before = hour_keys(store)
    put_listed(store, 2, BUSY | {LATE: 99})
    [new_file] = hour_keys(store) - before
    good = store.get(new_file)
    store.put(new_file, good.replace(b"99", b"98"))
    [skipped] = index_all(store, index).skipped
    assert new_file in skipped.reason
    assert "frametally aggregate --all" in skipped.reason
    assert index.current_runs() == [old]
    store.put(new_file, good)
    assert len(index_all(store, index).published) == 1
    assert_it_is_as_from_nothing(store, index)


def test_hours_in_the_index_that_contradict_their_run_are_read_again(index: CountIndex) -> None:
    """A name promises its records; if the promise is broken, the sum of frames shows it."""
    store = MemoryStore()
    run = put_listed(store, 1, BUSY)
    index_all(store, index)
    names = index.part_names(run)
    newer = put_listed(store, 2, BUSY | {LATE: 99})
    index.remove(run)
    wrong = {place: boxes + 7 for place, boxes in BUSY.items()}
    name_of_hours = iter(sorted(names) * 9)
    name_by_part: dict[object, str] = {}
    index.publish(
        run, *records_of(wrong, 3600), name_of=lambda part: name_by_part.setdefault(part, next(name_of_hours))
    )
    assert index_all(store, index).published == [newer]
    assert_it_is_as_from_nothing(store, index)


@pytest.mark.thorough
@given(
    interval_s=st.sampled_from([60, 2700, 3600, 28_800]),
    rounds=st.lists(
        st.dictionaries(
            st.tuples(st.sampled_from(["gate", "gate/zone/stop%20area", "yard"]), st.integers(0, 2)),
            st.integers(1, 3),
            max_size=8,
        ),
        min_size=1,
        max_size=5,
    ),
)
@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_after_any_rounds_the_index_equals_one_built_from_nothing(interval_s: int, rounds: list[Day]) -> None:
    store = MemoryStore()
    with opened(sqlite) as make:
        index = make()
        for sequence, day in enumerate(rounds, start=1):
            put_listed(store, sequence, day, interval_s)
            index_all(store, index)
        assert_it_is_as_from_nothing(store, index)
