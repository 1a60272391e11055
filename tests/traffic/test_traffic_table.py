"""A traffic report's numbers: each visit once, gaps that are no zeros, peak hours of what was seen whole."""

from __future__ import annotations

import datetime
import zoneinfo
from random import Random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.traffic.junction_visits import SIDES, START_MS, Visit, make_flows, make_quarters, make_report

from frametally.errors import Misconfigured
from frametally.rules.times import DAY_MS
from frametally_traffic.report.movement_table import make_table
from frametally_traffic.report.peaks import find_peaks
from frametally_traffic.report.quarters import QUARTER_MS, Quarter, SeenPart, quarters_between
from frametally_traffic.report.schemes import (
    LABEL_KINDS,
    SCHEME_NAMES,
    SCHEMES,
    Kind,
    Scheme,
    groups_of,
    not_told_apart,
)
from frametally_traffic.report.turns import heading_of, turns_of

MINUTE_MS = 60_000
OUTCOMES = ["unassigned", "never_at_a_leg", *((a, b) for a in SIDES for b in SIDES)]
VISITS = st.lists(
    st.builds(
        Visit,
        st.integers(START_MS - DAY_MS, START_MS + DAY_MS),
        st.sampled_from(["car", "truck", "bus", "person", "bicycle", "dog"]),
        st.sampled_from(OUTCOMES),
    ),
    max_size=40,
)


def through(quarter: int, count: int, label: str = "car") -> list[Visit]:
    """So many from south to north in a quarter."""
    return [Visit(START_MS + quarter * QUARTER_MS + 1, label, ("south", "north"))] * count


@pytest.mark.thorough
@given(VISITS, st.sets(st.integers(0, 15)), st.sampled_from(SCHEME_NAMES), st.randoms())
def test_each_visit_is_a_movement_or_has_its_reason_or_lies_in_a_gap(
    visits: list[Visit], missing: set[int], scheme: str, random: Random
) -> None:
    quarters = make_quarters(16, missing=missing)
    table = make_table(make_flows(visits), quarters, scheme=scheme)
    asked = [one for one in visits if 0 <= one.time_ms - START_MS < 16 * QUARTER_MS]
    assert table.total() + sum(table.without.values()) + table.left_out == len(asked)
    assert {start_ms for start_ms, *_ in table.movements} <= {
        quarter.start_ms for quarter in quarters if quarter.missing is None
    }
    days = make_flows(visits)
    random.shuffle(days)
    assert make_table(days, quarters, scheme=scheme) == table


@given(VISITS)
def test_what_came_over_the_legs_is_what_went_over_them_and_what_the_pairs_have(visits: list[Visit]) -> None:
    table = make_table(make_flows(visits), make_quarters(16), legs=SIDES)
    came = sum(table.total(from_leg=leg) for leg in SIDES)
    went = sum(table.total(to_leg=leg) for leg in SIDES)
    pairs = sum(table.total(from_leg=from_leg, to_leg=to_leg) for from_leg, to_leg in table.pairs)
    assert came == went == pairs == table.total()
    assert sum(table.by_quarter(table.groups).values()) == table.total()


def test_a_quarter_is_said_to_be_missing_by_the_strongest_reason() -> None:
    first = START_MS
    seen = [
        SeenPart(first + MINUTE_MS, MINUTE_MS, True),
        SeenPart(first + 2 * MINUTE_MS, MINUTE_MS, False),
        SeenPart(first + QUARTER_MS, MINUTE_MS, False),
    ]
    waiting = [(first + QUARTER_MS, first + 2 * QUARTER_MS + 1)]
    found = quarters_between(first + 5, first + 4 * QUARTER_MS, seen, waiting)
    assert found == (
        Quarter(first, MINUTE_MS),
        Quarter(first + QUARTER_MS, 0, "not_measured"),
        Quarter(first + 2 * QUARTER_MS, 0, "not_analysed"),
        Quarter(first + 3 * QUARTER_MS, 0, "no_footage"),
    )
    assert not found[0].is_whole
    assert found[0].seen_share == pytest.approx(1 / 15)


def test_the_peak_hour_begins_at_any_quarter_and_its_factor_is_by_its_busiest() -> None:
    visits = [one for at, count in enumerate([1, 2, 9, 4, 5, 6, 1, 1]) for one in through(at, count)]
    visits += through(3, 2, "truck") + through(4, 1, "bus") + through(2, 50, "person")
    peak = make_report(visits, make_quarters(8)).peaks[0].am
    assert peak is not None
    assert (peak.start_ms, peak.vehicles, peak.busiest) == (START_MS + 2 * QUARTER_MS, 27, 9)
    assert peak.busiest_ms == START_MS + 2 * QUARTER_MS
    assert peak.factor == pytest.approx(27 / 36)
    assert peak.heavy_share == pytest.approx(3 / 27)


