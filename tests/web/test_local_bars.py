"""Bars of local time by the fast algorithm equal those of the plain one, even where clocks change."""

from __future__ import annotations

import datetime
import gc
import zoneinfo
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from frametally_web.charts.local_bars import Bars, spans
from frametally_web.serving import look_for_garbage_seldom

pytestmark = pytest.mark.thorough

DAY_MS = 86_400_000
# Half-hours, a change of half an hour, a skipped day (2011-12-30), a month of fasting, three hours.
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Antarctica/Casey",
]
YEAR_MS = 1_293_840_000_000  # 2011-01-01


def zone_of(name: str) -> datetime.tzinfo:
    return datetime.UTC if name == "UTC" else zoneinfo.ZoneInfo(name)


@st.composite
def round_a_change(draw: st.DrawFn) -> tuple[str, int, int]:
    """A zone and a range that begins some days before or after its clocks change, if they do."""
    name = draw(st.sampled_from(ZONES))
    borders = [span.to_ms for span in spans(zone_of(name), YEAR_MS, YEAR_MS + 730 * DAY_MS)]
    from_ms = draw(st.sampled_from(borders)) + draw(st.integers(-3 * 1440, 2 * 1440)) * 60_000
    return name, from_ms, from_ms + draw(st.integers(1, 9 * 1440)) * 60_000


@given(
    round_a_change(),
    st.sampled_from([900, 1800, 3600, 5400, 7200, 21_600, 86_400, 2 * 86_400, 7 * 86_400]),
)
@settings(max_examples=examples(300))
def test_bars_computed_for_many_starts_match_those_computed_one_by_one(
    place: tuple[str, int, int], interval_s: int
) -> None:
    name, from_ms, to_ms = place
    bars = Bars(interval_s, zone_of(name))
    found = spans(zone_of(name), from_ms, to_ms)
    for number, span in enumerate(found):
        ends = {"is_first": number == 0, "is_last": number == len(found) - 1}
        offset_ms, interval_ms = bars.offset_ms(span), interval_s * 1000
        first_ms = (span.from_ms + offset_ms) // interval_ms * interval_ms - offset_ms
        starts = range(first_ms, span.to_ms, interval_ms)
        moved = bars.moved(np.array(starts), span, **ends)
        for start_ms in starts:
            as_made = start_ms, start_ms + interval_ms
            assert moved.get(start_ms, as_made) == bars.bar_of(start_ms, span, **ends)


@pytest.fixture
def collecting() -> Iterator[None]:
    before, was_frozen = gc.get_threshold(), gc.get_freeze_count() > 0
    gc.unfreeze()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)
    if was_frozen:
        gc.freeze()


@pytest.mark.usefixtures("collecting")
def test_an_answer_for_a_year_triggers_no_garbage_collection() -> None:
    look_for_garbage_seldom()
    assert gc.get_freeze_count() > 0
    before = [generation["collections"] for generation in gc.get_stats()]
    answer = [(number, str(number)) for number in range(20_000)]
    assert [generation["collections"] for generation in gc.get_stats()] == before
    assert len(answer) == 20_000
