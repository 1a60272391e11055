"""Segments with counts in their headers are counted without their lines, to the same bytes."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples, first_quick
from tests.hadoop.conftest import MODEL, NOON_MS, Footage
from tests.hadoop.test_engines import HADOOP, streamed
from tests.hadoop.test_hours import drive, forget, from_nothing, stands

from frametally import keys
from frametally.records import Detection, FrameDetections, decode, encode
from frametally.rules.segment_counts import SegmentCounting
from frametally.segment_records import SegmentHeader
from frametally.segments.contents import encode_segment, read_segment
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.running import engine

USUAL = SegmentCounting(60, 2500, 0)
LINES_ALONE = ("gate", "yard")


def put(
    footage: Footage,
    frames: Sequence[FrameDetections],
    counting: SegmentCounting | None = USUAL,
    first_offset: int | None = None,
) -> str:
    """Put a segment as a consumer does that counts so."""
    first = footage._next_offset if first_offset is None else first_offset
    footage._next_offset = max(footage._next_offset, first + len(frames))
    data = encode_segment(
        model=MODEL,
        log_id="log-1",
        topic="frames",
        partition=0,
        first_offset=first,
        next_offset=first + len(frames),
        frames=frames,
        dead_letters=[],
        counting=counting,
    )
    key = keys.segment_key(MODEL, "log-1", "frames", 0, first)
    footage.store.put(key, data)
    return key


def by_lines(footage: Footage, **how: Any) -> dict[str, Any]:
    """What the same lines give where no header has counts."""
    with tempfile.TemporaryDirectory() as folder:
        bare = Footage(Path(folder))
        for info in footage.store.list(""):
            if info.key.startswith("metadata/"):
                segment = read_segment(footage.store, info.key)
                put(bare, segment.frames(), None, segment.header.first_offset)
            elif not info.key.startswith(("mapreduce-output/", "tracks/", "hours/")):
                bare.store.put(info.key, footage.store.get(info.key))
        bare.aggregate(**how)
        return stands(bare)


labels = st.lists(st.sampled_from(["car", "bus", "person"]), max_size=4)
frames = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.sampled_from(["gate", "yard"]),
        labels,
        st.sampled_from([0.2, 0.24995, 0.25, 0.9]),
    ),
    max_size=12,
)


@settings(max_examples=examples(75))
@given(
    st.lists(
        st.tuples(frames, st.sampled_from([USUAL, USUAL, USUAL, None, SegmentCounting(60, 5000, 0)])),
        max_size=5,
    ),
    st.sampled_from([{}, {"count_labels": "bus"}, {"count_min_confidence": 0.5}, {"count_min_side_px": 5}]),
    st.booleans(),
    st.booleans(),
)
def test_counts_in_headers_give_the_bytes_that_the_lines_give(
    segments: Sequence[Any], how: dict[str, Any], with_forgotten: bool, in_rounds: bool
) -> None:
    """Whatever repeats, meets in an interval, is forgotten, or was counted otherwise."""
    how = {"count_objects": False, **how}
    with tempfile.TemporaryDirectory() as folder:
        footage = Footage(Path(folder))
        for drawn, counting in segments:
            put(
                footage,
                [
                    msgspec.structs.replace(
                        footage.frame(NOON_MS + at * 2_000, *shown, source=source, confidence=confidence),
                        media=("ab" if source == "gate" else "cd") * 32,
                    )
                    for at, source, shown, confidence in drawn
                ],
                counting,
            )
            if in_rounds:
                footage.aggregate(**how)
        if with_forgotten:
            forget(footage, "ab" * 32, to_ms=NOON_MS + 60_000)
        assert footage.aggregate(**how).skipped == []
        expected = by_lines(footage, **how)
        counted = stands(footage)
        assert {name: counted.get(name) for name in expected} == expected


@pytest.fixture
def two(file_footage: Footage) -> Footage:
    """Two segments with counts, one after the other."""
    put(file_footage, drive(file_footage, NOON_MS))
    put(file_footage, drive(file_footage, NOON_MS + 10_000, first=100))
    return file_footage


def report_of(footage: Footage, **how: Any) -> tuple[int, int]:
    """How many segments were read by the counts in their headers, and how many by their lines."""
    report = footage.aggregate(**{"count_objects": False, **how})
    assert report.skipped == []
    return report.segments_by_counts, report.segments_read - report.segments_by_counts


@pytest.mark.parametrize("runner", first_quick(["inline", "local"]))
def test_segments_with_counts_are_not_read_by_their_lines(two: Footage, runner: str) -> None:
    assert report_of(two, runner=runner) == (2, 0)
    assert stands(two) == by_lines(two, count_objects=False)


def test_plain_streaming_reads_the_counts_to_the_same_bytes(
    two: Footage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two programs that Hadoop's streaming runs."""

    def stream(*, manifest: list[str], params: CountParams, **_: Any) -> list[bytes]:
        assert all(line.count("\tcounts") == 2 for line in manifest)
        options = ["--params", params.to_argument()]
        mapper, reducer = (
            [sys.executable, HADOOP / f"{side}.py", *options] for side in ("mapper", "reducer")
        )
        return streamed(mapper, reducer, manifest)

    with monkeypatch.context() as patched:
        patched.setattr("frametally_hadoop.running.outcome.run_job", stream)
        assert report_of(two) == (2, 0)
    assert stands(two) == by_lines(two, count_objects=False)


