"""Superseded runs are removed from the store, but never one that a reader, a proof or a repair needs."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.records import make_run

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.books.runs import current_days, read_parts
from frametally.books.superseded import KEPT_MS, remove_superseded
from frametally.errors import Poison, Retryable
from frametally.history_records import HourFile, HourList
from frametally.ports.object_store import ObjectStore
from frametally.records import Run, encode
from frametally.rules.times import DAY_MS

NOON_MS = 1_767_268_800_000
DAY = "2026-01-01"
MINUTE_MS = 60_000


class Publications:
    """A store of files in which each run was published at the test's times."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store: ObjectStore = open_object_store(folder.as_uri())

    def publish(
        self,
        sequence: int,
        at_ms: int,
        *,
        params: str = "0" * 8,
        day: str = DAY,
        model: str = "m",
        **more: Any,
    ) -> Run:
        run = make_run(sequence, digest=f"{sequence:064x}", params=params, day=day, model=model)
        run = msgspec.structs.replace(run, parts_crc32=[zlib.crc32(b"")], **more)
        self.put(f"{run.prefix}/part-00000.gz", at_ms, gzip.compress(b""))
        self.put(keys.quality_key(run.prefix), at_ms)
        listed = hours_of(run)
        if self.store.head(shared := listed.file_key("gate", 7)) is None:
            self.put(shared, at_ms)
        self.put(listed.file_key("gate", 8), at_ms)
        self.put(listed.key, at_ms, encode(listed))
        self.put(f"{run.prefix}/_SUCCESS", at_ms)
        self.put(f"{keys.tracks_folder(run.prefix)}/t-0", at_ms)
        self.put(pointer_of(run), at_ms, encode(run))
        return run

    def put(self, key: str, at_ms: int, data: bytes = b"x") -> None:
        self.store.put(key, data)
        os.utime(self.folder / key, (at_ms / 1000, at_ms / 1000))

    def stored(self) -> set[str]:
        tops = (keys.OUTPUT, keys.TRACKS, keys.HOURS)
        return {info.key for top in tops for info in self.store.list(top)}

    def is_whole(self, run: Run) -> bool:
        return {
            pointer_of(run),
            f"{run.prefix}/part-00000.gz",
            keys.quality_key(run.prefix),
            f"{keys.tracks_folder(run.prefix)}/t-0",
            hours_of(run).key,
            *(hours_of(run).file_key("gate", hour) for hour in (7, 8)),
        } <= self.stored()

    def is_gone(self, run: Run) -> bool:
        tracks = keys.tracks_folder(run.prefix)
        return pointer_of(run) not in self.stored() and not any(
            key.startswith((f"{run.prefix}/", f"{tracks}/")) for key in self.stored()
        )


def hours_of(run: Run) -> HourList:
    """The run's list: an unchanged hour, and one that no other run has."""
    about = {name: getattr(run, name) for name in ("run_id", "model", "params", "interval_s", "day")}
    files = {7: HourFile("7" * 16, 0), 8: HourFile(f"{run.sequence:016x}", 0), 9: HourFile("9" * 16, None)}
    return HourList(**about, hours={"gate": files})


def pointer_of(run: Run) -> str:
    return keys.run_pointer_key(run.model, run.params, run.interval_s, run.day, run.sequence)


@pytest.fixture
def published(tmp_path: Path) -> Iterator[Publications]:
    made = Publications(tmp_path / "store")
    with closing(made.store):
        yield made


@pytest.mark.thorough
def test_a_day_counted_over_and_over_keeps_the_current_run_and_the_one_before(
    published: Publications,
) -> None:
    runs = [published.publish(n, NOON_MS + n * 2 * KEPT_MS) for n in range(1, 31)]
    assert remove_superseded(published.store, [runs[-1]]).runs == 28
    assert all(published.is_gone(run) for run in runs[:-2])
    kept = {hours_of(run).file_key("gate", hour) for run in runs[-2:] for hour in (7, 8)}
    assert {info.key for info in published.store.list(keys.HOURS)} == kept
    assert published.is_whole(runs[-2])
    assert published.is_whole(runs[-1])
    assert remove_superseded(published.store, [runs[-1]]) == (0, 0)


