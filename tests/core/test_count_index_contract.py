"""The contract of every count index: one current run per day, switched at once; queries with correct sums."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.fakes.at_once import at_once
from tests.fakes.count_indexes import ADAPTERS, everything, opened
from tests.fakes.memory import MemoryStore
from tests.fakes.records import make_count as count
from tests.fakes.records import make_coverage as coverage
from tests.fakes.records import make_run as run
from tests.fakes.records import put_run

from frametally.adapters_by_url import open_count_index
from frametally.books.index_check import check_index
from frametally.errors import Misconfigured, Poison
from frametally.ports.count_index import (
    NOT_LOOKED_AT,
    BlankBucket,
    Bucket,
    CountedDay,
    CountIndex,
    CountQuery,
    CoverageBucket,
    IndexedEvidence,
    Series,
    WeekHour,
)
from frametally.process.reports import NoProgress
from frametally.process.time_limit import TookTooLong, time_limit
from frametally.records import Coverage, Evidence, IntervalCount
from frametally.rules.known import is_too_weak
from frametally.rules.week_parts import parts_of_week, shift
from frametally_search.indexer import index_runs, repair_index

DAY = "2026-01-01"
DAY_MS = 1_767_225_600_000
MINUTE_MS = 60_000


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.__name__)
def new_index(request: pytest.FixtureRequest) -> Iterator[Callable[[], CountIndex]]:
    """Opens one index on each call, as another process would."""
    with opened(request.param) as make:
        yield make


@pytest.fixture
def index(new_index: Callable[[], CountIndex]) -> CountIndex:
    return new_index()


def test_all_answers_of_one_moment_show_one_state_whatever_is_published_meanwhile(
    new_index: Callable[[], CountIndex],
) -> None:
    index, other = new_index(), new_index()
    assert other.publish(run(), [count(detections=7)], [coverage(frames=5)])
    seen = everything(index)
    with index.one_moment():
        version = index.version()
        assert other.publish(run(model="later"), [count(model="later")], [coverage(model="later")])
        assert index.version() == version
        with index.one_moment():
            assert everything(index) == seen
    assert index.version() != version
    assert everything(index) == everything(other) != seen


def test_places_are_counted_like_sources_but_are_not_listed_as_models(index: CountIndex) -> None:
    """Names of lines have the maximum length, and need all the room of an escaped one."""
    name = quote("\U0001f6a6" * 100, safe="")
    place = f"gate/movement/{name}/{name}"
    assert index.publish(run(), [count(detections=7)], [coverage(frames=5)])
    of_flows, minutes = run(model="m~flows"), (DAY_MS, DAY_MS + 61 * MINUTE_MS)
    counts = [
        count(start_ms, label, number, model="m~flows", source=place, evidence=[])
        for number, start_ms in zip((1, 62), minutes, strict=True)
        for label in ("bus", "car")
    ]
    filmed = [
        coverage(start_ms, 5, model="m~flows", source=where)
        for start_ms in minutes
        for where in (place, "gate/line/stop%20line/to_left")
    ]
    assert index.publish(of_flows, counts, filmed)
    assert index.current_runs() == [run(), of_flows]
    assert index.series() == [Series("m", 60)]
    assert [day.base_interval_s for day in index.counted_days("m~flows")] == [60]
    asked = CountQuery("m~flows", 60, 3600, sources=[place])
    found = index.histogram(asked)
    assert [(bar.start_ms, bar.label, bar.detections) for bar in found.buckets] == [
        (DAY_MS, "bus", 1),
        (DAY_MS, "car", 1),
        (DAY_MS + 60 * MINUTE_MS, "bus", 62),
        (DAY_MS + 60 * MINUTE_MS, "car", 62),
    ]
    assert [(one.start_ms, one.frames) for one in found.coverage] == [
        (DAY_MS, 5),
        (DAY_MS + 60 * MINUTE_MS, 5),
    ]
    assert index.evidence(asked) == []
    assert total(index) == 7
    assert index.differing_sources(of_flows, counts, filmed) == []
    assert index.differing_sources(of_flows, counts[1:], filmed) == [place]


def test_a_crossing_in_an_interval_without_a_frame_is_kept(index: CountIndex) -> None:
    """An object is tracked over a second without a frame, and the base interval is a second."""
    nothing = coverage(frames=0, covered_ms=0, objects=1)
    assert index.publish(run(), [count(frames=0, evidence=[])], [nothing])
    found = index.histogram(CountQuery("m", 60, 60))
    assert [(bar.start_ms, bar.detections) for bar in found.buckets] == [(DAY_MS, 1)]
    assert [(bar.start_ms, bar.frames, bar.covered_ms) for bar in found.coverage] == [(DAY_MS, 0, 0)]


def test_blank_footage_is_not_coverage_and_has_its_reason_at_every_step(index: CountIndex) -> None:
    filmed = [
        coverage(DAY_MS, 5, blank=[]),
        coverage(DAY_MS + MINUTE_MS, 0, blank=[("black", 4, 48_000), ("frozen", 1, 12_000)], covered_ms=0),
        coverage(DAY_MS + 2 * MINUTE_MS, 3, blank=[("black", 2, 24_000)], source="yard"),
        coverage(DAY_MS + 3 * MINUTE_MS, 7, covered_ms=60_000),
    ]
    assert index.publish(run(), [count(frames=5)], filmed)
    minutes = index.histogram(CountQuery("m", 60, by_source=True))
    assert [(bar.start_ms - DAY_MS) // MINUTE_MS for bar in minutes.coverage] == [0, 2, 3]
    assert minutes.blank == [
        BlankBucket(DAY_MS + MINUTE_MS, "black", 4, 48_000, "gate"),
        BlankBucket(DAY_MS + MINUTE_MS, "frozen", 1, 12_000, "gate"),
        BlankBucket(DAY_MS + 2 * MINUTE_MS, "black", 2, 24_000, "yard"),
        BlankBucket(DAY_MS + 3 * MINUTE_MS, NOT_LOOKED_AT, 7, 60_000, "gate"),
    ]
    for interval_s in (900, 3600, 86_400):
        whole = index.histogram(CountQuery("m", 60, interval_s))
        assert [bar.frames for bar in whole.coverage] == [15]
        assert whole.blank == [
            BlankBucket(DAY_MS, "black", 6, 72_000),
            BlankBucket(DAY_MS, "frozen", 1, 12_000),
            BlankBucket(DAY_MS, NOT_LOOKED_AT, 7, 60_000),
        ]
    assert {source.source: source.frames for source in index.sources("m")} == {"gate": 17, "yard": 5}
    assert index.histogram(CountQuery("m", 60, sources=["yard"])).blank == [
        BlankBucket(DAY_MS + 2 * MINUTE_MS, "black", 2, 24_000)
    ]
    other = [*filmed[:1], coverage(DAY_MS + MINUTE_MS, 0, blank=[("black", 5, 60_000)], covered_ms=0)]
    assert index.differing_sources(run(), [count(frames=5)], filmed) == []
    assert index.differing_sources(run(), [count(frames=5)], [*other, *filmed[2:]]) == ["gate"]


def total(index: CountIndex, **options: Any) -> int:
    histogram = index.histogram(CountQuery(model="m", base_interval_s=60, interval_s=86_400, **options))
    return sum(bucket.detections for bucket in histogram.buckets)


def test_an_index_without_a_run_gives_empty_answers(index: CountIndex) -> None:
    assert (index.current_runs(), index.series(), index.labels("m"), index.sources("m")) == ([], [], [], [])
    assert index.histogram(CountQuery(model="m", base_interval_s=60, interval_s=60))[2:] == ([], [], [], ())
    assert index.evidence(CountQuery(model="m", base_interval_s=60)) == []


def test_a_published_run_is_read_back_unchanged(
    index: CountIndex, new_index: Callable[[], CountIndex]
) -> None:
    published = run()
    counts = [count(detections=2), count(label="bus"), count(DAY_MS + MINUTE_MS, source="yard")]
    assert index.publish(published, counts, [coverage(frames=5), coverage(DAY_MS + MINUTE_MS, source="yard")])
    for reader in (index, new_index()):
        assert reader.current_runs() == [published]
        assert reader.series() == [Series("m", 60)]
        assert reader.labels("m") == [("car", 3), ("bus", 1)]
        assert [source[:4] for source in reader.sources("m")] == [
            ("gate", 5, DAY_MS, DAY_MS + MINUTE_MS),
            ("yard", 1, DAY_MS + MINUTE_MS, DAY_MS + 2 * MINUTE_MS),
        ]
        histogram = reader.histogram(CountQuery(model="m", base_interval_s=60, interval_s=60))
        assert (histogram.model, histogram.base_interval_s) == ("m", 60)
        assert histogram.buckets == [
            Bucket(DAY_MS, "bus", 1, 1, None),
            Bucket(DAY_MS, "car", 2, 2, None),
            Bucket(DAY_MS + MINUTE_MS, "car", 1, 1, None),
        ]
        assert histogram.coverage == [CoverageBucket(DAY_MS, 5), CoverageBucket(DAY_MS + MINUTE_MS, 1)]


@pytest.mark.parametrize(
    "older",
    [run(2), run(1), run(1, params="f" * 8), run(2, params="0" * 7 + "1")],
    ids=["the same", "an older one", "an older one of other params", "the lesser params of a tie"],
)
def test_publishing_a_current_or_older_run_changes_nothing(index: CountIndex, older: Any) -> None:
    current = run(2, params="8" * 8) if "1" in older.params else run(2)
    assert index.publish(current, [count(detections=2)], [coverage(frames=2, detections=2)])
    before = everything(index)
    assert not index.publish(older, [count(label="bus")], [coverage(frames=9)])
    assert everything(index) == before


@pytest.mark.parametrize("params", ["0" * 8, "f" * 8])
def test_a_newer_run_replaces_all_of_its_day_and_nothing_else(index: CountIndex, params: str) -> None:
    other = run(day="2026-01-02")
    index.publish(other, [count(DAY_MS + 86_400_000)], [coverage(DAY_MS + 86_400_000)])
    index.publish(run(1), [count(detections=2), count(label="bus")], [coverage(frames=2)])
    assert index.publish(run(2, params=params), [count(DAY_MS + MINUTE_MS, "van", 7)], [coverage(frames=3)])
    assert index.current_runs() == [run(2, params=params), other]
    assert index.labels("m") == [("van", 7), ("car", 1)]
    assert [source.frames for source in index.sources("m")] == [4]
    assert {item.label for item in index.evidence(CountQuery(model="m", base_interval_s=60))} == {
        "van",
        "car",
    }


def test_a_day_with_nothing_left_is_empty(index: CountIndex) -> None:
    index.publish(run(1), [count()], [coverage()])
    assert index.publish(run(2), [], [])
    assert (index.current_runs(), index.labels("m"), index.sources("m")) == ([run(2)], [], [])


def test_no_reader_sees_a_removed_run_and_it_can_be_published_again(
    index: CountIndex, new_index: Callable[[], CountIndex]
) -> None:
    other, day = run(day="2026-01-02"), run(2)
    index.publish(other, [count(DAY_MS + 86_400_000)], [coverage(DAY_MS + 86_400_000)])
    without = everything(index)
    index.publish(day, [count(detections=2), count(label="bus")], [coverage(frames=2)])
    readers = [index, new_index()]
    before = [(reader.version(), everything(reader)) for reader in readers]
    index.remove(day)
    for reader, (version, _) in zip(readers, before, strict=True):
        assert everything(reader) == without
        assert reader.version() != version
    index.remove(day)
    assert index.publish(run(1), [count(detections=2), count(label="bus")], [coverage(frames=2)])
    for reader, (_, answers) in zip([*readers, new_index()], [*before, before[0]], strict=True):
        assert everything(reader)[1:] == answers[1:]
        assert reader.current_runs() == [run(1), other]


def test_removing_the_latest_run_does_not_bring_back_an_earlier_version_number(index: CountIndex) -> None:
    versions = [index.version()]
    for day in ("2026-01-01", "2026-01-02"):
        index.publish(run(day=day), [], [])
        versions.append(index.version())
    for day in ("2026-01-02", "2026-01-01"):
        index.remove(run(day=day))
        versions.append(index.version())
    assert len(set(versions)) == len(versions)
    assert index.current_runs() == []


COUNTS = [count(detections=2), count(label="bus", source="yard"), count(DAY_MS + MINUTE_MS, objects=1)]
COVERAGE = [coverage(frames=2), coverage(source="yard"), coverage(DAY_MS + MINUTE_MS, analysed_fps=5.0)]


@pytest.mark.parametrize(
    ("counts", "covered", "differing"),
    [
        (COUNTS[::-1], COVERAGE[::-1], []),
        ([count(detections=3), *COUNTS[1:]], COVERAGE, ["gate"]),
        ([*COUNTS[:2], count(DAY_MS + MINUTE_MS, objects=None)], COVERAGE, ["gate"]),
        ([*COUNTS[:2], count(DAY_MS + MINUTE_MS, objects=1, evidence=[])], COVERAGE, ["gate"]),
        (COUNTS[:1] + COUNTS[2:], COVERAGE, ["yard"]),
        ([*COUNTS, count(source="quay")], COVERAGE, ["quay"]),
        (COUNTS, [*COVERAGE[:2], coverage(DAY_MS + MINUTE_MS, analysed_fps=4.0)], ["gate"]),
        (COUNTS, [coverage(frames=2), coverage(frames=7, source="yard"), COVERAGE[2]], ["yard"]),
        ([], [], ["gate", "yard"]),
    ],
    ids=["the same", "boxes", "objects", "evidence", "a bar less", "a bar more", "rate", "frames", "nothing"],
)
def test_a_difference_between_index_and_run_is_reported_by_source(
    index: CountIndex, counts: list[IntervalCount], covered: list[Coverage], differing: list[str]
) -> None:
    assert index.publish(run(), COUNTS, COVERAGE)
    assert index.differing_sources(run(), counts, covered) == differing
    assert index.remove_damaged() == []


def test_a_count_given_twice_is_not_compared(index: CountIndex) -> None:
    index.publish(run(), COUNTS, COVERAGE)
    with pytest.raises(Poison, match="twice"):
        index.differing_sources(run(), [*COUNTS, COUNTS[0]], COVERAGE)


def test_an_index_follows_its_store_back_to_an_older_backup(index: CountIndex) -> None:
    backup, store = MemoryStore(), MemoryStore()
    put_run(backup, run(1, frames=2), [count(detections=2)], [coverage(frames=2, detections=2)])
    for sequence in (1, 2):
        of_day = run(sequence, frames=2)
        put_run(store, of_day, [count(detections=7)], [coverage(frames=2, detections=7)])
    later = run(day="2026-01-02")
    put_run(store, later, [count(DAY_MS + 86_400_000)], [coverage(DAY_MS + 86_400_000)])
    assert not index_runs(store=store, index=index, progress=NoProgress()).skipped
    assert total(index) == 8
    told = index_runs(store=backup, index=index, progress=NoProgress())
    assert [item.name for item in told.skipped] == [of_day.prefix, later.prefix]
    assert all("run `frametally index --repair`" in item.reason for item in told.skipped)
    assert total(index) == 8
    assert len(repair_index(store=backup, index=index, progress=NoProgress())) == 2
    assert not index_runs(store=backup, index=index, progress=NoProgress()).skipped
    assert [one.sequence for one in index.current_runs()] == [1]
    assert total(index) == 2
    assert check_index(backup, index, NoProgress()) == (1, [], [])


def test_an_interval_counted_before_the_footage_changed_is_not_read_for_that_day(index: CountIndex) -> None:
    next_day_ms = DAY_MS + 86_400_000
    other = run(day="2026-01-02", footage_sha256="1" * 64)
    index.publish(other, [count(next_day_ms)], [coverage(next_day_ms, 3)])
    index.publish(run(footage_sha256="a" * 64), [count(detections=2)], [coverage(frames=4)])
    anew = run(interval_s=300, footage_sha256="b" * 64)
    later_ms = DAY_MS + 3_600_000
    index.publish(
        anew, [count(later_ms, detections=2, interval_s=300)], [coverage(later_ms, frames=4, interval_s=300)]
    )
    for asked in (CountQuery("m", 60, 300), CountQuery("m", 60)):
        answer = index.histogram(asked)
        assert {bar.start_ms // 86_400_000 for bar in [*answer.buckets, *answer.coverage]} == {
            next_day_ms // 86_400_000
        }
    assert index.labels("m") == [("car", 2)]
    assert [one[:4] for one in index.sources("m")] == [("gate", 4, later_ms, later_ms + 300_000)]
    assert [item.interval_start_ms for item in index.evidence(CountQuery("m", 60))] == [next_day_ms]
    assert len(index.current_runs()) == len(index.counted_days("m")) == 3
    index.publish(run(2, footage_sha256="b" * 64), [count(later_ms, detections=2)], [coverage(later_ms, 4)])
    assert [bar.start_ms for bar in index.histogram(CountQuery("m", 60)).buckets] == [later_ms, next_day_ms]
    assert [bar.start_ms for bar in index.histogram(CountQuery("m", 300)).buckets] == [later_ms]


def test_models_and_base_intervals_are_never_summed(index: CountIndex) -> None:
    index.publish(run(), [count(detections=2)], [coverage(frames=4)])
    index.publish(
        run(interval_s=300), [count(detections=2, interval_s=300)], [coverage(frames=4, interval_s=300)]
    )
    index.publish(run(model="n"), [count(detections=9, model="n")], [coverage(frames=7, model="n")])
    assert index.labels("m") == [("car", 2)]
    assert [source.frames for source in index.sources("m")] == [4]
    for base_interval_s in (60, 300):
        histogram = index.histogram(CountQuery(model="m", base_interval_s=base_interval_s, interval_s=300))
        assert [bucket.detections for bucket in histogram.buckets] == [2]
        assert [bucket.frames for bucket in histogram.coverage] == [4]
        assert len(index.evidence(CountQuery(model="m", base_interval_s=base_interval_s))) == 1


def test_the_latest_published_model_comes_first_and_its_coarsest_interval(index: CountIndex) -> None:
    index.publish(run(model="a", interval_s=3600), [], [])
    index.publish(run(model="b"), [], [])
    index.publish(run(model="b", interval_s=5), [], [])
    index.publish(run(model="a"), [], [])
    index.publish(run(model="b", interval_s=900, day="2026-01-02"), [], [])
    assert index.series() == [
        Series("b", 900),
        Series("b", 60),
        Series("b", 5),
        Series("a", 3600),
        Series("a", 60),
    ]
    index.publish(run(2, model="a", interval_s=3600), [], [])
    assert index.series()[0] == Series("a", 3600)


def test_texts_are_ordered_by_code_points_in_every_index(index: CountIndex) -> None:
    models = ["a", "B", "ä", "A", "b-1", "b1", "_"]
    for model in models:
        index.publish(run(model=model), [count(model=model, label=m) for m in models], [])
    assert [found.model for found in index.current_runs()] == sorted(models)
    assert [label for label, _ in index.labels("a")] == sorted(models)
    bars = index.histogram(CountQuery(model="a", base_interval_s=60, interval_s=60)).buckets
    assert [bar.label for bar in bars] == sorted(models)


@pytest.mark.parametrize("hours", [1, -5])
def test_bars_of_local_days_begin_at_local_midnight(index: CountIndex, hours: int) -> None:
    hour_ms = 60 * MINUTE_MS
    at_ms = [DAY_MS + number * hour_ms for number in range(24)]
    index.publish(run(), [count(start) for start in at_ms], [coverage(start) for start in at_ms])
    days = index.histogram(
        CountQuery(model="m", base_interval_s=60, interval_s=86_400, offset_ms=hours * hour_ms)
    ).buckets
    before = 24 - hours if hours > 0 else -hours
    first_ms = DAY_MS - hours * hour_ms - (0 if hours > 0 else 86_400_000)
    assert [(day.start_ms, day.detections) for day in days] == [
        (first_ms, before),
        (first_ms + 86_400_000, 24 - before),
    ]


def test_objects_from_the_start_of_footage_are_summed_unless_some_are_unknown(index: CountIndex) -> None:
    index.publish(
        run(),
        [
            count(objects=3, objects_from_start=2),
            count(source="yard", objects=4, objects_from_start=0),
            count(DAY_MS + MINUTE_MS, objects=5, objects_from_start=4),
            count(label="bus", objects=1, objects_from_start=1),
            count(DAY_MS + MINUTE_MS, label="bus", objects=1),
        ],
        [],
    )
    for by_source, expected in (
        (False, [("bus", None), ("car", 6)]),
        (True, [("bus", None), ("car", 6), ("car", 0)]),
    ):
        hour = index.histogram(CountQuery("m", 60, 3600, by_source=by_source))
        assert [(bar.label, bar.objects_from_start) for bar in hour.buckets] == expected
    assert sum(bar.objects or 0 for bar in hour.buckets) == 14


def test_an_objects_sum_is_unknown_if_any_part_is_unmeasured(index: CountIndex) -> None:
    index.publish(
        run(),
        [
            count(label="car", objects=2),
            count(DAY_MS + MINUTE_MS, label="car", objects=0),
            count(label="bus", objects=1),
            count(DAY_MS + MINUTE_MS, label="bus"),
            count(label="van"),
        ],
        [],
    )
    hour = index.histogram(CountQuery(model="m", base_interval_s=60, interval_s=3600))
    assert [(bucket.label, bucket.objects) for bucket in hour.buckets] == [
        ("bus", None),
        ("car", 2),
        ("van", None),
    ]


@pytest.mark.parametrize("interval_s", [30, 90, 61, 0, -60])
def test_an_interval_that_is_not_a_multiple_of_the_base_is_refused_with_those_that_are(
    index: CountIndex, interval_s: int
) -> None:
    with pytest.raises(Misconfigured, match="use 60, 120, 180 or another multiple"):
        index.histogram(CountQuery(model="m", base_interval_s=60, interval_s=interval_s))


def test_frames_with_equal_counts_and_times_are_ordered_by_path(index: CountIndex) -> None:
    def level(source: str, path: str) -> IntervalCount:
        shown = [Evidence(image_path=path, captured_at_ms=DAY_MS, count=1)]
        return count(source=source, evidence=shown)

    index.publish(run(), [level("a", "images/2"), level("b", "images/1"), level("c", "images/3")], [])
    [busiest] = index.evidence(CountQuery(model="m", base_interval_s=60), limit_per_label=1)
    assert (busiest.source, busiest.evidence.image_path) == ("b", "images/1")


class Failing(list):
    def __iter__(self) -> Iterator[Any]:
        yield from super().__iter__()
        raise OSError("the disk is gone")


@pytest.mark.parametrize(
    ("counts", "covered", "error"),
    [
        (Failing([count()]), [coverage()], OSError),
        ([count()], Failing([coverage()]), OSError),
        ([count(), count()], [coverage()], Poison),
        ([count()], [coverage(), coverage()], Poison),
        ([count(model="x")], [], Poison),
        ([count(interval_s=5)], [], Poison),
        ([count(DAY_MS - 1)], [], Poison),
        ([], [coverage(DAY_MS + 86_400_000)], Poison),
    ],
    ids=lambda value: "",
)
def test_a_failed_publication_leaves_everything_as_it_was(
    index: CountIndex, counts: Any, covered: Any, error: Any
) -> None:
    index.publish(run(1), [count(detections=5)], [coverage(frames=5)])
    before = everything(index)
    with pytest.raises(error):
        index.publish(run(2), counts, covered)
    assert everything(index) == before
    assert index.publish(run(2), [count(detections=6)], [coverage()])


def test_readers_see_either_the_old_or_the_new_sums_while_a_run_is_published(
    index: CountIndex, new_index: Callable[[], CountIndex]
) -> None:
    def documents(size: int) -> tuple[list[IntervalCount], list[Coverage]]:
        starts = [DAY_MS + n * MINUTE_MS for n in range(400)]
        return [count(s, detections=size) for s in starts], [coverage(s, frames=size) for s in starts]

    index.publish(run(1), *documents(1))
    writer, done, seen = new_index(), threading.Event(), set()

    def read() -> None:
        while not done.is_set():
            histogram = index.histogram(CountQuery(model="m", base_interval_s=60, interval_s=86_400))
            [bar], [covered] = histogram.buckets, histogram.coverage
            seen.add((bar.detections, covered.frames))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for sequence in range(2, 12):
        counts, covered = documents(sequence)
        assert writer.publish(run(sequence), iter(counts), iter(covered))
    done.set()
    for reader in readers:
        reader.join()
    assert len(seen) > 1
    assert seen <= {(400 * size, 400 * size) for size in range(1, 12)}


def test_another_processs_publication_appears_in_every_answer_at_once(
    index: CountIndex, new_index: Callable[[], CountIndex]
) -> None:
    writer = new_index()
    assert (index.series(), index.labels("m"), index.sources("m")) == ([], [], [])
    for sequence, source in enumerate(("gate", "yard"), start=1):
        counts = [count(DAY_MS, source=source, detections=sequence)]
        writer.publish(run(sequence), counts, [coverage(DAY_MS, source=source, frames=sequence)])
        assert index.series() == [Series("m", 60)]
        assert index.labels("m") == [("car", sequence)]
        assert [(one.source, one.frames) for one in index.sources("m")] == [(source, sequence)]
        assert total(index) == sequence


def test_exactly_one_of_two_writers_publishes_a_run(new_index: Callable[[], CountIndex]) -> None:
    writers = [new_index() for _ in range(4)]
    published = at_once(*(partial(one.publish, run(), [count()], [coverage()]) for one in writers))
    assert sorted(published) == [False, False, False, True]
    assert total(writers[0]) == 1


HOSTILE = ["a'b", 'a"; DROP TABLE x; --', "100%", "größer 日本", "a_b", "NULL", ":x", "?"]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_matched_literally_whatever_characters_they_have(index: CountIndex, name: Any) -> None:
    index.publish(run(), [count(label=name, source=name), count(label="other")], [coverage(source=name)])
    assert total(index, labels=[name]) == 1
    assert total(index, sources=[name]) == 1
    assert total(index, labels=[name, "other"]) == 2
    assert total(index, labels=[name + "x"]) == 0
    assert dict(index.labels("m")) == {name: 1, "other": 1}


@pytest.mark.parametrize("interval_s", [60, 3600, 86_400, 7 * 86_400])
def test_partly_measured_objects_can_be_read_for_the_measured_part_with_any_bars(
    index: CountIndex, interval_s: int
) -> None:
    """Each hour of each source is measured or not; in the yard, only the second."""
    for day, day_ms in (("2026-01-01", DAY_MS), ("2026-01-02", DAY_MS + 86_400_000)):
        hours = [("gate", 0, 2), ("gate", 1, 3), ("yard", 0, None), ("yard", 1, 5)]
        index.publish(
            run(day=day),
            [
                count(day_ms + hour * 3_600_000, label, 10, source=source, objects=objects, peak=hour + 1)
                for source, hour, objects in hours
                for label in ("car", "bus")
            ],
            [
                coverage(
                    day_ms + hour * 3_600_000,
                    7,
                    source=source,
                    objects=objects and 2 * objects,
                    analysed_fps=5.0 if objects else 1.0,
                    covered_ms=1_000,
                )
                for source, hour, objects in hours
            ],
        )
    for asked, objects, frames in (
        ({}, 20, 42),
        ({"labels": ["car"]}, 20, 42),
        ({"sources": ["yard"]}, 10, 14),
        ({"by_source": True}, 20, 42),
        ({"to_ms": DAY_MS + 3_600_000}, 2, 7),
    ):
        query = CountQuery("m", 60, interval_s, measured_only=True, **asked)
        found = index.histogram(query)
        assert sum(one.objects or 0 for one in found.buckets if one.label == "car") == objects
        assert None not in {one.objects for one in [*found.buckets, *found.coverage]}
        assert sum(one.frames for one in found.coverage) == frames
        together = index.histogram(query._replace(apart=()))
        assert sum(one.objects or 0 for one in together.buckets) == objects * (1 if "labels" in asked else 2)


def test_naming_no_source_or_label_selects_all_of_them(index: CountIndex) -> None:
    index.publish(run(), [count(), count(label="bus", source="yard")], [])
    assert total(index, labels=[], sources=[]) == total(index) == 2


def test_every_publication_that_changes_anything_changes_the_version(
    index: CountIndex, new_index: Callable[[], CountIndex]
) -> None:
    seen = [index.version()]
    index.publish(run(1), [count()], [coverage()])
    seen.append(index.version())
    index.publish(run(1), [count(detections=9)], [coverage()])
    assert index.version() == new_index().version() == seen[-1]
    index.publish(run(2), [count()], [coverage()])
    seen.append(index.version())
    index.publish(run(day="2026-01-02"), [], [])
    seen.append(index.version())
    assert len(set(seen)) == 4


def test_the_rate_of_analysis_is_the_slowest_or_unknown_if_one_is_unknown(index: CountIndex) -> None:
    index.publish(
        run(),
        [],
        [
            coverage(analysed_fps=5.0),
            coverage(DAY_MS + MINUTE_MS, analysed_fps=1.5),
            coverage(DAY_MS + 3600_000, analysed_fps=4.0),
            coverage(DAY_MS + 3600_000 + MINUTE_MS),
        ],
    )
    for interval_s, rates in ((60, [5.0, 1.5, 4.0, None]), (3600, [1.5, None]), (86_400, [None])):
        found = index.histogram(CountQuery(model="m", base_interval_s=60, interval_s=interval_s))
        assert [one.slowest_fps for one in found.coverage] == rates


def test_hours_of_the_week_have_the_slowest_rate_of_their_weeks_or_none(index: CountIndex) -> None:
    rates = {0: 5.0, 1: 1.5, 60: 4.0, 61: None, 7 * 1440: 0.0}  # by minutes: DAY is a Thursday
    for week in (0, 7):
        of_week = {at: fps for at, fps in rates.items() if at // 1440 == week}
        index.publish(
            run(day="2026-01-01" if not week else "2026-01-08"),
            [count(DAY_MS + at * MINUTE_MS, objects=1) for at in of_week],
            [coverage(DAY_MS + at * MINUTE_MS, analysed_fps=fps) for at, fps in of_week.items()],
        )
    asked: dict[str, Any] = {"model": "m", "base_interval_s": 60}
    found = index.week_hours(CountQuery(**asked))
    assert found == [
        WeekHour(72, 3, 3, 1, None, 0.0, least_objects=3),
        WeekHour(73, 2, 2, 1, None, None, least_objects=2),
    ]
    assert index.week_hours(CountQuery(**asked, labels=["none"])) == [
        WeekHour(72, 3, 0, 0, None, 0.0, 0),
        WeekHour(73, 2, 0, 0, None, None, 0),
    ]


def test_tracked_and_covered_time_is_summed_and_unknown_if_a_part_is_unknown(index: CountIndex) -> None:
    index.publish(
        run(),
        [
            count(label="car", detections=4, objects=1, tracked_detections=3),
            count(DAY_MS + MINUTE_MS, label="car", detections=2, objects=0, tracked_detections=0),
            count(label="bus", objects=1, tracked_detections=1),
            count(DAY_MS + MINUTE_MS, label="bus"),
        ],
        [
            coverage(objects=2, analysed_fps=5.0, covered_ms=3_000),
            coverage(DAY_MS + MINUTE_MS, objects=1, analysed_fps=5.0, covered_ms=60_000),
            coverage(DAY_MS + 3600_000, analysed_fps=1.5, covered_ms=10),  # too slow
            coverage(DAY_MS + 2 * 3600_000),  # objects were not tracked
        ],
    )
    hour = index.histogram(CountQuery(model="m", base_interval_s=60, interval_s=3600))
    assert [(one.label, one.tracked_detections) for one in hour.buckets] == [("bus", None), ("car", 3)]
    found = [(one.objects, one.covered_ms) for one in hour.coverage]
    assert found == [(3, 63_000), (None, 10), (None, None)]
    cells = index.week_hours(CountQuery(model="m", base_interval_s=60, labels=["car"]))
    assert [(cell.objects, cell.tracked_detections, cell.covered_ms) for cell in cells] == [
        (1, 3, 63_000),
        (None, 0, 10),
        (None, 0, None),
    ]
    day = index.histogram(CountQuery(model="m", base_interval_s=60, interval_s=86_400))
    assert [(one.objects, one.covered_ms) for one in day.coverage] == [(None, None)]


def test_counted_days_show_which_run_of_a_day_was_published_last(
    index: CountIndex, new_index: Callable[[], CountIndex]
) -> None:
    def frames_in_order() -> list[tuple[int, int, int]]:
        days = sorted(index.counted_days("m"), key=lambda one: one.published)
        assert [*map(type, days)] == [CountedDay] * len(days)
        return [(one.base_interval_s, one.day_ms, one.frames) for one in days]

    writer = new_index()
    assert frames_in_order() == []
    writer.publish(run(), [], [])
    writer.publish(run(interval_s=5), [], [])
    writer.publish(run(model="n", interval_s=1), [], [])
    assert frames_in_order() == [(60, DAY_MS, 1), (5, DAY_MS, 1)]
    writer.publish(run(2), [], [])
    writer.publish(run(day="2026-01-02"), [], [])
    assert frames_in_order() == [(5, DAY_MS, 1), (60, DAY_MS, 1), (60, DAY_MS + 86_400_000, 1)]


def test_each_source_has_its_own_bars_on_request(index: CountIndex) -> None:
    index.publish(
        run(),
        [count(detections=2), count(source="yard", detections=3), count(label="bus", source="yard")],
        [coverage(frames=4), coverage(frames=5, source="yard")],
    )
    for interval_s in (60, 900, 86_400):
        found = index.histogram(
            CountQuery(model="m", base_interval_s=60, interval_s=interval_s, by_source=True)
        )
        assert found.buckets == [
            Bucket(DAY_MS, "bus", 1, 1, None, "yard"),
            Bucket(DAY_MS, "car", 2, 2, None, "gate"),
            Bucket(DAY_MS, "car", 3, 3, None, "yard"),
        ]
        assert [(one.source, one.frames) for one in found.coverage] == [("gate", 4), ("yard", 5)]


def test_only_the_chosen_parts_of_the_week_count_and_are_covered(index: CountIndex) -> None:
    for number, day in enumerate(("2026-01-01", "2026-01-02")):  # a Thursday and a Friday
        hours_ms = [DAY_MS + number * 86_400_000 + hour * 3600_000 for hour in range(24)]
        index.publish(
            run(day=day),
            [count(ms, detections=hour + 1, peak=hour + 1) for hour, ms in enumerate(hours_ms)],
            [coverage(ms, frames=2) for ms in hours_ms],
        )
    eight_to_ten = parts_of_week((480, 600), [4])
    asked: dict[str, Any] = {"model": "m", "base_interval_s": 60, "week_parts": eight_to_ten}
    for interval_s, starts in ((3600, [8, 9]), (86_400, [0])):
        found = index.histogram(CountQuery(**asked, interval_s=interval_s))
        assert [one.start_ms for one in found.coverage] == [DAY_MS + hour * 3600_000 for hour in starts]
        assert sum(one.frames for one in found.coverage) == 4
        assert sum(one.detections for one in found.buckets) == 9 + 10
    assert [hour.hour for hour in index.week_hours(CountQuery(**asked))] == [3 * 24 + 8, 3 * 24 + 9]
    [busiest] = index.evidence(CountQuery(**asked))
    assert busiest.interval_start_ms == DAY_MS + 9 * 3600_000
    assert total(index, week_parts=parts_of_week(None, [5])) == total(index) / 2


def test_a_part_of_the_week_that_does_not_fit_the_base_interval_is_refused(index: CountIndex) -> None:
    query = CountQuery(model="m", base_interval_s=3600, week_parts=parts_of_week((495, 540), []))
    for ask in (index.histogram, index.week_hours, index.evidence):
        with pytest.raises(Misconfigured, match="not a multiple of the stored 3600 s"):
            ask(query)


@pytest.mark.parametrize("offset_s", [1, 61, -59])
def test_an_offset_that_is_not_a_multiple_of_the_base_is_refused(index: CountIndex, offset_s: int) -> None:
    with pytest.raises(Misconfigured, match="is not a multiple of the stored 60 s"):
        index.histogram(CountQuery(model="m", base_interval_s=60, interval_s=3600, offset_ms=offset_s * 1000))
    with pytest.raises(Misconfigured, match="is not a multiple of the stored 60 s"):
        index.week_hours(CountQuery(model="m", base_interval_s=60, offset_ms=offset_s * 1000))


def test_hours_of_the_week_need_an_interval_that_divides_an_hour(index: CountIndex) -> None:
    with pytest.raises(Misconfigured, match="do not divide an hour"):
        index.week_hours(CountQuery(model="m", base_interval_s=86_400))


def test_a_query_that_exceeds_its_time_limit_is_ended_and_the_next_one_works(index: CountIndex) -> None:
    index.publish(run(), [count()], [coverage()])
    with pytest.raises(TookTooLong), time_limit(0.0):
        index.labels("m")
    with time_limit(60.0):
        assert index.labels("m") == [("car", 1)]
    assert index.labels("m") == [("car", 1)]


def test_any_whole_number_is_a_valid_query_time(index: CountIndex) -> None:
    index.publish(run(), [count()], [coverage()])
    assert total(index, from_ms=-(10**30), to_ms=10**30) == 1
    assert total(index, from_ms=10**30) == total(index, to_ms=-(10**30)) == 0


def test_too_many_names_in_one_query_are_refused(index: CountIndex) -> None:
    with pytest.raises(Misconfigured, match="give at most"):
        total(index, labels=[str(number) for number in range(100_000)])


def test_closing_twice_is_not_an_error(new_index: Callable[[], CountIndex]) -> None:
    index = new_index()
    index.close()
    index.close()


# Days around 1970, so that negative times are rounded down as well.
EPOCH_DAYS = {"1969-12-31": -1, "1970-01-01": 0, "1970-01-02": 1}


@st.composite
def published_counts(draw: st.DrawFn) -> list[IntervalCount]:
    made: dict[tuple[int, str, str], IntervalCount] = {}
    for number in range(draw(st.integers(0, 25))):
        start_ms = draw(st.integers(-1440, 2879)) * MINUTE_MS
        source, label = draw(st.sampled_from(["gate", "yard"])), draw(st.sampled_from(["car", "bus"]))
        boxes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
        shown = [
            Evidence(
                image_path=f"images/{source}/{number}-{n}",
                captured_at_ms=start_ms + draw(st.integers(0, 3)),
                count=count,
            )
            for n, count in enumerate(boxes)
        ]
        shown.sort(key=lambda item: (-item.count, item.captured_at_ms, item.image_path))
        made[start_ms, source, label] = count(
            start_ms,
            label,
            sum(boxes),
            source=source,
            peak=max(boxes),
            evidence=shown,
            objects=draw(st.none() | st.integers(0, 3)),
            tracked_detections=draw(st.none() | st.integers(0, 3)),
            fast_objects=draw(st.none() | st.integers(0, 1)),
        )
    return list(made.values())


def covered(start_ms: int, source: str) -> Coverage:
    """Two frames; by the minute, some values are unknown."""
    minute = start_ms // MINUTE_MS
    return coverage(
        start_ms,
        2,
        source=source,
        objects=None if minute % 11 == 0 else minute % 3,
        covered_ms=None if minute % 13 == 0 else minute % 60_000,
    )


@pytest.mark.thorough
@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    counts=published_counts(),
    minutes=st.sampled_from([1, 7, 15, 30, 60, 360, 1440, 4320]),
    offset_minutes=st.sampled_from([0, 60, -300, 330, 345, 1, -1440]),
    by_source=st.booleans(),
    sources=st.sampled_from([None, ["gate"], ["yard", "gate"], ["none"]]),
    labels=st.sampled_from([None, ["bus"], ["car", "bus", "none"]]),
    apart=st.sampled_from([None, [], ["bus"], ["none", "car"]]),
    from_ms=st.none() | st.integers(-86_400_000, 86_400_000),
    to_ms=st.none() | st.integers(-86_400_000, 180_000_000),
    limit=st.integers(1, 4),
    hours=st.none() | st.tuples(*2 * [st.sampled_from([0, 7, 60, 480, 495, 720, 1320, 1440])]),
    weekdays=st.sets(st.integers(1, 7)),
)
def test_answers_match_a_plain_count(
    tmp_path_factory: pytest.TempPathFactory,
    counts: Any,
    minutes: Any,
    offset_minutes: Any,
    by_source: bool,
    sources: Any,
    labels: Any,
    apart: Any,
    from_ms: Any,
    to_ms: Any,
    limit: int,
    hours: Any,
    weekdays: Any,
) -> None:
    index = open_count_index(f"sqlite:///{tmp_path_factory.mktemp('plain') / 'index.sqlite'}")
    for day, number in EPOCH_DAYS.items():
        of_day = [c for c in counts if c.interval_start_ms // 86_400_000 == number]
        seen = sorted({(c.interval_start_ms, c.source) for c in of_day})
        index.publish(run(day=day), of_day, [covered(at_ms, source) for at_ms, source in seen])
    asked: dict[str, Any] = {
        "sources": sources or [],
        "labels": labels or [],
        "from_ms": from_ms,
        "to_ms": to_ms,
    }
    offset_ms = offset_minutes * MINUTE_MS
    asked["week_parts"] = shift(parts_of_week(hours, weekdays), -offset_ms)
    histogram = index.histogram(
        CountQuery(
            model="m",
            base_interval_s=60,
            interval_s=minutes * 60,
            offset_ms=offset_ms,
            by_source=by_source,
            apart=apart,
            **asked,
        )
    )
    week = index.week_hours(CountQuery(model="m", base_interval_s=60, offset_ms=offset_ms, **asked))
    evidence = index.evidence(CountQuery(model="m", base_interval_s=60, **asked), limit_per_label=limit)
    index.close()

    def is_chosen(ms: int) -> bool:
        first, end = hours or (0, 1440)
        end += 1440 * (end <= first)
        minute = (ms + offset_ms) // MINUTE_MS + 4320  # since a Monday: 1970 began on a Thursday
        days = weekdays or {1, 2, 3, 4, 5, 6, 7}
        # The day before contains the part that continues past midnight.
        return any(
            minute // 1440 % 7 + 1 == (day + past - 1) % 7 + 1 and first <= minute % 1440 + 1440 * past < end
            for day in days
            for past in (0, 1)
        )

    in_range = [
        c
        for c in counts
        if (sources is None or c.source in sources)
        and (from_ms is None or c.interval_start_ms >= from_ms)
        and (to_ms is None or c.interval_start_ms < to_ms)
        and is_chosen(c.interval_start_ms)
    ]
    length_ms = minutes * MINUTE_MS
    bar_of = lambda ms: (ms + offset_ms) // length_ms * length_ms - offset_ms  # noqa: E731
    # 1970 began on a Thursday, 72 hours after Monday.
    hour_of = lambda ms: ((ms + offset_ms) // 3_600_000 + 72) % 168  # noqa: E731
    filmed, of_week = defaultdict(list), defaultdict(list)
    for start_ms, source in {(c.interval_start_ms, c.source) for c in in_range}:
        filmed[bar_of(start_ms), source if by_source else ""].append(covered(start_ms, source))
        of_week[hour_of(start_ms)].append(covered(start_ms, source))

    def known(parts: Any, name: str) -> int | None:
        numbers = [getattr(part, name) for part in parts]
        return None if None in numbers else sum(numbers)

    assert histogram.coverage == [
        CoverageBucket(
            start_ms,
            2 * len(parts),
            None,
            source or None,
            known(parts, "objects"),
            known(parts, "covered_ms"),
        )
        for (start_ms, source), parts in sorted(filmed.items())
    ]

    def sums(of_bar: Any) -> tuple[int, int, int | None]:
        return (
            sum(c.detections for c in of_bar),
            max((c.peak for c in of_bar), default=0),
            known(of_bar, "objects"),
        )

    selected = [c for c in in_range if labels is None or c.label in labels]
    bars, hours = defaultdict(list), defaultdict(list)
    for c in selected:
        label = c.label if apart is None or c.label in apart else ""
        bars[bar_of(c.interval_start_ms), label, c.source if by_source else ""].append(c)
        hours[hour_of(c.interval_start_ms)].append(c)
    assert histogram.buckets == [
        Bucket(
            start_ms,
            label,
            *sums(bars[start_ms, label, source]),
            source or None,
            known(bars[start_ms, label, source], "tracked_detections"),
            None,
            known(bars[start_ms, label, source], "fast_objects"),
        )
        for start_ms, label, source in sorted(bars)
    ]
    assert [hour._replace(objects=None, least_objects=None, objects_missing=None) for hour in week] == [
        WeekHour(
            hour,
            2 * len(parts),
            *sums(hours[hour])[:2],
            None,
            None,
            known(hours[hour], "tracked_detections"),
            known(parts, "covered_ms"),
        )
        for hour, parts in sorted(of_week.items())
    ]
    # A value that was not measured for any label is unknown, not 0, for labels without objects.
    assert [hour.objects for hour in week] == [
        None if known(parts, "objects") is None else known(hours[hour], "objects")
        for hour, parts in sorted(of_week.items())
    ]

    def least(hour: int) -> int | None:
        of_labels = [[c for c in hours[hour] if c.label == label] for label in {c.label for c in hours[hour]}]
        strong = [of_label for of_label in of_labels if not is_weak(of_label)]
        return known([c for of_label in strong for c in of_label], "objects") if strong else None

    def is_weak(of_label: Any) -> bool:
        objects, tracked = known(of_label, "objects"), known(of_label, "tracked_detections")
        if objects is None or tracked is None:
            return False
        return bool(is_too_weak(sum(c.detections for c in of_label), tracked))

    # Nothing is known of labels that were seen too weakly; of the others, at least those that were followed.
    assert [hour.least_objects for hour in week if hour.objects is not None] == [
        least(hour.hour) for hour in week if hour.objects is not None
    ]
    shown = [
        IndexedEvidence(c.source, c.label, c.interval_start_ms, item) for c in selected for item in c.evidence
    ]
    order = lambda i: (-i.evidence.count, i.evidence.captured_at_ms, i.evidence.image_path)  # noqa: E731
    expected = []
    for label in sorted({item.label for item in shown}):
        expected += sorted((item for item in shown if item.label == label), key=order)[:limit]
    assert evidence == expected