@pytest.mark.parametrize(
    "how",
    [{"count_min_confidence": 0.3}, {"count_min_side_px": 3}, {"interval_s": 300}, {"count_objects": True}],
)
def test_other_settings_and_objects_need_the_lines(two: Footage, how: dict[str, Any]) -> None:
    assert report_of(two, **how) == (0, 2)


def test_labels_are_chosen_from_the_counts(two: Footage) -> None:
    assert report_of(two, count_labels="bus") == (2, 0)
    assert stands(two) == by_lines(two, count_objects=False, count_labels="bus")


def test_frames_that_may_be_in_two_segments_are_read_by_their_lines(two: Footage) -> None:
    put(two, drive(two, NOON_MS + 2_000))  # the last two of the first segment come again
    assert report_of(two) == (1, 2)
    assert stands(two) == by_lines(two, count_objects=False)


def test_what_is_forgotten_needs_the_lines(two: Footage) -> None:
    put(two, drive(two, NOON_MS, source="yard", media="cd" * 32))
    forget(two, "ab" * 32, to_ms=NOON_MS + 1_000)
    assert report_of(two) == (1, 2)
    assert stands(two) == by_lines(two, count_objects=False)


def test_counts_of_another_version_are_not_used(two: Footage) -> None:
    first = next(iter(two.objects("metadata")))
    head, _, body = two.store.get(first).partition(b"\n")
    header = decode(head, SegmentHeader)
    assert header.counts
    other = {**header.counts, "counting_version": 7, "sources": "of another form"}
    two.store.put(first, encode(msgspec.structs.replace(header, counts=other)) + b"\n" + body)
    assert report_of(two) == (1, 1)
    assert stands(two) == by_lines(two, count_objects=False)


def test_counts_that_were_changed_are_a_damaged_segment_that_is_named(two: Footage) -> None:
    first = next(iter(two.objects("metadata")))
    two.store.put(
        first, two.store.get(first).replace(b'"frames":12', b'"frames":13', 1).replace(b",12,0,", b",13,0,")
    )
    report = two.aggregate(count_objects=False)
    [line] = report.skipped
    assert line.name == first and "checksum" in line.reason
    assert report.segments_by_counts == 1


def test_a_segment_that_was_put_again_without_counts_since_it_was_planned_is_read_by_its_lines(
    two: Footage, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next(iter(two.objects("metadata")))
    run_job = engine.run_job

    def put_again(**arguments: Any) -> Any:
        put(two, read_segment(two.store, first).frames(), None, 0)
        return run_job(**arguments)

    monkeypatch.setattr("frametally_hadoop.running.outcome.run_job", put_again)
    two.aggregate(count_objects=False)
    assert stands(two) == by_lines(two, count_objects=False)


@pytest.mark.parametrize(
    "spoil",
    [
        {"image_path": "images/yard/2026-01-01/1-abababababab-0.jpg"},
        {"detections": [Detection(label="car", confidence=1.5, box=(0, 0, 1, 1))]},
        {"detections": [Detection(label="car", confidence=0.5, box=(0, 0, 0, 1))]},
    ],
)
def test_a_header_has_no_counts_where_the_job_would_set_a_line_aside(
    two: Footage, spoil: dict[str, Any]
) -> None:
    frame = msgspec.structs.replace(two.frame(NOON_MS + 60_000, "car"), **spoil)
    key = put(two, [frame])
    assert read_segment(two.store, key).header.counts is msgspec.UNSET
    report = two.aggregate(count_objects=False)
    assert (len(report.skipped), report.segments_by_counts) == (1, 2)


def test_rounds_of_segments_with_counts_are_as_one_count_from_nothing(two: Footage) -> None:
    two.aggregate(count_objects=False)
    put(two, drive(two, NOON_MS + 5_400_000, first=200))
    assert report_of(two) == (1, 0)
    assert stands(two) == from_nothing(two, count_objects=False)