def test_the_run_that_the_index_still_holds_keeps_its_tracks(published: Publications) -> None:
    runs = [published.publish(n, NOON_MS + n * 2 * KEPT_MS) for n in range(1, 7)]
    assert remove_superseded(published.store, [runs[1]]).runs == 3
    assert published.is_whole(runs[1])


def test_a_reader_of_a_superseded_run_has_an_hour_to_finish(published: Publications) -> None:
    runs = [published.publish(n, NOON_MS + n * MINUTE_MS) for n in range(1, 7)]
    assert remove_superseded(published.store, [runs[-1]]).runs == 0
    published.publish(7, NOON_MS + KEPT_MS + 3 * MINUTE_MS)
    assert remove_superseded(published.store, [runs[-1]]).runs == 2
    assert [published.is_gone(run) for run in runs] == [True, True, False, False, False, False]


@pytest.mark.thorough
def test_a_day_counted_every_five_seconds_keeps_ten_superseded_runs(published: Publications) -> None:
    runs = [published.publish(n, NOON_MS + n * 5_000) for n in range(1, 31)]
    assert remove_superseded(published.store, [runs[3], runs[-1]]).runs == 18
    kept = [run.sequence for run in runs if published.is_whole(run)]
    assert kept == [4, *range(20, 31)]
    assert all(published.is_gone(run) for run in runs if run.sequence not in kept)


def test_a_reader_of_a_removed_run_is_told_to_try_again(published: Publications) -> None:
    first = published.publish(1, NOON_MS)
    reading = read_parts(published.store, first)
    for number in range(2, 14):
        last = published.publish(number, NOON_MS + number * 5_000)
    remove_superseded(published.store, [last])
    with pytest.raises(Retryable, match=f"{first.prefix} was replaced while it was read: try again"):
        next(reading)
    published.store.delete(f"{last.prefix}/part-00000.gz")
    with pytest.raises(Poison, match="is missing; restore it"):
        next(read_parts(published.store, last))


@pytest.mark.parametrize("ahead_ms", [0, 3650 * DAY_MS])
def test_a_pointer_or_clock_from_the_future_makes_no_run_older(
    published: Publications, ahead_ms: int
) -> None:
    runs = [published.publish(n, NOON_MS + n * 5_000) for n in range(1, 6)]
    other_day = published.publish(1, NOON_MS + 3650 * DAY_MS - ahead_ms, day="2025-12-31")
    assert remove_superseded(published.store, [runs[-1]], NOON_MS + MINUTE_MS + ahead_ms).runs == 0
    assert all(published.is_whole(run) for run in [*runs, other_day])


def test_runs_counted_with_other_settings_belong_to_the_same_day(published: Publications) -> None:
    runs = [published.publish(n, NOON_MS + n * 2 * KEPT_MS, params=f"{n % 2}" * 8) for n in range(1, 7)]
    remove_superseded(published.store, [runs[-1]])
    assert [published.is_gone(run) for run in runs] == [True, True, True, True, False, False]


def test_remains_of_a_publication_that_died_before_its_pointer_are_removed_too(
    published: Publications,
) -> None:
    for number in (1, 3, 4, 5):
        published.publish(number, NOON_MS + number * 2 * KEPT_MS)
    orphan = make_run(2, digest="f" * 64)
    ahead = make_run(6, digest="e" * 64)
    for run in (orphan, ahead):
        published.put(f"{run.prefix}/part-00000.gz", NOON_MS)
        published.put(f"{keys.tracks_folder(run.prefix)}/t-0", NOON_MS)
    remove_superseded(published.store, [])
    assert published.is_gone(orphan)
    assert f"{ahead.prefix}/part-00000.gz" in published.stored()  # its pointer may follow in a moment


