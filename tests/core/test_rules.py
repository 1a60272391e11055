"""Each rule that decides a number, at its turning points."""

from __future__ import annotations

import datetime
import math
from typing import NamedTuple, get_args

import pytest

from frametally.records import Detection, Evidence
from frametally.rules.counted_boxes import CountedBoxes, least_float
from frametally.rules.current_run import is_newer
from frametally.rules.evidence import busiest
from frametally.rules.frame_bitmap import FrameBitmap
from frametally.rules.known import Basis, MadeOf, Number, add_up, is_fast_enough, objects_of, why_unknown
from frametally.rules.times import (
    DAY_MS,
    DAY_S,
    FIRST_MS,
    HOUR_MS,
    HOUR_S,
    MONDAY_TO_1970_MS,
    MOST_TIME_MS,
    NEXT_MS,
    RECORD_VERSION,
    WEEK_MS,
    WEEK_S,
    days_of_span,
    event_bound_ms,
    in_range,
    is_day_in_range,
    utc,
)
from frametally.rules.tombstones import forgotten_ranges, is_forgotten, without


def box(confidence: float = 0.3, width: float = 9.0, height: float = 5.0, label: str = "car") -> Detection:
    return Detection(label=label, confidence=confidence, box=(0.0, 0.0, width, height))


@pytest.mark.parametrize(
    ("limits", "detection", "counts"),
    [
        (CountedBoxes(3000), box(0.3), True),
        (CountedBoxes(3000), box(0.29995), True),  # it was written as 0.3
        (CountedBoxes(3000), box(0.2999), False),
        (CountedBoxes(0), box(0.0), True),
        (CountedBoxes(10_000), box(1.0), True),
        (CountedBoxes(3000, 50), box(0.3, 9.0, 5.0), True),
        (CountedBoxes(3000, 50), box(0.3, 5.0, 9.0), True),
        (CountedBoxes(3000, 50), box(0.3, 4.95, 9.0), True),
        (CountedBoxes(3000, 50), box(0.3, 9.0, 4.9), False),
        (CountedBoxes(3000, 50), box(0.3, 4.9, 9.0), False),
        (CountedBoxes(3000, 0), box(0.3, 0.0, 0.0), True),
        (CountedBoxes(3000, 0, ("bus", "car")), box(label="car"), True),
        (CountedBoxes(3000, 0, ("bus",)), box(label="car"), False),
    ],
)
def test_a_box_at_its_limits_counts(limits: CountedBoxes, detection: Detection, counts: bool) -> None:
    assert limits.rule()(detection) is counts


def test_limits_round_up_to_whole_units_and_each_label_appears_once() -> None:
    boxes = CountedBoxes.from_limits(min_confidence=0.07, min_side_px=1.51, labels=" car, bus,,car")
    assert boxes == CountedBoxes(700, 16, ("bus", "car"))


@pytest.mark.parametrize("least", [1, 34, 3000, 10_000])
def test_the_least_float_is_the_smallest_that_rounds_to_the_limit(least: int) -> None:
    number = least_float(least, 10_000)
    assert round(number * 10_000) == least
    assert round(math.nextafter(number, 0) * 10_000) < least


class Numbered(NamedTuple):
    sequence: int
    params: str


@pytest.mark.parametrize(
    ("run", "other", "newer"),
    [
        (Numbered(1, "a"), None, True),
        (Numbered(2, "a"), Numbered(1, "b"), True),
        (Numbered(1, "b"), Numbered(2, "a"), False),
        (Numbered(10, "a"), Numbered(9, "a"), True),
        (Numbered(1, "b"), Numbered(1, "a"), True),
        (Numbered(1, "a"), Numbered(1, "b"), False),
        (Numbered(1, "a"), Numbered(1, "a"), False),
    ],
)
def test_the_higher_sequence_is_current_and_between_equal_ones_the_greater_params(
    run: Numbered, other: Numbered | None, newer: bool
) -> None:
    assert is_newer(run, other) is newer


