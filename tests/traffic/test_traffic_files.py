"""The traffic report: its table, and its files."""

from __future__ import annotations

import csv
import datetime
import io
import re
import zoneinfo
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook
from openpyxl.utils import range_boundaries
from tests.traffic.junction_visits import SIDES, START_MS, Visit, make_flows, make_quarters, make_report

from frametally.errors import Misconfigured
from frametally.ports.count_index import BlankBucket, CoverageBucket, Histogram
from frametally.rules.times import DAY_MS
from frametally_traffic.report.junction_report import ReportRefused, TrafficReport, state_of
from frametally_traffic.report.movement_table import find_peaks, heading_of, make_table, turns_of
from frametally_traffic.report.quarters import (
    QUARTER_MS,
    Quarter,
    SeenBoxes,
    SeenPart,
    quarters_between,
    seen_parts,
)
from frametally_traffic.report.schemes import (
    LABEL_KINDS,
    SCHEME_NAMES,
    SCHEMES,
    Kind,
    Scheme,
    groups_of,
    not_told_apart,
)
from frametally_traffic.report_files.checked_legs import (
    MOVEMENTS_UNCHECKED,
    CheckedLeg,
    CheckedLegs,
    ReportSpan,
)
from frametally_traffic.report_files.formats import write_utdf, write_wide_csv
from frametally_traffic.report_files.workbook import write_workbook

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook


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
    """This many from south to north in a quarter."""
    return [Visit(START_MS + quarter * QUARTER_MS + 1, label, ("south", "north"))] * count


