"""Planning finds new segments by listing and reads only those; tasks read splits of a set size."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from tests.hadoop.conftest import Footage, Reads

from frametally.process.reports import NoProgress
from frametally_hadoop.dry_run import dry_run
from frametally_hadoop.job.map_reduce import FrameGroups
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.job.reading import ENTRY_SEPARATOR
from frametally_hadoop.running import outcome
from frametally_hadoop.running.outcome import plan_splits

NOON_MS = 1_767_268_800_000
DAY_MS = 86_400_000


@pytest.fixture
def filmed(file_footage: Footage) -> Footage:
    """Two days in six segments, and five years of pictures in one."""
    for number in range(6):
        at_ms = NOON_MS + number % 2 * DAY_MS + number * 1000
        file_footage.segment([file_footage.frame(at_ms + n, "car", index=number * 10 + n) for n in range(4)])
    file_footage.segment([file_footage.frame(NOON_MS + n * 365 * DAY_MS, "car", index=90) for n in range(5)])
    return file_footage


def published_by(footage: Footage) -> dict[str, bytes]:
    tops = ("mapreduce-output", "tracks", "hours")
    return {key: data for top in tops for key, data in footage.objects(top).items()}


def test_an_aggregation_with_nothing_new_reads_no_segment(filmed: Footage) -> None:
    assert len(filmed.aggregate().runs) == 6
    reads = Reads(filmed, "metadata/")
    report = filmed.aggregate(store=reads.store)
    assert (report.runs, report.days_up_to_date, reads.keys) == ([], 6, [])
    dry_run(settings=filmed.settings, store=reads.store, progress=NoProgress())
    assert reads.keys == []


def test_of_many_segments_only_a_new_ones_header_is_read(filmed: Footage) -> None:
    filmed.aggregate()
    new = filmed.segment([filmed.frame(NOON_MS + 30 * DAY_MS, "car")])
    reads = Reads(filmed, "metadata/")
    assert [run.day for run in filmed.aggregate(store=reads.store).runs] == ["2026-01-31"]
    assert reads.keys == [new, new]  # its header; its address for the job


def test_a_dry_run_reads_new_headers_and_the_aggregation_does_not_read_them_again(filmed: Footage) -> None:
    reads = Reads(filmed, "metadata/")
    dry_run(settings=filmed.settings, store=reads.store, progress=NoProgress())
    headers = len(reads.keys)
    filmed.aggregate(store=reads.store)
    assert (headers, len(reads.keys)) == (8, 8 + 7)  # of the archive also its lines; then all addresses


def test_a_lost_ledger_changes_nothing(filmed: Footage) -> None:
    filmed.aggregate()
    published = filmed.objects("mapreduce-output")
    for path in filmed.settings.data_dir.glob("ledger.sqlite*"):
        path.unlink()
    assert filmed.aggregate().runs == []
    assert filmed.objects("mapreduce-output") == published


def test_a_segment_that_is_put_again_is_read_again(filmed: Footage) -> None:
    filmed.aggregate()
    key = next(iter(filmed.objects("metadata")))
    filmed.store.put(key, filmed.store.get(key))
    reads = Reads(filmed, "metadata/")
    assert filmed.aggregate(store=reads.store).runs == []
    assert key in reads.keys  # and frames of the same times


def test_a_task_reads_many_small_segments_and_the_split_size_changes_no_byte(
    filmed: Footage, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests = []
    run_job = outcome.run_job

    def noted(**options: Any) -> Any:
        manifests.append(options["manifest"])
        return run_job(**options)

    monkeypatch.setattr(outcome, "run_job", noted)
    filmed.aggregate()
    published = published_by(filmed)
    for key in published:
        filmed.store.delete(key)
    monkeypatch.setattr(outcome, "SPLIT_BYTES", 0)
    filmed.aggregate()
    assert {
        **filmed.objects("mapreduce-output"),
        **filmed.objects("tracks"),
        **filmed.objects("hours"),
    } == published
    assert [len(manifest) for manifest in manifests] == [1, 7]
    assert manifests[0][0].split(ENTRY_SEPARATOR) == manifests[1]


@given(st.lists(st.integers(0, 100)), st.integers(1, 100))
def test_splits_hold_every_segment_once_in_order_within_their_size(sizes: Any, split_bytes: int) -> None:
    splits = plan_splits(((str(n), size) for n, size in enumerate(sizes)), split_bytes=split_bytes)
    assert [key for split in splits for key in split] == [str(n) for n in range(len(sizes))]
    held = [[sizes[int(key)] for key in split] for split in splits]
    assert all(len(one) == 1 or sum(one) <= split_bytes for one in held)
    assert all(sum(one) + following[0] > split_bytes for one, following in pairwise(held))


def ignore(*_: object) -> None:
    """Counts nothing."""


@pytest.mark.parametrize("segments", [40, 400])
def test_a_mappers_memory_does_not_grow_with_its_input(file_footage: Footage, segments: int) -> None:
    """Its memory and its batches in bytes: the same for ten times the segments."""
    footage = file_footage
    frames = [footage.frame(NOON_MS + n * 200, *["car"] * 4, index=n) for n in range(50)]
    key = footage.segment(frames)
    segment_bytes = len(footage.store.get(key))
    groups = FrameGroups(CountParams(tracking=None), ignore, buffer_bytes=10 * segment_bytes)
    most = passed_on = 0
    for _ in range(segments):
        pairs = list(groups.add(footage.store.address(key)))
        passed_on += sum(len(value) for _, value in pairs)
        most = max(most, groups.held_bytes + sum(len(value) for _, value in pairs))
    passed_on += sum(len(value) for _, value in groups.drain())
    assert passed_on > 0.9 * segments * (segment_bytes - 500)
    assert most <= 11 * segment_bytes


def test_a_segment_larger_than_the_buffer_is_passed_on_while_it_is_read(file_footage: Footage) -> None:
    footage = file_footage
    frames = [footage.frame(NOON_MS + n * 200, *["car"] * 4, index=n) for n in range(5000)]
    key = footage.segment(frames)
    size_bytes = len(footage.store.get(key))
    groups = FrameGroups(CountParams(tracking=None), ignore, buffer_bytes=1)
    most = 0
    for _, _value in groups.add(footage.store.address(key)):
        most = max(most, groups.held_bytes)
    assert 0 < most < size_bytes / 2