def test_evidence_is_the_five_busiest_frames_then_the_earliest_then_by_path() -> None:
    frames = [(1, 0, "a"), (2, 9, "a"), (2, 8, "b"), (2, 8, "a"), (3, 9, "z"), (1, 0, "b"), (1, 1, "a")]
    shown = busiest(Evidence(count=n, captured_at_ms=at_ms, image_path=path) for n, at_ms, path in frames)
    assert [(one.count, one.captured_at_ms, one.image_path) for one in shown] == [
        (3, 9, "z"),
        (2, 8, "a"),
        (2, 8, "b"),
        (2, 9, "a"),
        (1, 0, "a"),
    ]


def test_bit_i_modulo_8_of_byte_i_div_8_of_a_bitmap_stands_for_index_i() -> None:
    bitmap = FrameBitmap(b"\x01\x80")
    assert [index for index in range(24) if index in bitmap] == [0, 15]
    bitmap.add(17)
    assert bytes(bitmap) == b"\x01\x80\x02"
    assert len(bitmap) == 3
    bitmap.update(b"\x03")
    assert (bytes(bitmap), len(bitmap)) == (b"\x03\x80\x02", 4)


@pytest.mark.parametrize(
    ("from_ms", "to_ms", "has"),
    [
        (None, None, True),
        (2 * DAY_MS - 1, None, True),
        (2 * DAY_MS, None, False),
        (None, DAY_MS + 1, True),
        (None, DAY_MS, False),
    ],
)
def test_a_day_is_in_a_range_if_they_share_a_millisecond(
    from_ms: int | None, to_ms: int | None, has: bool
) -> None:
    assert is_day_in_range(DAY_MS, from_ms, to_ms) is has


def test_a_range_includes_its_start_and_excludes_its_end() -> None:
    assert [ms for ms in range(5) if in_range(ms, 1, 3)] == [1, 2]
    assert in_range(-1, None, 0)
    assert in_range(9, 9, None)


def test_a_tombstone_forgets_its_range_of_its_medium_and_is_cut_out_of_others() -> None:
    forgotten = forgotten_ranges([("aa", 2, 4), ("aa", 6, 8)])
    assert [ms for ms in range(10) if is_forgotten("aa", ms, forgotten)] == [2, 3, 6, 7]
    assert not is_forgotten("bb", 2, forgotten)
    assert without((0, 10), forgotten["aa"]) == [(0, 2), (4, 6), (8, 10)]
    assert without((2, 8), [(2, 4), (4, 8)]) == []


def test_a_range_end_is_clamped_to_event_times_and_refused_outside_the_years_1_to_9999() -> None:
    year_1_ms = -62_135_596_800_000
    assert event_bound_ms(year_1_ms) == FIRST_MS
    assert event_bound_ms(NEXT_MS + DAY_MS) == NEXT_MS
    for ms in (year_1_ms - 2 * DAY_MS, NEXT_MS + 3 * DAY_MS):
        with pytest.raises(ValueError, match="1 to 9999"):
            event_bound_ms(ms)


def test_footage_up_to_a_tenth_below_the_rate_is_fast_enough_but_single_pictures_never_are() -> None:
    assert [fps for fps in (449, 450, 500) if is_fast_enough(fps, 500)] == [450, 500]
    assert not is_fast_enough(0, 0)


def test_objects_are_known_once_tracks_hold_half_of_the_boxes() -> None:
    assert why_unknown("objects", Basis(3, 20, 10, 5.0)) is None
    assert why_unknown("objects", Basis(3, 20, 9, 5.0)) == "too_weak"
    assert why_unknown("objects", Basis(3, 20, None, 5.0)) is None
    assert why_unknown("objects", Basis(None, 20, None, 5.0)) == "too_slow"
    assert why_unknown("objects", Basis(None, 20, None, None)) == "not_tracked"


