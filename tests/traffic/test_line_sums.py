"""Sums of flows over days equal those of the rules, for any bars; days are counted in the background."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.traffic.flow_rule import count_stays
from tests.traffic.test_zones import rows_of_stays

from frametally.errors import Poison, Retryable
from frametally.keys import day_start_ms
from frametally.process.time_limit import time_limit
from frametally.rules.times import DAY_MS
from frametally_traffic.flows.day_columns import CAME, WENT, FlowColumns
from frametally_traffic.flows.flow_sums import (
    WAYS,
    count_rows,
    names_of,
    of_names,
    rows_between,
    rows_of,
    together,
    ways_of,
    zone_counts,
)
from frametally_traffic.geometry.zones import Stay, ZoneCounts
from frametally_traffic.line_counts.background_days import DaysAsked, FlowDays

HOUR_MS = 3_600_000
DAYS = ("2024-05-01", "2024-05-02", "2024-05-03")

ends = st.tuples(st.integers(-30, 78), st.integers(0, 40)).map(
    lambda pair: (pair[0] * HOUR_MS // 2, (pair[0] + pair[1]) * HOUR_MS // 2)
)
stays = st.lists(st.tuples(ends, st.sampled_from(CAME), st.sampled_from(WENT)), max_size=8)


@pytest.mark.thorough
@given(stays, st.sampled_from([1, 3, 12, 24, 48]), st.integers(1, 48))
def test_zones_over_bars_of_any_length_match_the_rule(
    told: list[tuple[tuple[int, int], str, str]], hours: int, most_bars: int
) -> None:
    """Each day separately, then together, because its file only has its own events."""
    interval_ms = hours * HOUR_MS
    to_ms = min(2 * DAY_MS, most_bars * interval_ms)
    edges = np.arange(0, to_ms + 1, interval_ms)
    found: dict[int, ZoneCounts] = {}
    for day_start in (0, DAY_MS):
        own = [one for one in told if one[0][0] < day_start + DAY_MS and one[0][1] >= day_start]
        rows = rows_of_stays(Stay(*between, came, went) for between, came, went in own)  # type: ignore[arg-type]
        for (bar, _, _), counts in zone_counts(rows, day_start, edges, 0, to_ms).items():
            found[bar] = together(found[bar], counts) if bar in found else counts
    numbered = [(n, Stay(*between, came, went)) for n, (between, came, went) in enumerate(told)]  # type: ignore[arg-type]
    whole = count_stays(numbered, interval_ms)
    expected = {at_ms // interval_ms: counts for at_ms, counts in whole.items() if 0 <= at_ms < to_ms}
    assert found == expected


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=30))
def test_each_row_is_counted_once(rows: list[tuple[int, int]]) -> None:
    columns = np.array(rows, np.int64).reshape(-1, 2)
    assert count_rows(columns[:, 0], columns[:, 1]) == {row: rows.count(row) for row in rows}


def test_a_crossing_without_a_measured_direction_is_in_neither() -> None:
    crossings = {"missing": np.array([0, 0, 1, 2]), "direction": np.array([0, 1, 1, 0])}
    not_measured = WAYS.index("not_measured")
    assert ways_of(crossings).tolist() == [0, 1, not_measured, not_measured]


def test_rows_of_one_time_and_name_are_added_up_over_all_days() -> None:
    columns = {f"crossing_{name}": array("q", [1, 5, 9]) for name in ("time", "hour", "number")}
    columns |= {"crossing_line": array("q", [0, 1, 0]), "crossing_label": array("q", [0, 0, 0])}
    day = flows_of(DAYS[0])._replace(labels=("car",), lines=("in", "out"), columns=columns)
    names = names_of([day, flows_of(DAYS[1])._replace(labels=("bus",), lines=("exit",))])
    rows = rows_of(day, "crossing", names)
    start_ms = day_start_ms(DAYS[0])
    assert [*rows["hour_ms"]] == [start_ms + hour * HOUR_MS for hour in (1, 5, 9)]
    assert [names.lines[line] for line in rows["line"]] == ["in", "out", "in"]
    assert [names.labels[label] for label in rows["label"]] == ["car"] * 3
    assert [*rows_between(rows, start_ms + 1, start_ms + 9)["time"]] == [start_ms + 1, start_ms + 5]
    assert [*of_names(rows, "line", names.lines, ["out", "no line"])["number"]] == [5]
    assert of_names(rows, "line", names.lines, []) is rows


def test_the_parts_of_a_bar_give_the_first_ones_start_and_the_greatest_peak() -> None:
    parts = ZoneCounts(1, 2, 3, 4, 5, 6, 7, 8, 9), ZoneCounts(2, 1, 1, 1, 1, 1, 1, 1, 3)
    assert together(*parts) == ZoneCounts(1, 3, 4, 5, 6, 7, 8, 9, 9)


def flows_of(day: str) -> FlowColumns:
    return FlowColumns("m", "gate", day_start_ms(day), (), (), (), (), {})


ASKED = DaysAsked("m", 60, "gate", DAYS, "1")


class Counting:
    """Counts a day each time the test allows it."""

    def __init__(self, errors: dict[str, Exception] | None = None) -> None:
        self.let = threading.Semaphore(0)
        self.errors = errors or {}
        self.calls: list[list[str]] = []

    def __call__(
        self, model: str, interval_s: int, source: str, days: Sequence[str]
    ) -> Iterator[FlowColumns]:
        self.calls.append([*days])
        for day in days:
            assert self.let.acquire(timeout=20)
            if day in self.errors:
                raise self.errors.pop(day)
            yield flows_of(day)


def test_a_request_for_a_year_returns_early_and_the_next_one_finds_more() -> None:
    count = Counting()
    days = FlowDays(count)
    count.let.release()
    with time_limit(0.4):
        first = days.take(ASKED)
    assert first.days_counted <= 1
    count.let.release(2)
    assert days.take(ASKED).days_counted == 3
    assert [one.day_start_ms for one in days.take(ASKED).flows] == [day_start_ms(day) for day in DAYS]
    assert count.calls == [[*DAYS]]
    days.close()


def test_a_day_that_cannot_be_counted_is_named_and_the_others_are_counted() -> None:
    count = Counting({DAYS[1]: Poison("no foot points; run it")})
    count.let.release(3)
    days = FlowDays(count)
    taken = days.take(ASKED)
    assert taken.days_counted == 3
    assert [one.day_start_ms for one in taken.flows] == [day_start_ms(DAYS[0]), day_start_ms(DAYS[2])]
    assert taken.note == "no foot points; run it"
    days.close()


def test_an_unavailable_store_is_reported_and_tried_again() -> None:
    count = Counting({DAYS[0]: Retryable("the store is away")})
    count.let.release(4)
    days = FlowDays(count)
    with pytest.raises(Retryable, match="away"):
        days.take(ASKED)
    assert days.take(ASKED).days_counted == 3
    days.close()


def test_a_changed_drawing_is_counted_again() -> None:
    count = Counting()
    count.let.release(6)
    days = FlowDays(count)
    days.take(ASKED)
    days.take(ASKED._replace(version="2"))
    assert len(count.calls) == 2
    days.close()


def test_answers_requested_long_ago_are_not_kept() -> None:
    column = {"crossing_time": array("q", [0] * 1000)}

    def count(_: str, __: int, ___: str, days: Sequence[str]) -> Iterator[FlowColumns]:
        calls.append([*days])
        yield from (flows_of(day)._replace(columns=column) for day in days)

    calls: list[list[str]] = []
    days = FlowDays(count, most_bytes=30_000)
    for version in ("1", "2", "1"):
        assert days.take(ASKED._replace(version=version)).days_counted == 3
    assert len(calls) == 3
    days.take(ASKED._replace(version="1"))
    assert len(calls) == 3
    days.close()
