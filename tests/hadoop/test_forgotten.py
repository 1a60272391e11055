"""Deleted footage is in no count, and only its days are counted again."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.day_segments import segments_of
from tests.hadoop.conftest import Footage

from frametally import keys
from frametally.adapters_by_url import open_count_index
from frametally.books.runs import DayKey, current_runs
from frametally.ports.count_index import CountQuery
from frametally.process.reports import NoProgress
from frametally.records import FrameDetections, encode
from frametally.rules.places import ZoneShape
from frametally.undo_records import Tombstone
from frametally_hadoop.job import lines
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.planning.plan import CountingPlan, DayPlan
from frametally_search.indexer import index_runs

MEDIUM, OTHER = "ab" * 32, "cd" * 32
NOON_MS, DAY_MS = 1_767_268_800_000, 86_400_000


def put_tombstone(footage: Footage, media: str = MEDIUM, *, source: str = "gate", **bounds: int) -> None:
    stone = Tombstone(media=media, source=source, name="cam.mp4", why="forget", **bounds)
    key = keys.tombstone_key(media, stone.from_ms, stone.to_ms)
    footage.store.put(key, encode(stone))


def of(frame: FrameDetections, media: str) -> FrameDetections:
    """The frame as part of another medium, at a path there."""
    path = keys.image_key(frame.source, frame.captured_at_ms, media, frame.frame_index)
    return msgspec.structs.replace(frame, media=media, image_path=path)


def batches(footage: Footage, media: tuple[str, ...], days: range) -> list[list[Any]]:
    return [
        [
            of(footage.frame(NOON_MS + day * DAY_MS + n * 1_000, "car", index=n), one)
            for n in range(3)
            for one in media
        ]
        for day in days
    ]


@pytest.mark.thorough
@pytest.mark.parametrize("runner", ["inline", "local"])
def test_counts_without_a_forgotten_medium_are_as_if_it_had_never_existed(
    file_footage: Footage, tmp_path: Path, runner: str
) -> None:
    footage = file_footage
    footage.segments(batches(footage, (MEDIUM, OTHER), range(2)))
    footage.aggregate(runner="inline")
    put_tombstone(footage)
    report = footage.aggregate(runner=runner)
    assert (len(report.runs), report.frames) == (2, 6)
    right = type(footage)(tmp_path / "right")
    right.segments(batches(right, (OTHER,), range(2)))
    right.aggregate(runner="inline")
    assert footage.parts() == right.parts()


def test_only_days_that_a_tombstone_touches_are_counted_again(footage: Footage) -> None:
    footage.segments(batches(footage, (MEDIUM,), range(5)))
    footage.aggregate()
    last_of_day_2 = NOON_MS + 2 * DAY_MS + 2_000
    put_tombstone(footage, first_captured_at_ms=NOON_MS + 2 * DAY_MS, last_captured_at_ms=last_of_day_2)
    report = footage.aggregate()
    assert [run.day for run in report.runs] == ["2026-01-03"]
    assert footage.aggregate().runs == []
    put_tombstone(footage, media=OTHER, source="yard")
    assert footage.aggregate().runs == []


def test_a_range_is_dropped_and_the_rest_stays(footage: Footage) -> None:
    footage.segments(batches(footage, (MEDIUM,), range(1)))
    put_tombstone(footage, from_ms=NOON_MS + 1_000, to_ms=NOON_MS + 2_000)
    assert footage.aggregate().frames == 2
    put_tombstone(footage, from_ms=NOON_MS + 2_000)
    assert footage.aggregate().frames == 1


def test_a_day_without_any_frame_left_is_empty_in_the_index_too(footage: Footage, tmp_path: Path) -> None:
    footage.segments(batches(footage, (MEDIUM,), range(1)))
    footage.aggregate()
    with closing(open_count_index(f"sqlite:///{tmp_path / 'index.sqlite'}")) as index:
        index_runs(store=footage.store, index=index, progress=NoProgress())
        [series] = index.series()
        asked: dict[str, Any] = {"model": series.model, "base_interval_s": 60, "interval_s": 60}
        assert index.histogram(CountQuery(**asked)).buckets
        put_tombstone(footage)
        [run] = footage.aggregate().runs
        assert (run.frames, run.sequence) == (0, 2)
        assert [one.frames for one in current_runs(footage.store)] == [0]
        report = index_runs(store=footage.store, index=index, progress=NoProgress())
        assert (len(report.published), report.skipped) == (1, [])
        found = index.histogram(CountQuery(**asked))
        assert (found.buckets, found.coverage) == ([], [])
        assert index.evidence(CountQuery(model=series.model, base_interval_s=60)) == []


def test_a_mediums_next_revision_counts_even_though_its_frames_have_the_same_paths(footage: Footage) -> None:
    frames = [footage.frame(NOON_MS + n * 1_000, "car", index=n) for n in range(3)]
    footage.segment(frames)
    footage.segment(
        [
            msgspec.structs.replace(frame, media=f"{MEDIUM}.1", detections=frame.detections * 2)
            for frame in frames
        ]
    )
    put_tombstone(footage)
    assert footage.aggregate().frames == 3
    assert b'"detections":6' in b"".join(footage.parts().values())


@given(st.one_of(st.none(), st.text(max_size=5), st.integers(), st.just(MEDIUM)))
def test_both_decoders_read_the_medium_in_the_same_way(media: object) -> None:
    fields = {
        "image_path": "images/gate/2026-01-01/1-ababababab12-0.jpg",
        "source": "gate",
        "captured_at_ms": 1,
        "model": "m",
        "detections": [],
    }
    for line in (msgspec.json.encode(fields), msgspec.json.encode(fields | {"media": media})):
        read: list[str | None] = []
        for decode in (lines.decode_with_standard_library, lines.decode_frame):
            try:
                read.append(decode(line).media)
            except lines.BadLine:
                read.append(None)
        assert read[0] == read[1]


def test_a_plan_with_many_tombstones_gives_each_segment_its_own(footage: Footage) -> None:
    footage.segments(batches(footage, (MEDIUM,), range(2)))
    first, second = (info.key for info in footage.store.list(keys.METADATA))
    day = footage.aggregate().runs[0]
    stone = Tombstone(media=MEDIUM, source="gate", name="n", why="forget")
    plans = [
        DayPlan((day.model, 60, "2026-01-01"), None, 1, segments_of(first), None, (stone,)),  # type: ignore[arg-type]
        DayPlan((day.model, 60, "2026-01-02"), None, 1, segments_of(second), None),  # type: ignore[arg-type]
    ]
    plan = CountingPlan(None, plans, [], [], [], {}, [], {}, [], {})  # type: ignore[arg-type]
    assert plan.not_counted() == {first: {MEDIUM: [(None, None)]}}


def test_zone_footage_is_unaffected_by_what_another_source_forgets() -> None:
    box = ZoneShape("box", ((0, 0), (3000, 0), (3000, 4800)))

    def within_zones(*sources: str) -> str:
        stones = tuple(Tombstone(media=MEDIUM, source=name, name="n", why="forget") for name in sources)
        day = DayPlan(
            key=DayKey("tiny-1", 60, "2026-01-01"),
            params=CountParams(),
            sequence=1,
            segments=segments_of("first"),
            current=None,
            own_tombstones=stones,
            zones={"gate": (box,)},
        )
        return day.zones_alone().footage_sha256()

    assert within_zones("yard") == within_zones()
    assert within_zones("gate") != within_zones()