def test_no_hour_with_a_gap_or_a_partial_quarter_is_a_peak_hour() -> None:
    visits = [one for at, count in enumerate([1, 1, 1, 1, 90, 90, 90, 90]) for one in through(at, count)]
    quarters = make_quarters(8)
    partial = (*quarters[:5], Quarter(quarters[5].start_ms, QUARTER_MS // 2), *quarters[6:])
    for some in (make_quarters(8, missing={5}), partial):
        peak = make_report(visits, some).peaks[0].am
        assert peak is not None
        assert peak.start_ms == START_MS + QUARTER_MS  # the last hour before it
    assert make_report(visits, make_quarters(8, missing={3, 7})).peaks[0].am is None


def test_an_hour_without_a_vehicle_has_no_factor_and_no_share() -> None:
    peak = make_report(through(0, 3, "person"), make_quarters(4)).peaks[0].am
    assert peak is not None
    assert (peak.vehicles, peak.factor, peak.heavy_share) == (0, None, None)


def test_hours_are_of_the_half_and_the_day_in_which_local_clocks_show_their_beginning() -> None:
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    noon = datetime.datetime(2024, 5, 1, 12, tzinfo=berlin)
    start_ms = int(noon.timestamp() * 1000) - 2 * QUARTER_MS
    quarters = make_quarters(2 + 48 + 4, start_ms)
    table = make_table([], quarters)
    first, second = find_peaks(table, berlin)
    assert first.am is not None
    assert first.am.start_ms == start_ms
    assert first.pm is not None
    assert first.pm.start_ms == start_ms + 2 * QUARTER_MS
    assert (second.day, second.pm) == (datetime.date(2024, 5, 2), None)
    assert second.am is not None
    assert second.am.start_ms == start_ms + (2 + 48) * QUARTER_MS


def test_an_autumn_nights_hour_that_comes_twice_has_eight_quarters() -> None:
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    start_ms = int(datetime.datetime(2024, 10, 27, 2, tzinfo=berlin).timestamp() * 1000)
    end_ms = int(datetime.datetime(2024, 10, 27, 3, tzinfo=berlin).timestamp() * 1000)
    assert len(quarters_between(start_ms, end_ms, [])) == 8


@pytest.mark.parametrize(
    ("sides", "turns"),
    [
        ({"a": "S", "b": "N", "c": "E", "d": "W"}, {"b": "t", "c": "r", "d": "l", "a": "u"}),
        ({"a": "N", "b": "SW", "c": "SE"}, {"b": "r", "c": "l"}),
        ({"a": "S", "b": "NE", "c": "E", "d": "NW", "e": "W"}, {"b": "r", "c": "r2", "d": "l", "e": "l2"}),
        ({"a": "W", "b": "E", "c": None}, {"b": "t"}),
        ({"a": "S", "b": "S"}, {"b": "u"}),
    ],
)
def test_a_turn_is_told_by_the_sides_of_its_legs(sides: dict[str, str | None], turns: dict[str, str]) -> None:
    found = turns_of(sides)
    assert {to_leg: found[come, to_leg] for come, to_leg in found if come == "a" and to_leg in turns} == turns
    assert ("a", "c") in found or sides.get("c") is None


def test_who_comes_from_the_south_is_northbound() -> None:
    assert [heading_of(side) for side in ("S", "N", "W", "E", "SW")] == ["NB", "SB", "EB", "WB", "NE"]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_a_scheme_divides_no_label_and_loses_no_class(scheme: Scheme) -> None:
    labels = ["car", "truck", "bus", "motorbike", "bicycle", "person", "dog"]
    groups = groups_of(labels, scheme.name)
    assert sorted(label for group in groups for label in group.labels) == sorted(labels)
    covered = [code for group in groups for code in group.codes]
    assert sorted(covered) == sorted(one.code for one in scheme.classes if one.kind != "other")
    assert not [group for group in groups if group.kind in ("bicycle", "pedestrian") and group.codes]
    with_vans = groups_of([*labels, "van"], scheme.name)
    assert len(with_vans) == len(groups) + 1


def test_what_the_model_does_not_tell_apart_is_said_by_class() -> None:
    told = not_told_apart(groups_of(["car", "truck", "bus"], "fhwa"))
    assert told[0] == "2 and 3 are not told apart: all of them are car to this model."
    assert len(told) == 3  # buses are one class
    assert "pickups" in told[-1]
    assert not_told_apart(groups_of(["car", "bus"])) == []


def test_classes_that_there_are_not_are_refused_with_those_that_there_are() -> None:
    with pytest.raises(Misconfigured, match="there are: labels, fhwa, coba, swiss10, tls"):
        groups_of(["car"], "euro13")


def test_each_known_label_has_a_kind_that_there_is() -> None:
    assert {*LABEL_KINDS.values()} <= {*get_args(Kind)}
