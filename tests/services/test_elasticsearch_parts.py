"""Hours that a run keeps in Elasticsearch, through kills and other indexers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from tests.fakes.at_once import at_once
from tests.fakes.count_indexes import (
    elasticsearch,
    everything,
    opened,
    publish_by_parts,
    refresh,
    rows_by_writer,
    rows_named,
)
from tests.fakes.records import make_count, make_coverage, make_run

from frametally.ports.count_index import CountIndex, CountQuery
from frametally.records import Coverage, Evidence, IntervalCount, Run
from frametally_search.index import publication as elasticsearch_publication
from frametally_search.index.queries import Moment

pytestmark = pytest.mark.services

DAY_MS = 1_767_225_600_000
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
KEPT_FROM = CountQuery("m", 60, from_ms=DAY_MS + MINUTE_MS, to_ms=DAY_MS + HOUR_MS)
"""A part of the first hour, so its frames are read from rows."""


@pytest.fixture
def pair() -> Iterator[tuple[Any, Any]]:
    """One index, as two processes have it."""
    with opened(elasticsearch) as make:
        yield make(), make()


class Died(Exception):
    """Simulates the end of the process."""


def records(*numbers: int) -> tuple[list[IntervalCount], list[Coverage]]:
    """Hours from midnight on with this many boxes a minute; 0 is an hour without footage."""
    starts = [
        (DAY_MS + hour * HOUR_MS + minute * MINUTE_MS, number)
        for hour, number in enumerate(numbers)
        if number
        for minute in range(3)
    ]
    counts = [
        make_count(ms, detections=n, evidence=[Evidence(image_path=f"{ms}/{n}", captured_at_ms=ms, count=n)])
        for ms, n in starts
    ]
    return counts, [make_coverage(ms, n) for ms, n in starts]


def publish(index: CountIndex, sequence: int, *numbers: int) -> bool:
    return publish_by_parts(index, run(sequence, *numbers), *records(*numbers))


def run(sequence: int, *numbers: int) -> Run:
    return make_run(sequence, frames=3 * sum(numbers))


def assert_it_is_whole(index: CountIndex, sequence: int, *numbers: int) -> None:
    """All answers match that run, and every document is referenced."""
    counts, coverage = records(*numbers)
    assert index.current_runs() == [run(sequence, *numbers)]
    assert index.differing_sources(run(sequence, *numbers), counts, coverage) == []
    shown = [item.evidence.image_path for item in index.evidence(KEPT_FROM, limit_per_label=9)]
    assert shown == [f"{DAY_MS + minute * MINUTE_MS}/{numbers[0]}" for minute in (1, 2)]
    assert rows_by_writer(index) == rows_named(index, counts, coverage)


def request_number(monkeypatch: pytest.MonkeyPatch, index: Any, number: int) -> None:
    """Make the process die at its `number`-th request from now on."""
    transport = type(index._cluster._client.transport)
    perform, left = transport.perform_request, [number]

    def dying(self: Any, *arguments: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise Died
        return perform(self, *arguments, **options)

    monkeypatch.setattr(transport, "perform_request", dying)


@pytest.mark.parametrize("then", ["the same again", "the next one"])
def test_killed_at_any_request_the_hours_stay_whole_and_the_next_round_leaves_nothing_behind(
    pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    index, _ = pair
    assert publish(index, 1, 1, 1, 1)
    sequence, last, seen, died = 1, (1, 1, 1), set(), True
    request = 0
    while died:
        request += 1
        sequence += 1
        before, numbers = everything(index), (1, sequence, 1 + sequence % 2)
        request_number(monkeypatch, index, request)
        try:
            died = not publish(index, sequence, *numbers)
        except Died:
            died = True
        monkeypatch.undo()
        is_new = index.current_runs() == [run(sequence, *numbers)]
        seen.add(is_new)
        assert is_new or everything(index) == before
        last = numbers if is_new else last
        [*_, item] = index.evidence(KEPT_FROM, limit_per_label=9)
        assert item.evidence.count == 1
        if then == "the next one":
            sequence += 1
            numbers = (1, sequence, 1)
        assert publish(index, sequence, *numbers) is not is_new or then == "the next one"
        if not is_new or then == "the next one":
            assert_it_is_whole(index, sequence, *numbers)
    assert seen == {True, False}
    assert request > 12
    assert publish(index, 99, 1, 1, 1)
    assert_it_is_whole(index, 99, 1, 1, 1)


Rounds = list[tuple[int, tuple[int, ...]]]
BETWEEN: dict[str, tuple[tuple[int, ...], Rounds, Rounds, tuple[int, tuple[int, ...]]]] = {
    # hours at first; the waiting round; another's run; the expected result
    "the hour that it keeps changes": ((1, 1), [(3, (1, 3))], [(2, (2, 1))], (3, (1, 3))),
    "the hour that it keeps vanishes": ((1, 1), [(3, (1, 3))], [(2, (0, 1))], (3, (1, 3))),
    "another keeps another hour": ((1, 1), [(3, (1, 3))], [(2, (2, 3))], (3, (1, 3))),
    "the same run from the same hours": ((1, 1), [(2, (1, 2))], [(2, (1, 2))], (2, (1, 2))),
    "the same run from other hours": ((1, 1), [(3, (1, 3))], [(2, (2, 3)), (3, (1, 3))], (3, (1, 3))),
    "a newer run keeps its hours": ((1, 1), [(2, (1, 2))], [(2, (1, 2)), (3, (3, 2))], (3, (3, 2))),
    "a newer run has none of its hours": ((1, 1), [(2, (2, 2))], [(3, (1, 3))], (3, (1, 3))),
}


@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("step", ["_index_documents", "_check_all_are_there"])
def test_what_another_indexer_publishes_before_the_switch_harms_no_hour(
    pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch, between: str, step: str
) -> None:
    index, other = pair
    first, [(sequence, numbers)], meanwhile, (last, last_numbers) = BETWEEN[between]
    assert publish(index, 1, *first)
    perform, rounds = getattr(elasticsearch_publication, step), iter([meanwhile])

    def after_the_others(*arguments: Any) -> Any:
        for round_between in next(rounds, ()):
            assert publish(other, round_between[0], *round_between[1])
        return perform(*arguments)

    monkeypatch.setattr(elasticsearch_publication, step, after_the_others)
    assert publish(index, sequence, *numbers) is (last > max(number for number, _ in meanwhile))
    for reader in pair:
        assert_it_is_whole(reader, last, *last_numbers)
    assert publish(index, 9, *last_numbers)
    assert_it_is_whole(index, 9, *last_numbers)


def test_an_hour_left_behind_by_several_killed_rounds_is_deleted_for_each_of_them(
    pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise Died

    index, _ = pair
    assert publish(index, 1, 1, 1)
    monkeypatch.setattr(elasticsearch_publication, "_delete_superseded", die)
    for sequence, numbers in ((2, (1, 2, 1)), (3, (1, 3, 1, 1))):  # each is named after an hour that stays
        with pytest.raises(Died):
            publish(index, sequence, *numbers)
    monkeypatch.undo()
    assert sum(len(rows) for rows in rows_by_writer(index).values()) == 2 * 3 * 6
    assert publish(index, 4, 1, 4, 1, 1)
    assert_it_is_whole(index, 4, 1, 4, 1, 1)


def test_an_indexer_that_cleans_up_late_deletes_nothing_that_is_referenced(
    pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    index, other = pair
    assert publish(index, 1, 1, 1)
    clean = elasticsearch_publication._delete_superseded

    def late(*arguments: Any) -> None:
        monkeypatch.undo()
        other.remove(run(2, 1, 2))  # like a repair
        assert publish(other, 1, 1, 1)
        refresh(other)
        clean(*arguments)

    monkeypatch.setattr(elasticsearch_publication, "_delete_superseded", late)
    assert publish(index, 2, 1, 2)
    assert_it_is_whole(index, 1, 1, 1)


def test_the_newer_round_of_two_simultaneous_indexers_stays_whole(pair: tuple[Any, Any]) -> None:
    for first in (1, 3, 5):
        numbered = [(index, first + number) for number, index in enumerate(pair)]
        at_once(*(partial(publish, index, n, 1, n, 1 + n % 2) for index, n in numbered))
        numbers = (1, first + 1, 1 + (first + 1) % 2)
        assert pair[0].differing_sources(run(first + 1, *numbers), *records(*numbers)) == []
    assert publish(pair[0], 99, 1, 7, 1)
    assert_it_is_whole(pair[0], 99, 1, 7, 1)


def test_frames_of_an_hour_replaced_during_the_query_come_from_the_newer_run(
    pair: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    index, other = pair
    assert publish(index, 1, 1, 1)
    assert publish(index, 2, 1, 2)
    read, rounds = Moment.sources, iter([(3, (3, 2))])

    def read_late(self: Moment, ids: Any, field: str) -> dict[str, dict[str, Any]]:
        if field == "evidence":
            for sequence, numbers in rounds:
                assert publish(other, sequence, *numbers)
                return {}  # as if a shard opened its view after the documents were deleted
        return read(self, ids, field)

    monkeypatch.setattr(Moment, "sources", read_late)
    [item] = index.evidence(KEPT_FROM)
    assert item.evidence.count == 3
