"""Of several base intervals, only those are read that have all the requested footage."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from frametally.books.counted_days import up_to_date
from frametally.ports.count_index import CountedDay

DAY_MS = 86_400_000


class Counted:
    """An index with these current runs: `(base interval, day, frames)`, in the order of publication."""

    def __init__(self, *runs: tuple[int, int, int]) -> None:
        self._runs = [
            CountedDay(base_s, day * DAY_MS, frames, number)
            for number, (base_s, day, frames) in enumerate(runs)
        ]

    def counted_days(self, model: str) -> list[CountedDay]:
        return self._runs


def chosen(
    index: Any, bases: list[int], from_day: float | None = None, to_day: float | None = None
) -> list[int]:
    from_ms, to_ms = (None if day is None else int(day * DAY_MS) for day in (from_day, to_day))
    return up_to_date(index, "m", bases, from_ms, to_ms)


def test_a_single_interval_is_chosen_without_reading_the_counts() -> None:
    assert chosen(None, [60]) == [60]


def test_an_interval_that_lacks_footage_of_a_day_is_not_read_for_that_day() -> None:
    index = Counted((60, 0, 5), (60, 1, 5), (1, 0, 5), (1, 1, 9), (1, 2, 4))
    assert chosen(index, [1, 60]) == [1]
    assert chosen(index, [1, 60], 0, 1) == [1, 60]
    assert chosen(index, [1, 60], 0.5, 1.0001) == [1]
    assert chosen(index, [1, 60], 2) == [1]
    assert chosen(index, [1, 60], 3) == [1, 60]


def test_an_interval_that_still_has_forgotten_footage_is_not_read() -> None:
    index = Counted((1, 0, 9), (1, 1, 9), (60, 0, 9), (60, 1, 9), (60, 0, 4), (60, 1, 0))
    index._runs = index._runs[:2] + index._runs[4:]
    assert chosen(index, [1, 60]) == [60]


def test_where_no_interval_has_everything_the_one_with_most_is_read() -> None:
    index = Counted((60, 0, 5), (1, 0, 7), (1, 1, 2), (60, 1, 9))
    assert chosen(index, [1, 60]) == [60]
    assert chosen(index, [1, 60], 0, 1) == [1]


@given(
    st.lists(st.tuples(st.sampled_from([1, 5, 60]), st.integers(0, 4), st.integers(0, 2)), max_size=12),
    st.none() | st.integers(0, 5),
    st.none() | st.integers(0, 5),
)
def test_some_interval_is_always_read_and_one_with_every_days_last_run_always_is(
    runs: list[tuple[int, int, int]], from_day: int | None, to_day: int | None
) -> None:
    current = [*{run[:2]: run for run in runs}.values()]
    found = chosen(Counted(*current), [1, 5, 60], from_day, to_day)
    assert set(found) <= {1, 5, 60}
    assert found
    last = {
        day: base_s
        for base_s, day, _ in current
        if (from_day or 0) <= day < (5 if to_day is None else to_day)
    }
    if len(set(last.values())) == 1:
        assert set(last.values()) <= set(found)
