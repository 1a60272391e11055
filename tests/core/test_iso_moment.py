"""A time that a user writes is the same in every place."""

import datetime
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frametally.rules.times import EPOCH, MILLISECOND, NEXT_MS, iso_moment_ms

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


@given(st.integers(0, NEXT_MS - 1), st.integers(-14 * 60, 14 * 60))
def test_a_moment_with_an_offset_is_the_same_time_in_every_zone(time_ms: int, offset_min: int) -> None:
    offset = datetime.timezone(datetime.timedelta(minutes=offset_min))
    try:
        text = (EPOCH + time_ms * MILLISECOND).astimezone(offset).isoformat()
    except OverflowError:  # after the last day that can be written
        return
    assert iso_moment_ms(text, BERLIN) == iso_moment_ms(text, datetime.UTC) == time_ms


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-05-01T08:00:00", "2026-05-01T06:00:00Z"),
        ("2026-10-25T02:30:00", "2026-10-25T00:30:00Z"),
        ("2026-03-29T02:30:00", "2026-03-29T01:30:00Z"),
    ],
)
def test_a_moment_without_an_offset_is_in_the_given_zone(text: str, utc: str) -> None:
    assert iso_moment_ms(text, BERLIN) == iso_moment_ms(utc, BERLIN)


@pytest.mark.parametrize("text", ["", "noon", "2026-13-01", "10000-01-01T00:00:00Z"])
def test_text_that_is_not_a_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        iso_moment_ms(text, BERLIN)
