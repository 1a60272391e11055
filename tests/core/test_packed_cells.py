"""Each stored step gives the same answer, cached or not, in one batch or many; caches never serve
old data."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.fakes.records import make_count, make_coverage, make_run

from frametally import keys
from frametally.adapters.day_cells import busiest_bars, day_index, storage
from frametally.adapters.day_cells import sums as day_sums
from frametally.adapters.day_cells.day_index import unpack_late
from frametally.adapters.day_cells.storage import CurrentRun, KeptCells
from frametally.adapters.sql.index.counts import SqlIndex
from frametally.ports.count_index import CountQuery
from frametally.process.time_limit import TookTooLong, time_limit
from frametally.records import Coverage, Evidence, IntervalCount, Run

DAY_MS, HOUR_MS, BASE_MS = 86_400_000, 3_600_000, 900_000
FIRST_MS = keys.day_start_ms("2026-03-01")
DAYS = 4
LABELS = ["car", "größe", "a'b", "Zug", "bus"]
SOURCES = ["gate", "yard", "quay"]
UNKNOWN = "nothing of that name"


def run_of(day_ms: int, sequence: int = 1) -> Run:
    return make_run(sequence, interval_s=BASE_MS // 1000, day=keys.utc_day(day_ms), parts=[])


def count(
    start_ms: int, label: str, source: str, detections: int = 3, objects: int | None = 1
) -> IntervalCount:
    return make_count(
        start_ms,
        label,
        detections,
        source=source,
        interval_s=BASE_MS // 1000,
        frames=5,
        peak=detections % 5 + 1,
        objects=objects,
        evidence=[Evidence(image_path=f"images/{start_ms}", captured_at_ms=start_ms, count=1)],
    )


def cover(start_ms: int, source: str, fps: float | None = 5.0) -> Coverage:
    return make_coverage(start_ms, 5, source=source, interval_s=BASE_MS // 1000, analysed_fps=fps)


# Few hours, so that many runs share one.
starts = st.builds(
    lambda day, hour, quarter: day * 96 + hour * 4 + quarter,
    st.integers(0, DAYS - 1),
    st.sampled_from([0, 11, 12, 23]),
    st.integers(0, 3),
)
cells = st.dictionaries(
    st.tuples(starts, st.sampled_from(LABELS), st.sampled_from(SOURCES)),
    st.tuples(st.sampled_from([1, 2, 30, 2**31 + 5]), st.none() | st.integers(0, 9)),
    min_size=20,
    max_size=80,
)
filmed = st.dictionaries(
    st.tuples(starts, st.sampled_from(SOURCES)),
    st.none() | st.sampled_from([0.5, 5.0, 25.0]),
    min_size=10,
    max_size=40,
)
borders = st.none() | st.integers(-9, DAYS * 96 + 9).map(lambda n: FIRST_MS + n * BASE_MS)


@pytest.mark.parametrize("blank", [None, b"", b"\0" * 56], ids=["not looked at", "nothing blank", "blank"])
def test_cells_without_a_track_keep_whether_their_pictures_were_checked(blank: bytes | None) -> None:
    packed = storage.Packed(["car"], ["gate"], b"", "<i4", b"", blank=blank)
    assert storage.decode_packed(storage.encoded(packed)) == packed


@pytest.mark.thorough
@given(
    cells,
    filmed,
    borders,
    borders,
    st.sampled_from([1, 2, 5, 24, 36, 168]),
    st.integers(-26, 26),
    st.lists(st.sampled_from([*LABELS, UNKNOWN]), max_size=3),
    st.lists(st.sampled_from([*SOURCES, UNKNOWN]), max_size=2),
    st.booleans(),
)
@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_step_gives_the_same_answer_cached_or_not_and_in_any_batches(
    tmp_path_factory: pytest.TempPathFactory,
    of_cells: dict[Any, Any],
    of_coverage: dict[Any, Any],
    from_ms: int | None,
    to_ms: int | None,
    hours: int,
    offset_h: int,
    labels: list[str],
    sources: list[str],
    by_source: bool,
) -> None:
    path = tmp_path_factory.mktemp("index") / "index.sqlite"
    index = SqlIndex(f"sqlite:///{path}")
    for day in range(DAYS):
        index.publish(
            run_of(FIRST_MS + day * DAY_MS),
            [
                count(FIRST_MS + n * BASE_MS, label, source, detections, objects)
                for (n, label, source), (detections, objects) in of_cells.items()
                if n // 96 == day
            ],
            [
                cover(FIRST_MS + n * BASE_MS, source, fps)
                for (n, source), fps in of_coverage.items()
                if n // 96 == day
            ],
        )
    asked: dict[str, Any] = {
        "model": "m",
        "base_interval_s": BASE_MS // 1000,
        "labels": labels,
        "sources": sources,
        "from_ms": from_ms,
        "to_ms": to_ms,
        "offset_ms": offset_h * HOUR_MS,
    }

    def answers() -> list[Any]:
        return [
            index.histogram(CountQuery(**asked, interval_s=hours * 3600, by_source=by_source)),
            index.week_hours(CountQuery(**asked)),
            SqlIndex(f"sqlite:///{path}").labels("m"),
        ]

    packed = answers()
    kept = answers()
    index._kept_cells = KeptCells(unpack_late, most_bytes=400)  # about a run: batches, and nothing stays long
    in_batches = answers()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(day_index, "_SLOTS_AT_ONCE", 1)
        by_days = answers()
        patch.setattr(day_sums, "_MOST_CELLS", 1)
        patch.setattr(day_sums, "_MOST_GROUPS", 2)
        sparse = answers()
        for module in (day_index, busiest_bars):
            patch.setattr(module, "usable_steps", lambda base_interval_s, *_, **__: [base_interval_s])
        of_base = answers()
    index.close()
    assert packed == kept == in_batches == by_days == sparse == of_base


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[list[SqlIndex]]:
    """One file, opened twice."""
    indexes = [SqlIndex(f"sqlite:///{tmp_path / 'index.sqlite'}") for _ in range(2)]
    yield indexes
    for index in indexes:
        index.close()


def whole(index: SqlIndex) -> list[Any]:
    return [
        index.series(),
        index.labels("m"),
        index.sources("m"),
        index.histogram(CountQuery(model="m", base_interval_s=900, interval_s=3600)).buckets,
    ]


def test_another_processs_publication_is_seen_at_once(opened: list[SqlIndex]) -> None:
    reader, writer = opened
    assert whole(reader) == [[], [], [], []]
    for sequence, number in ((1, 7), (2, 9)):  # a new day, and the day counted again
        writer.publish(
            run_of(FIRST_MS, sequence),
            [count(FIRST_MS, "car", "gate", detections=number)],
            [cover(FIRST_MS, "gate")],
        )
        assert reader.labels("m") == [("car", number)]
        assert [one.source for one in reader.sources("m")] == ["gate"]
        assert [bar.detections for bar in whole(reader)[3]] == [number]
    assert whole(reader) == whole(writer)
    assert len({key[:2] for key in reader._kept_cells._cells}) == 1


def test_a_new_database_with_the_same_numbers_is_not_mistaken_for_the_old_one(
    opened: list[SqlIndex], tmp_path: Path
) -> None:
    reader, _ = opened
    for run_id, number in (("000001-aaaaaaaaaaaaaaaa", 7), ("000001-bbbbbbbbbbbbbbbb", 9)):
        for suffix in ("", "-wal", "-shm"):
            (tmp_path / f"index.sqlite{suffix}").unlink(missing_ok=True)
        writer = SqlIndex(f"sqlite:///{tmp_path / 'index.sqlite'}")
        run = msgspec.structs.replace(run_of(FIRST_MS), run_id=run_id)
        writer.publish(run, [count(FIRST_MS, "car", "gate", detections=number)], [cover(FIRST_MS, "gate")])
        assert [bar.detections for bar in whole(reader)[3]] == [number]
        writer.close()


def test_a_caller_may_change_the_answer_it_received(opened: list[SqlIndex]) -> None:
    index, _ = opened
    index.publish(run_of(FIRST_MS), [count(FIRST_MS, "car", "gate")], [cover(FIRST_MS, "gate")])
    before = copy.deepcopy(whole(index))
    for answer in (index.series(), index.labels("m"), index.sources("m")):
        answer.clear()
    assert whole(index) == before


def test_the_cache_stays_within_its_limit_and_drops_the_least_recently_used_first(
    opened: list[SqlIndex],
) -> None:
    index, _ = opened
    for day in range(3):
        start_ms = FIRST_MS + day * DAY_MS
        index.publish(run_of(start_ms), [count(start_ms, "car", "gate")], [cover(start_ms, "gate")])
    one = index._kept_cells

    def ask(day: int) -> None:
        start_ms = FIRST_MS + day * DAY_MS
        index.histogram(
            CountQuery(
                model="m", base_interval_s=900, interval_s=3600, from_ms=start_ms, to_ms=start_ms + DAY_MS
            )
        )

    ask(0)
    index._kept_cells = kept = KeptCells(unpack_late, most_bytes=2 * one._bytes)
    for day in (0, 1, 0, 2):
        ask(day)
        assert kept._bytes <= 2 * one._bytes
        assert kept._bytes == sum(hours.bytes for hours in kept._cells.values())
    assert sorted(number for number, *_ in kept._cells) == [1, 3]


def test_a_read_that_ran_out_of_time_resumes_where_it_was_at_the_next_call(
    opened: list[SqlIndex], monkeypatch: pytest.MonkeyPatch
) -> None:
    index, _ = opened
    for day in range(3):
        start_ms = FIRST_MS + day * DAY_MS
        index.publish(run_of(start_ms), [count(start_ms, "car", "gate")], [cover(start_ms, "gate")])
    monkeypatch.setattr(storage, "RUNS_AT_ONCE", 1)
    load = KeptCells._load
    loaded: list[Any] = []

    def slow(self: KeptCells, connection: Any, runs: Any, step_s: int) -> Any:
        if len(loaded) == 2:
            loaded.append(None)
            raise TookTooLong("too long")
        loaded.append(runs)
        return load(self, connection, runs, step_s)

    monkeypatch.setattr(KeptCells, "_load", slow)
    with pytest.raises(TookTooLong):
        index.labels("m")
    assert len(index._kept_cells._cells) == 2
    assert index.labels("m") == [("car", 9)]
    assert len(loaded) == 4


def test_waiting_for_another_readers_hours_ends_at_ones_own_time_limit() -> None:
    kept = KeptCells(unpack_late)
    run = CurrentRun(1, 2, FIRST_MS)
    with kept._loading[60], pytest.raises(TookTooLong), time_limit(0.05):
        kept.read(None, [run], 60)  # type: ignore[arg-type]
