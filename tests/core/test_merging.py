"""Adjacent parts of bars add up to the same, wherever they are split."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from frametally.adapters.day_cells.merging import add_week_hours, merge_week
from frametally.adapters.day_cells.sums import join
from frametally.ports.count_index import Bucket, CoverageBucket, WeekHour
from frametally.rules.known import sum_all_or_unknown, sum_or_unknown
from frametally.rules.times import HOUR_MS

moments = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.sampled_from("ab"),
        st.sampled_from([None, "gate", "yard"]),
        st.integers(1, 9),
        st.none() | st.integers(0, 9),
    ),
    max_size=30,
)
cuts = st.lists(st.integers(0, 31), max_size=5).map(sorted)


def parts_of(number: int, cut: Sequence[int]) -> int:
    """The part that contains a time."""
    return sum(number >= border for border in cut)


def bar_order(bar: Bucket) -> tuple[int, str, str]:
    """Bars by start, label and source."""
    return bar.start_ms, bar.label, bar.source or ""


def coverage_order(covered: CoverageBucket) -> tuple[int, str, str]:
    """Coverage by start and source."""
    return covered.start_ms, covered.source or "", ""


def added_up(found: Sequence[Bucket]) -> list[Bucket]:
    """Bars of one place and start added up, one by one."""
    sums: dict[tuple[int, str, str], Bucket] = {}
    for one in found:
        other = sums.get(bar_order(one))
        if other is not None:
            one = Bucket(
                one.start_ms,
                one.label,
                one.detections + other.detections,
                max(one.peak, other.peak),
                sum_or_unknown(one.objects, other.objects),
                one.source,
            )
        sums[bar_order(one)] = one
    return [sums[key] for key in sorted(sums)]


def covered_up(found: Sequence[CoverageBucket]) -> list[CoverageBucket]:
    """Coverage of one start and source added up, one by one."""
    sums: dict[tuple[int, str, str], CoverageBucket] = {}
    for one in found:
        other = sums.get(coverage_order(one))
        if other is not None:
            rates = (one.slowest_fps, other.slowest_fps)
            slowest_fps = None if None in rates else min(rate for rate in rates if rate is not None)
            one = CoverageBucket(one.start_ms, one.frames + other.frames, slowest_fps, one.source)
        sums[coverage_order(one)] = one
    return [sums[key] for key in sorted(sums)]


@given(moments, cuts, st.integers(1, 12))
def test_bars_are_the_same_wherever_their_range_is_split(
    found: list[tuple[int, str, str | None, int, int | None]], cut: list[int], length: int
) -> None:
    bars = [
        (at, Bucket(at // length * length, label, number, number % 4, objects, source))
        for at, label, source, number, objects in found
    ]
    parts = [added_up([bar for at, bar in bars if parts_of(at, cut) == part]) for part in range(len(cut) + 1)]
    before = [list(part) for part in parts]
    assert join([(part, []) for part in parts])[0] == added_up([bar for _, bar in bars])
    assert parts == before


@given(moments, cuts, st.integers(1, 12))
def test_coverage_is_the_same_wherever_its_range_is_split(
    found: list[tuple[int, str, str | None, int, int | None]], cut: list[int], length: int
) -> None:
    covered = [
        (at, CoverageBucket(at // length * length, number, rate, source))
        for at, _, source, number, rate in found
    ]
    parts = [
        covered_up([one for at, one in covered if parts_of(at, cut) == part]) for part in range(len(cut) + 1)
    ]
    assert join([([], part) for part in parts])[1] == covered_up([one for _, one in covered])


def test_a_sum_is_unknown_if_any_part_is_unknown() -> None:
    assert sum_all_or_unknown([3, 4, 5]) == 12
    assert sum_all_or_unknown([]) == 0
    assert sum_all_or_unknown([3, None, 5]) is None


def test_hours_of_the_week_add_up_and_one_unknown_part_makes_the_sum_unknown() -> None:
    one, other = WeekHour(8, 10, 7, 3, 2, 5.0, 6, 1000), WeekHour(8, 20, 4, 5, None, 2.0, 1, 500)
    assert add_week_hours(one, other) == WeekHour(8, 30, 11, 5, None, 2.0, 7, 1500)


def test_the_week_has_the_hours_that_were_filmed_or_counted() -> None:
    bars = [Bucket(9 * HOUR_MS, "", 9, 3, 2)]
    covered = [CoverageBucket(8 * HOUR_MS, 10, None), CoverageBucket(9 * HOUR_MS, 20, None)]
    week = merge_week(bars, covered)
    assert [(one.hour, one.frames, one.detections, one.peak) for one in week] == [
        (8, 10, 0, 0),
        (9, 20, 9, 3),
    ]