def test_hour_files_of_the_last_hour_stay_since_a_round_may_be_about_to_list_them(
    published: Publications,
) -> None:
    runs = [published.publish(n, NOON_MS + n * 2 * KEPT_MS) for n in range(1, 5)]
    old, young = (hours_of(run).file_key("gate", hour) for run in [make_run(9)] for hour in (8, 7))
    young = young.replace("07-", "06-")
    published.put(old, NOON_MS + 8 * KEPT_MS - KEPT_MS - 1)
    published.put(young, NOON_MS + 8 * KEPT_MS - KEPT_MS + 1)
    remove_superseded(published.store, [runs[-1]])
    assert {old, young} & published.stored() == {young}


@pytest.mark.parametrize("harm", [lambda data: data[:-9], lambda data: b"{}"])
def test_no_hour_file_of_a_day_is_removed_while_its_list_is_damaged(
    published: Publications, harm: Callable[[bytes], bytes]
) -> None:
    runs = [published.publish(n, NOON_MS + n * 2 * KEPT_MS) for n in range(1, 5)]
    damaged = hours_of(runs[-1]).key
    published.put(damaged, NOON_MS, harm(published.store.get(damaged)))
    remove_superseded(published.store, [runs[-1]])
    assert len([*published.store.list(keys.HOURS)]) == 5


def test_hours_listed_by_another_interval_stay(published: Publications) -> None:
    runs = [published.publish(n, NOON_MS + n * 2 * KEPT_MS) for n in range(1, 5)]
    other = make_run(1, interval_s=3600)
    listed = msgspec.structs.replace(hours_of(other), hours=hours_of(runs[0]).hours)
    published.put(listed.key, NOON_MS, encode(listed))
    remove_superseded(published.store, [runs[-1]])
    assert hours_of(runs[0]).file_key("gate", 8) in published.stored()
    assert hours_of(runs[1]).file_key("gate", 8) not in published.stored()


@pytest.mark.parametrize("deletes", range(0, 12))
def test_a_removal_interrupted_anywhere_is_completed_by_the_next(
    published: Publications, deletes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [published.publish(n, NOON_MS + n * 2 * KEPT_MS) for n in range(1, 6)]
    left = [deletes]
    delete = published.store.delete

    def until_it_dies(key: str, *, durable: bool) -> None:
        if not left[0]:
            raise Retryable("the store is away")
        left[0] -= 1
        delete(key, durable=durable)

    monkeypatch.setattr(published.store, "delete", until_it_dies)
    with pytest.raises(Retryable):
        remove_superseded(published.store, [runs[-1]])
    monkeypatch.undo()
    [current] = current_days(published.store).values()
    assert current.run == runs[-1]
    remove_superseded(published.store, [runs[-1]])
    assert [published.is_gone(run) for run in runs] == [True, True, True, False, False]


@pytest.mark.thorough
@given(
    gaps=st.lists(st.tuples(st.integers(0, 3 * KEPT_MS), st.sampled_from(["a" * 8, "b" * 8])), max_size=8),
    indexed=st.integers(0, 7),
    rounds=st.integers(1, 3),
)
def test_in_any_order_of_publications_the_needed_runs_stay(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[tuple[int, str]], indexed: int, rounds: int
) -> None:
    published = Publications(tmp_path_factory.mktemp("store") / "store")
    with closing(published.store):
        at_ms, runs, put_at_ms = NOON_MS, [], []
        for number, (gap_ms, params) in enumerate(gaps, start=1):
            at_ms += gap_ms
            runs.append(published.publish(number, at_ms, params=params))
            put_at_ms.append(at_ms)
        in_index = runs[indexed : indexed + 1]
        for _ in range(rounds):
            remove_superseded(published.store, in_index)
        young = [run for run, next_ms in zip(runs, put_at_ms[1:], strict=False) if next_ms > at_ms - KEPT_MS]
        needed = [*runs[-2:], *in_index, *young]
        assert all(published.is_whole(run) for run in needed)
        assert all(published.is_gone(run) for run in runs if run not in needed)
