"""Stored totals of long steps: a range is read completely and once, in the longest steps that fit."""

from __future__ import annotations

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from frametally.adapters.day_cells.storage import pieces, rolled_steps, usable_steps

DAY_MS = 86_400_000
BASES = [n for n in range(1, 86_401) if 86_400 % n == 0]
moments = st.none() | st.integers(-3 * DAY_MS, 3 * DAY_MS)


@given(
    st.sampled_from(BASES), st.sampled_from([1, 900, 3600, 86_400]), st.integers(-96, 96), moments, moments
)
def test_a_range_is_split_into_steps_that_fit_without_gap_or_overlap(
    base_s: int, at_least_s: int, quarters: int, from_ms: int | None, to_ms: int | None
) -> None:
    interval_s = math.lcm(base_s, at_least_s)
    offset_ms = quarters * 900_000 // (base_s * 1000) * base_s * 1000
    steps = usable_steps(base_s, interval_s, offset_ms)
    assert all(b % a == 0 for a, b in itertools.pairwise(steps))
    assert all(interval_s % step == 0 and offset_ms % (step * 1000) == 0 for step in steps)
    found = pieces(steps, from_ms, to_ms)
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        assert found == []
        return
    assert (found[0].from_ms, found[-1].to_ms) == (from_ms, to_ms)
    for one, other in itertools.pairwise(found):
        assert one.to_ms == other.from_ms
    for piece in found:
        for border in (piece.from_ms, piece.to_ms):
            assert piece.step_s == base_s or border is None or border % (piece.step_s * 1000) == 0


def test_a_year_of_minutes_with_odd_ends_is_read_mostly_by_days() -> None:
    found = pieces([60, *rolled_steps(60)], 7 * 60_000, 365 * DAY_MS - 7 * 60_000)
    assert [piece.step_s for piece in found] == [60, 900, 3600, 86_400, 3600, 900, 60]


def test_base_intervals_that_no_step_divides_have_none() -> None:
    assert rolled_steps(86_400) == []
    assert rolled_steps(640) == [86_400]
    assert rolled_steps(1) == [900, 3600, 86_400]