@pytest.mark.thorough
@given(VISITS, st.sets(st.integers(0, 15)), st.sampled_from(SCHEME_NAMES), st.randoms())
def test_each_visit_has_a_movement_or_a_reason_or_is_in_a_gap(
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
def test_arrivals_departures_and_pairs_of_the_legs_have_the_same_sum(visits: list[Visit]) -> None:
    table = make_table(make_flows(visits), make_quarters(16), legs=SIDES)
    came = sum(table.total(from_leg=leg) for leg in SIDES)
    went = sum(table.total(to_leg=leg) for leg in SIDES)
    pairs = sum(table.total(from_leg=from_leg, to_leg=to_leg) for from_leg, to_leg in table.pairs)
    assert came == went == pairs == table.total()
    assert sum(table.by_quarter(table.groups).values()) == table.total()


def test_a_missing_quarter_hour_has_the_strongest_reason() -> None:
    first = START_MS
    seen = [
        SeenPart(first + MINUTE_MS, MINUTE_MS),
        SeenPart(first + 2 * MINUTE_MS, MINUTE_MS, "too_slow"),
        SeenPart(first + QUARTER_MS, MINUTE_MS, "not_tracked"),
    ]
    waiting = [(first + QUARTER_MS, first + 2 * QUARTER_MS + 1)]
    found = quarters_between(first + 5, first + 4 * QUARTER_MS, seen, waiting)
    assert found == (
        Quarter(first, MINUTE_MS),
        Quarter(first + QUARTER_MS, 0, "not_tracked"),
        Quarter(first + 2 * QUARTER_MS, 0, "not_analysed"),
        Quarter(first + 3 * QUARTER_MS, 0, "no_footage"),
    )
    assert not found[0].is_whole
    assert found[0].seen_share == pytest.approx(1 / 15)


def test_a_quarter_hour_that_shows_nothing_is_not_a_gap_and_one_with_unfit_legs_has_no_zeros() -> None:
    shown = [
        CoverageBucket(START_MS + number * QUARTER_MS, 5, 5, objects=0, covered_ms=MINUTE_MS)
        for number in range(3)
    ]
    black = [BlankBucket(START_MS + number * QUARTER_MS, "black", 5, MINUTE_MS) for number in (0, 3)]
    odd_ms = START_MS + 2 * QUARTER_MS
    unfit = (("line", "north", odd_ms, odd_ms + QUARTER_MS), ("zone", "north", START_MS, odd_ms))
    [day] = make_flows(through(0, 1))
    day = day._replace(unfit=unfit)
    parts = seen_parts(Histogram("m", 60, [], shown, black), MINUTE_MS, [day], ["north"])
    quarters = quarters_between(START_MS, START_MS + 5 * QUARTER_MS, parts)
    assert [quarter.missing for quarter in quarters] == [
        None,
        None,
        "other_size",
        "shows_nothing",
        "no_footage",
    ]
    table = make_table([day], quarters, legs=SIDES)
    assert [state_of(table, quarter) for quarter in quarters[2:4]] == [
        "the picture has another shape than the drawing",
        "the footage shows nothing",
    ]


def test_the_peak_hour_begins_at_any_quarter_and_its_factor_uses_its_busiest_quarter() -> None:
    visits = [one for at, count in enumerate([1, 2, 9, 4, 5, 6, 1, 1]) for one in through(at, count)]
    visits += through(3, 2, "truck") + through(4, 1, "bus") + through(2, 50, "person")
    peak = make_report(visits, make_quarters(8)).peaks[0].am
    assert (peak.start_ms, peak.vehicles, peak.busiest) == (START_MS + 2 * QUARTER_MS, 27, 9)
    assert peak.busiest_ms == START_MS + 2 * QUARTER_MS
    assert peak.factor == pytest.approx(27 / 36)
    assert peak.heavy_share == pytest.approx(3 / 27)


def test_an_hour_with_a_gap_or_a_partial_quarter_is_never_a_peak_hour() -> None:
    visits = [one for at, count in enumerate([1, 1, 1, 1, 90, 90, 90, 90]) for one in through(at, count)]
    quarters = make_quarters(8)
    partial = (*quarters[:5], Quarter(quarters[5].start_ms, QUARTER_MS // 2), *quarters[6:])
    for some in (make_quarters(8, missing={5}), partial):
        peak = make_report(visits, some).peaks[0].am
        assert peak.start_ms == START_MS + QUARTER_MS  # the last hour before it
    assert make_report(visits, make_quarters(8, missing={3, 7})).peaks[0].am is None


def test_an_hour_without_vehicles_has_no_factor_and_no_share() -> None:
    peak = make_report(through(0, 3, "person"), make_quarters(4)).peaks[0].am
    assert (peak.vehicles, peak.factor, peak.heavy_share) == (0, None, None)


def test_an_hour_belongs_to_the_day_and_half_in_which_it_begins_by_local_time() -> None:
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    noon = datetime.datetime(2024, 5, 1, 12, tzinfo=berlin)
    start_ms = int(noon.timestamp() * 1000) - 2 * QUARTER_MS
    quarters = make_quarters(2 + 48 + 4, start_ms)
    table = make_table([], quarters)
    first, second = find_peaks(table, berlin)
    assert first.am.start_ms == start_ms
    assert first.pm.start_ms == start_ms + 2 * QUARTER_MS
    assert (second.day, second.pm) == (datetime.date(2024, 5, 2), None)
    assert second.am.start_ms == start_ms + (2 + 48) * QUARTER_MS


def test_the_repeated_hour_of_an_autumn_night_has_eight_quarters() -> None:
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
def test_a_turn_follows_from_the_sides_of_its_legs(
    sides: dict[str, str | None], turns: dict[str, str]
) -> None:
    found = turns_of(sides)
    assert {to_leg: found[come, to_leg] for come, to_leg in found if come == "a" and to_leg in turns} == turns
    assert ("a", "c") in found or sides.get("c") is None


def test_traffic_from_the_south_is_northbound() -> None:
    assert [heading_of(side) for side in ("S", "N", "W", "E", "SW")] == ["NB", "SB", "EB", "WB", "NE"]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.name)
def test_a_scheme_splits_no_label_and_loses_no_class(scheme: Scheme) -> None:
    labels = ["car", "truck", "bus", "motorbike", "bicycle", "person", "dog"]
    groups = groups_of(labels, scheme.name)
    assert sorted(label for group in groups for label in group.labels) == sorted(labels)
    covered = [code for group in groups for code in group.codes]
    assert sorted(covered) == sorted(one.code for one in scheme.classes if one.kind != "other")
    assert not [group for group in groups if group.kind in ("bicycle", "pedestrian") and group.codes]
    assert len(groups_of([*labels, "van"], scheme.name)) == len(groups) + 1


def test_classes_that_the_model_does_not_distinguish_are_listed() -> None:
    told = not_told_apart(groups_of(["car", "truck", "bus"], "fhwa"))
    assert told[0] == "2 and 3 are counted together: this model labels all of them car."
    assert len(told) == 3  # buses are one class
    assert "pickups" in told[-1]
    assert not_told_apart(groups_of(["car", "bus"])) == []


def test_unknown_classes_are_refused_with_the_list_of_known_ones() -> None:
    with pytest.raises(Misconfigured, match="choose one of: labels, fhwa, coba, swiss10, tls"):
        groups_of(["car"], "euro13")


def test_each_known_label_has_an_existing_kind() -> None:
    assert {*LABEL_KINDS.values()} <= {*get_args(Kind)}


PAIRS = [(a, b) for a in SIDES for b in SIDES if a != b]
LABELS = ["car", "car", "car", "truck", "bus", "motorbike", "person", "bicycle"]


def busy(quarters: int = 12) -> list[Visit]:
    """Some of each class in each quarter, more at noon, and some without a movement."""
    visits = []
    for at in range(quarters):
        for number in range(20 + 7 * (at % 5)):
            movement: Any = PAIRS[(number * 5 + at) % len(PAIRS)]
            if number % 11 == 0:
                movement = ("unassigned", "never_at_a_leg")[number % 2]
            label = LABELS[(number + at) % len(LABELS)]
            visits.append(Visit(START_MS + at * QUARTER_MS + number * 1000, label, movement))
    return visits


def report_with_gaps(scheme: str = "labels", **others: Any) -> TrafficReport:
    quarters = list(make_quarters(12, missing={9}))
    quarters[10] = Quarter(quarters[10].start_ms, QUARTER_MS // 2)
    return make_report(busy(), quarters, scheme=scheme, **others)


def written(write: Callable[..., None], report: TrafficReport, *more: Any) -> bytes:
    file = io.BytesIO()
    write(file, report, *more)
    return file.getvalue()


def rows_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


class Formulas:
    """Calculates the formulas of a workbook, as a spreadsheet does when it is opened."""

    def __init__(self, book: Workbook) -> None:
        self.book = book
        self.found: dict[tuple[str, str], float] = {}

    def value(self, sheet: str, cell: str) -> float:
        if (sheet, cell) not in self.found:
            content = self.book[sheet][cell].value
            is_formula = isinstance(content, str) and content.startswith("=")
            self.found[sheet, cell] = self._calculated(sheet, content[1:]) if is_formula else content or 0
        return self.found[sheet, cell]

    def _calculated(self, sheet: str, text: str) -> float:
        def at(match: re.Match[str]) -> str:
            there = match[1] or sheet
            if not match[3]:
                return repr(self.value(there, match[2]))
            left, top, right, bottom = range_boundaries(f"{match[2]}:{match[3]}")
            cells = self.book[there].iter_rows(top, bottom, left, right)
            return repr([self.value(there, cell.coordinate) for row in cells for cell in row])

        python = re.sub(r"(?:'([^']+)'!)?\b([A-Z]{1,3}\d+)(?::([A-Z]{1,3}\d+))?", at, text)
        return eval(python.replace("SUM", "sum").replace("MAX", "max"))  # noqa: S307 - of our own file


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", SCHEME_NAMES)
def test_every_formula_of_the_workbook_gives_the_value_beside_it(scheme: str) -> None:
    data = written(write_workbook, report_with_gaps(scheme))
    formulas = Formulas(load_workbook(io.BytesIO(data)))
    values = load_workbook(io.BytesIO(data), data_only=True)
    checked = 0
    for sheet in formulas.book:
        for row in sheet.iter_rows():
            for cell in row:
                if isinstance(cell.value, str) and cell.value.startswith("="):
                    checked += 1
                    shown = values[sheet.title][cell.coordinate].value
                    assert formulas.value(sheet.title, cell.coordinate) == pytest.approx(shown), (
                        f"{sheet.title}!{cell.coordinate}"
                    )
    assert checked > 100


def test_totals_of_the_workbook_match_the_table() -> None:
    report = report_with_gaps()
    book = load_workbook(io.BytesIO(written(write_workbook, report)), data_only=True)
    motor = {group.name for group in report.table.motor}
    *_, last = book["Motor vehicles"].iter_rows(values_only=True)
    assert last[-1] == report.table.total(groups=motor)
    *_, last = book["Books"].iter_rows(values_only=True)
    assert last[1:] == (
        report.table.total(),
        *(
            sum(n for (_, why, _), n in report.table.without.items() if why == reason)
            for reason in ("unassigned", "never_at_a_leg")
        ),
        report.table.total() + sum(report.table.without.values()),
    )
    front = {row[0]: row for row in book["Report"].iter_rows(values_only=True)}
    for leg, side in SIDES.items():
        came = report.table.total(from_leg=leg, groups=motor)
        went = report.table.total(to_leg=leg, groups=motor)
        assert front[leg][1:5] == (side, came, went, came + went)
    assert front["person"][1] == report.table.total(groups={"person"})


def test_a_gap_has_no_number_in_any_sheet_and_is_explained() -> None:
    book = load_workbook(io.BytesIO(written(write_workbook, report_with_gaps())), data_only=True)
    for name in ("Motor vehicles", "car", "person"):
        rows = list(book[name].iter_rows(min_row=4, values_only=True))
        assert rows[9][2:4] == (0, "no footage")
        assert {*rows[9][4:]} == {None}
        assert rows[10][2:4] == (0.5, "seen 50%")
        assert None not in rows[10][4:]


def test_the_wide_table_has_a_row_per_quarter_and_a_column_per_leg_class_and_turn() -> None:
    report = report_with_gaps()
    rows = rows_of(written(write_wide_csv, report))
    assert len(rows) == 12
    assert {"n_appr_car_l", "s_appr_truck_t", "e_appr_person_r"} <= rows[0].keys()
    assert [row["state"] for row in rows[8:]] == ["counted", "no_footage", "partial", "counted"]
    assert rows[9]["seen_share"] == "0"
    assert {value for name, value in rows[9].items() if "_appr_" in name} == {""}
    assert rows[0]["start_time"] == "2024-05-01T06:00:00+00:00"
    total = sum(int(value or 0) for row in rows for name, value in row.items() if "_appr_" in name)
    assert total == report.table.total()
    south_left = sum(int(row["s_appr_car_l"] or 0) for row in rows)
    assert south_left == report.table.total(from_leg="south", to_leg="west", groups={"car"})


def test_without_sides_the_columns_name_the_destination_leg() -> None:
    rows = rows_of(written(write_wide_csv, report_with_gaps(sides={**SIDES, "west": None})))
    assert "south_appr_car_to_west" in rows[0]
    assert "south_appr_car_t" in rows[0]


def test_column_names_are_unique_even_if_legs_share_a_side_or_have_similar_names() -> None:
    rows = rows_of(written(write_wide_csv, report_with_gaps(sides={**SIDES, "west": "S"})))
    assert "north_appr_car_to_south" in rows[0]
    four = report_with_gaps(sides={"south": "S", "north": "NE", "east": "E", "west": "SE"})
    names = list(rows_of(written(write_wide_csv, four))[0])
    assert {"s_appr_car_r", "s_appr_car_to_e", "s_appr_car_to_se"} <= {*names}
    alike: Any = {"Hill St": None, "hill-st": None}
    visits = [Visit(START_MS, "car", ("Hill St", "hill-st"))]
    report = make_report(visits, make_quarters(1), sides=alike)
    row = rows_of(written(write_wide_csv, report))[0]
    assert (row["hill_st_appr_car_to_hill_st2"], row["hill_st2_appr_car_to_hill_st"]) == ("1", "0")


def test_both_repeated_hours_of_an_autumn_night_are_in_every_file() -> None:
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    start_ms = int(datetime.datetime(2024, 10, 27, 2, tzinfo=berlin).timestamp() * 1000)
    quarters = make_quarters(8, start_ms)
    visits = [Visit(start_ms + at * QUARTER_MS, "car", ("south", "north")) for at in (0, 4, 4)]
    report = make_report(visits, quarters, timezone="Europe/Berlin")
    rows = rows_of(written(write_wide_csv, report))
    assert rows[0]["start_time"] == "2024-10-27T02:00:00+02:00"
    assert rows[4]["start_time"] == "2024-10-27T02:00:00+01:00"
    assert (rows[0]["s_appr_car_t"], rows[4]["s_appr_car_t"]) == ("1", "2")
    book = load_workbook(io.BytesIO(written(write_workbook, report)), data_only=True)
    night = [row[:2] for row in book["car"].iter_rows(min_row=4, max_row=11, values_only=True)]
    two = datetime.datetime(2024, 10, 27, 2)  # noqa: DTZ001 - as a workbook has it
    assert (night[0], night[4]) == ((two, "+0200"), (two, "+0100"))


def test_hostile_names_run_nothing_and_break_no_file() -> None:
    sides: Any = {'=HYPERLINK("http://x")': "N", "a,b\"c'[d]": "S", "+1": None}
    legs = list(sides)
    visits = [Visit(START_MS, label, (legs[0], legs[1])) for label in ("=1+1", "History", "a/b:c*", "car")]
    visits.append(Visit(START_MS, "x" * 60, (legs[1], legs[0])))
    report = make_report(visits, make_quarters(4), sides=sides, name="=cmd|' /C calc'!A0")
    data = written(write_workbook, report)
    book = load_workbook(io.BytesIO(data))
    for sheet in book:
        for row in sheet.iter_rows():
            for cell in row:
                if isinstance(cell.value, str) and cell.data_type == "f":
                    assert re.fullmatch(r"=[\w\s+'!:()*/.=-]*", cell.value), cell.value
                assert cell.hyperlink is None
    rows = rows_of(written(write_wide_csv, report))
    assert all(re.fullmatch(r"\w+", name) for name in rows[0])
    assert len(rows[0]) == len({*rows[0]})


def test_the_same_counts_give_the_same_bytes() -> None:
    for write in (write_workbook, write_wide_csv):
        assert written(write, report_with_gaps()) == written(write, report_with_gaps())


def test_a_report_without_visits_is_a_report_of_zeros() -> None:
    report = make_report([], make_quarters(4))
    assert len(rows_of(written(write_wide_csv, report))) == 4
    book = load_workbook(io.BytesIO(written(write_workbook, report)), data_only=True)
    assert {*next(book["Motor vehicles"].iter_rows(min_row=4, values_only=True))[4:]} == {0}


def test_a_single_leg_also_gives_a_report() -> None:
    leg: Any = {"only": "N"}
    report = make_report([Visit(START_MS, "car", "unassigned")], make_quarters(4), sides=leg)
    assert len(rows_of(written(write_wide_csv, report))) == 4
    book = load_workbook(io.BytesIO(written(write_workbook, report)), data_only=True)
    *_, last = book["Books"].iter_rows(values_only=True)
    assert last == ("all", 0, 1, 0, 1)
    assert "NBU" not in written(write_utdf, report, peak_of(report)).decode()
    assert "SBU" in written(write_utdf, report, peak_of(report)).decode()


def sections_of(data: bytes) -> dict[str, list[list[str]]]:
    sections: dict[str, list[list[str]]] = {}
    for line in data.decode().splitlines():
        if line.startswith("["):
            rows = sections[line.strip("[]")] = []
        else:
            rows.append(line.split(","))
    return sections


def peak_of(report: TrafficReport) -> Any:
    return report.peaks[0].am


def test_utdf_has_the_peak_hours_volumes_by_turn() -> None:
    report = report_with_gaps()
    hour = peak_of(report)
    _, head, *rows = sections_of(written(write_utdf, report, hour))["Lanes"]
    records = {row[0]: dict(zip(head, row, strict=True)) for row in rows}
    starts = range(hour.start_ms, hour.start_ms + 4 * QUARTER_MS, QUARTER_MS)
    motor = {group.name for group in report.table.motor}
    assert sum(int(records["Volume"][name]) for name in head[2:]) == hour.vehicles
    assert records["Volume"]["NBL"] == str(
        report.table.total(starts_ms=starts, from_leg="south", to_leg="west", groups=motor)
    )
    assert {records["PHF"][name] for name in head[2:]} == {f"{hour.factor:.2f}"}
    assert 0 < int(records["HeavyVehicles"]["NBL"]) < 100


def test_a_comma_or_bracket_in_a_name_does_not_end_a_utdf_field() -> None:
    sides: Any = {"a,b": "N", '[Lanes] "x"': "S", "=1+1": "E"}
    report = make_report([], make_quarters(4), sides=sides)
    sections = sections_of(written(write_utdf, report, peak_of(report)))
    assert list(sections) == ["Network", "Nodes", "Links", "Lanes", "Timeplans", "Phases"]
    assert [row[-1] for row in sections["Nodes"][2:]] == ["Cross roads", "a b", "(Lanes) 'x'", "'=1+1"]
    assert {len(row) for row in sections["Nodes"][1:]} == {6}


def test_utdf_without_the_sides_of_the_legs_names_the_missing_one() -> None:
    report = report_with_gaps(sides={**SIDES, "west": None})
    with pytest.raises(ReportRefused, match="'west' is not set"):
        written(write_utdf, report, peak_of(report))
    report = report_with_gaps(sides={**SIDES, "west": "N"})
    with pytest.raises(ReportRefused, match="is the same for two legs"):
        written(write_utdf, report, peak_of(report))


def checked_south(report: TrafficReport) -> CheckedLegs:
    """The south leg in the peak hour, according to the check."""
    hour = peak_of(report)
    span = ReportSpan(hour.start_ms, hour.start_ms + 4 * QUARTER_MS)
    row = CheckedLeg("south", "in", span, counted=50, low=48, high=61, estimate=54.4, check="may")
    return CheckedLegs([row], ["may: 95% intervals, 100 pieces of footage", MOVEMENTS_UNCHECKED])


def test_utdf_adds_the_interval_of_a_checked_leg_and_leaves_volumes_unchanged() -> None:
    report = report_with_gaps()
    plain = sections_of(written(write_utdf, report, peak_of(report)))
    sections = sections_of(written(write_utdf, report, peak_of(report), checked_south(report)))
    assert sections["Lanes"] == plain["Lanes"], "no check covers movements"
    _, head, *rows = sections["Links"]
    assert rows[:2] == plain["Links"][2:]
    of_checks = {row[0]: dict(zip(head, row, strict=True)) for row in rows[2:]}
    found = {name: row["NB"] for name, row in of_checks.items() if name.startswith("Checked in")}
    assert list(found.values()) == ["50", "48", "61", "54"]
    assert {row[name] for row in of_checks.values() for name in ("SB", "EB", "WB")} == {""}
    assert [row[1:] for row in sections["Network"] if row[0] == "AccuracyCheck"] == [
        ["may: 95% intervals  100 pieces of footage"],
        [MOVEMENTS_UNCHECKED],
    ]


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::Warning")
def test_utdf2gmns_reads_the_utdf_file_back(tmp_path: Any) -> None:
    reader = pytest.importorskip("utdf2gmns.func_lib.utdf.read_utdf")
    report = report_with_gaps()
    path = tmp_path / "cross.csv"
    path.write_bytes(written(write_utdf, report, peak_of(report), checked_south(report)))
    tables = reader.read_UTDF(str(path))
    lanes = tables["Lanes"].set_index("RECORDNAME")
    turns = [name for name in lanes.columns if name != "INTID"]
    assert sum(int(lanes.loc["Volume", name]) for name in turns) == peak_of(report).vehicles
    assert list(tables["Nodes"]["INTID"]) == ["1", "2", "3", "4", "5"]
    assert tables["Links"].set_index("RECORDNAME").loc["Name", "NB"] == "south"


def test_a_class_that_could_not_be_followed_has_no_number_and_makes_its_sums_minimums() -> None:
    visits = [*through(0, 5), *through(0, 2, "bus"), *through(1, 3), *through(1, 1, "bus")]
    quarters = make_quarters(2)
    boxes = [
        SeenBoxes(START_MS, "car", 100, 90),
        SeenBoxes(START_MS, "bus", 40, 10),
        SeenBoxes(START_MS + QUARTER_MS, "car", 100, 90),
        SeenBoxes(START_MS + QUARTER_MS, "bus", 40, 30),
    ]
    table = make_table(make_flows(visits), quarters, legs=SIDES, boxes=boxes)
    pair = "south", "north"
    assert table.movements_in(START_MS, pair, ["car"]) == 5
    assert table.movements_in(START_MS, pair, ["bus"]) is None
    assert table.movements_in(START_MS + QUARTER_MS, pair, ["bus"]) == 1
    assert (table.total(), table.left_out, table.missing_of(table.groups)) == (9, 2, "too_weak")
    cars = [group for group in table.groups if group.name == "car"]
    assert table.missing_of(cars) is None


def test_a_quarter_hour_in_which_nothing_could_be_followed_has_no_data_and_says_why() -> None:
    boxes = [SeenBoxes(START_MS, "car", 43, 0)]
    table = make_table([], make_quarters(1), legs=SIDES, boxes=boxes)
    [quarter] = table.quarters
    assert (quarter.missing, quarter.seen_ms, quarter.is_whole) == ("too_weak", 0, False)
    assert [group.name for group in table.groups] == ["car"]


def test_no_file_has_0_where_a_class_could_not_be_followed() -> None:
    quarters = make_quarters(4)
    boxes = [
        SeenBoxes(quarter.start_ms, label, 40, tracked)
        for quarter in quarters
        for label, tracked in (("car", 40), ("bus", 10))
    ]
    visits = [visit for number in range(4) for visit in through(number, 5)]
    report = make_report([*visits, *through(0, 2, "bus")], quarters, boxes=boxes)
    book = load_workbook(io.BytesIO(written(write_workbook, report)), data_only=True)
    for number, row in enumerate(book["Motor vehicles"].iter_rows(min_row=4, values_only=True)):
        assert {*row[4:]} == {None, 5 if number < 4 else 20}
    books = {row[0]: row[1:] for row in book["Books"].iter_rows(values_only=True)}
    assert books["bus"] == (None, None, None, None)
    assert books["at least"] == (20, None, None, 20)
    front = {row[0]: row[2:5] for row in book["Report"].iter_rows(values_only=True)}
    assert (front["south"], front["north"], front["east"]) == (
        (20, None, 20),
        (None, 20, 20),
        (None, None, None),
    )
    assert front["at least"] == (20, 20, 40)
    volumes = sections_of(written(write_utdf, report, peak_of(report)))["Lanes"]
    [volume] = [row for row in volumes if row[0] == "Volume"]
    assert {*volume[2:]} == {"", "20"}