def test_where_a_tenth_as_many_objects_were_too_fast_the_followed_ones_are_a_lower_bound() -> None:
    assert objects_of(Basis(20, 100, 100, fast_objects=2)) == Number(20)
    assert objects_of(Basis(20, 100, 100, fast_objects=3)) == Number(None, "too_fast", 20)
    assert objects_of(Basis(0, 0, 0, fast_objects=0)) == Number(0)
    assert objects_of(Basis(20, 100, 49, fast_objects=3)) == Number(None, "too_weak")
    assert why_unknown("passages", Basis(20, 100, 100, fast_objects=3)) is None


def test_passages_are_unknown_where_objects_are_or_where_most_paths_are_interrupted() -> None:
    for basis in (Basis(3, 20, 9, 5.0), Basis(None, 20, None, 5.0), Basis(None, 20, None, None)):
        assert why_unknown("passages", basis) == why_unknown("objects", basis)
        assert why_unknown("boxes", basis) is None
    assert why_unknown("passages", Basis(3, 20, 10, passages=2, cut_passages=2)) is None
    assert why_unknown("passages", Basis(3, 20, 10, passages=2, cut_passages=3)) == "cut_path"
    assert why_unknown("passages", Basis(3, 20, 10, is_other_size=True)) == "other_size"
    assert why_unknown("objects", Basis(3, 20, 10, is_other_size=True, cut_passages=3)) is None


def test_without_footage_that_shows_something_no_number_is_known() -> None:
    for made_of in get_args(MadeOf):
        assert why_unknown(made_of, Basis(frames=0)) == "no_footage"
        assert why_unknown(made_of, Basis(frames=0, is_waiting=True)) == "not_analysed"
        assert why_unknown(made_of, Basis(is_blank=True)) == "shows_nothing"
        assert why_unknown(made_of, Basis()) is None


def test_a_sum_with_an_unknown_part_is_at_least_the_sum_of_its_known_parts() -> None:
    assert add_up([]) == Number(0)
    assert add_up([Number(2), Number(3)]) == Number(5)
    assert add_up([Number(2), Number(None, "too_weak"), Number(3)]) == Number(None, "too_weak", 5)
    assert add_up([Number(None, "too_slow", 4), Number(3)]) == Number(None, "too_slow", 7)
    assert add_up([Number(None, "too_slow")]) == Number(None, "too_slow", None)


def test_a_spans_days_include_those_of_its_first_and_last_moment() -> None:
    assert [*days_of_span(-1, DAY_MS)] == [-1, 0, 1]
    assert [*days_of_span(DAY_MS, 2 * DAY_MS - 1)] == [1]


def test_days_hours_and_the_range_of_event_times_follow_the_calendar() -> None:
    def moment(ms: int) -> datetime.datetime:
        return datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)  # noqa: DTZ001

    assert moment(DAY_MS) == datetime.datetime(1970, 1, 2)  # noqa: DTZ001
    assert moment(HOUR_MS) == datetime.datetime(1970, 1, 1, 1)  # noqa: DTZ001
    assert (moment(-MONDAY_TO_1970_MS).isoweekday(), moment(WEEK_MS).isoweekday()) == (1, 4)
    assert moment(FIRST_MS) == datetime.datetime(1000, 1, 1)  # noqa: DTZ001
    assert moment(NEXT_MS) == datetime.datetime(9999, 12, 31)  # noqa: DTZ001
    assert (utc(DAY_MS + 1999), utc(2 * NEXT_MS)) == ("1970-01-02 00:00:01Z", "9999-12-31 00:00:00Z")
    assert (DAY_S, HOUR_S, WEEK_S) == (DAY_MS // 1000, HOUR_MS // 1000, WEEK_MS // 1000)


def test_stored_data_says_version_1_and_times_up_to_a_million_billion_milliseconds() -> None:
    assert (RECORD_VERSION, MOST_TIME_MS) == (1, 1_000_000_000_000_000)
