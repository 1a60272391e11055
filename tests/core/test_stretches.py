"""When all segments are listed, and when only new ones."""

from __future__ import annotations

import pytest

from frametally.rules.times import DAY_MS
from frametally.segments.stretches import MOST_LISTED, lists_all

NOW_MS = 1_800_000_000_000


@pytest.mark.parametrize(
    ("segments", "listed_at_ms", "expected"),
    [
        (MOST_LISTED, NOW_MS, True),
        (MOST_LISTED + 1, NOW_MS, False),
        (MOST_LISTED + 1, NOW_MS - DAY_MS + 1, False),
        (MOST_LISTED + 1, NOW_MS - DAY_MS, True),
        (MOST_LISTED + 1, NOW_MS + 1, True),  # the clock was set back
        (MOST_LISTED + 1, 0, True),  # never
    ],
)
def test_a_few_segments_are_all_listed_each_time_and_many_once_a_day(
    segments: int, listed_at_ms: int, expected: bool
) -> None:
    assert MOST_LISTED == 20_000
    assert lists_all(segments, listed_at_ms, NOW_MS) == expected
