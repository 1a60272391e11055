"""The traffic report over footage that the real job has counted: every vehicle is where it drove."""

from __future__ import annotations

import csv
import datetime
import io
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from tests.traffic import crossroads
from tests.web.conftest import Place
from tests.web.counted_footage import START_MS, make_lines, publish_lines, put_manifest

from frametally.adapters_by_url import open_object_store
from frametally.rules.times import DAY_MS, HOUR_MS, utc
from frametally_cli import main as cli
from frametally_traffic.report.junction_report import ReportQuery, read_report
from frametally_traffic.report.quarters import QUARTER_MS

SECONDS = 100 * 60
NOT_FILMED_S = (70 * 60, 92 * 60)
ASKED = "source=crossroads&timezone=UTC"


@pytest.fixture(scope="module")
def drivers() -> list[crossroads.Driver]:
    """The vehicles: one at a time, and none while the camera is off or about to be."""
    return [
        driver
        for driver in crossroads.make_drivers(SECONDS, [15])
        if not NOT_FILMED_S[0] * 1000 - 20_000
        < driver.since_ms - crossroads.START_MS
        < NOT_FILMED_S[1] * 1000
    ]


@pytest.fixture(scope="module")
def filmed(
    tmp_path_factory: pytest.TempPathFactory,
    make_place: Callable[[Path], Place],
    drivers: list[crossroads.Driver],
) -> Iterator[Place]:
    """An hour and 40 minutes of a crossroads with its legs, in a folder, with a gap of 22 minutes."""
    folder = tmp_path_factory.mktemp("crossroads")
    place = make_place(folder)
    place.store = open_object_store((folder / "store").as_uri(), place.settings.store_access)
    crossroads.film(place, drivers, SECONDS, not_filmed_s=NOT_FILMED_S)
    crossroads.draw_legs(place)
    yield place
    place.close()


def ask(place: Place, query: str = ASKED, status: int = 200) -> Any:
    answer = place.app().test_client().get(f"/api/v1/traffic?{query}")
    assert answer.status_code == status, answer.text
    return answer.json


def file_of(place: Place, query: str, status: int = 200) -> Any:
    answer = place.app().test_client().get(f"/api/v1/traffic/file?{ASKED}&{query}")
    assert answer.status_code == status, answer.text
    return answer.data if status == 200 else answer.json


def by_quarter(report: Any) -> Counter[tuple[int, str, str, str]]:
    """Movements by start of the quarter, both legs and class."""
    found: Counter[tuple[int, str, str, str]] = Counter()
    for quarter in report["quarters"]:
        for movement, counts in zip(report["movements"], quarter["counts"] or (), strict=False):
            for column, count in zip(report["columns"], counts, strict=True):
                key = quarter["start_ms"], movement["from_leg"], movement["to_leg"], column["name"]
                found[key] += count
    return +found


@pytest.mark.thorough
def test_each_driver_is_in_the_report_by_quarter_hour_movement_and_class(
    filmed: Place, drivers: list[crossroads.Driver]
) -> None:
    report = ask(filmed)
    found = by_quarter(report)
    # The vehicle crosses the line some seconds after it starts.
    at_ms = {driver: driver.since_ms + 1700 for driver in drivers}
    far = [driver for driver in drivers if 1000 < at_ms[driver] % QUARTER_MS < QUARTER_MS - 1000]
    assert len(far) > 0.9 * len(drivers)
    driven = Counter(
        (at_ms[driver] - at_ms[driver] % QUARTER_MS, driver.from_leg, driver.to_leg, driver.label)
        for driver in far
    )
    assert not driven - found
    assert found.total() == len(drivers) == report["totals"]["visits"]


@pytest.mark.thorough
def test_the_gap_is_named_and_has_no_numbers(filmed: Place) -> None:
    quarters = ask(filmed)["quarters"]
    assert [quarter["missing"] for quarter in quarters] == [None] * 5 + ["no_footage", None]
    assert quarters[5]["counts"] is None
    assert [quarter["is_whole"] for quarter in quarters] == [True] * 4 + [False] * 3
    assert quarters[4]["seen_ms"] == pytest.approx(10 * 60_000, abs=1000)


@pytest.mark.thorough
def test_footage_that_is_not_counted_yet_is_not_a_gap_of_the_camera(
    filmed: Place, drivers: list[crossroads.Driver]
) -> None:
    later_ms = crossroads.START_MS + 3 * HOUR_MS
    frame = crossroads.frame_of([], later_ms, 0, "cd" * 32)
    last = crossroads.frame_of([], later_ms + QUARTER_MS // 2, 1, "cd" * 32)
    put_manifest(filmed, frame, last, "Crossroads", 100)
    try:
        until = later_ms + 2 * QUARTER_MS
        quarters = ask(filmed, f"{ASKED}&to={until}")["quarters"]
        assert [quarter["missing"] for quarter in quarters[-3:]] == [
            "no_footage",
            "not_analysed",
            "no_footage",
        ]
        # Without an end, the range ends with the footage.
        assert [quarter["missing"] for quarter in ask(filmed)["quarters"]][-1] == "not_analysed"
    finally:
        filmed.store.delete(f"media/{'cd' * 32}.json")


@pytest.mark.thorough
def test_a_report_without_an_end_leaves_out_footage_dated_in_the_future(filmed: Place) -> None:
    quarters = ask(filmed)["quarters"]
    then_ms = int(time.time() * 1000) // QUARTER_MS * QUARTER_MS + 3000 * DAY_MS
    frame = crossroads.frame_of([], then_ms, 0, "ce" * 32)
    last = crossroads.frame_of([], then_ms + QUARTER_MS // 2, 1, "ce" * 32)
    put_manifest(filmed, frame, last, "Crossroads", 100)
    try:
        assert ask(filmed)["quarters"] == quarters
        there = ask(filmed, f"{ASKED}&from={then_ms}")["quarters"]
        assert there[0]["missing"] == "not_analysed", "it is there for those that ask for it"
    finally:
        filmed.store.delete(f"media/{'ce' * 32}.json")


@pytest.mark.thorough
def test_a_day_with_unknown_flows_has_no_zeros(filmed: Place) -> None:
    asked = ReportQuery(crossroads.SOURCE, "UTC", datetime.UTC)
    report = read_report(
        asked, store=filmed.store, index=filmed.real_index, read_flows=lambda *_: (), source_name=None
    )
    assert {quarter.missing for quarter in report.table.quarters} == {"not_analysed", "no_footage"}
    assert [leg.side for leg in report.legs] == ["N", "E", "S", "W"]


@pytest.mark.thorough
def test_the_files_have_the_same_numbers(filmed: Place) -> None:
    report = ask(filmed)
    total = by_quarter(report).total()
    rows = list(csv.DictReader(io.StringIO(file_of(filmed, "format=csv").decode("utf-8-sig"))))
    assert sum(int(value or 0) for row in rows for name, value in row.items() if "_appr_" in name) == total
    book = load_workbook(io.BytesIO(file_of(filmed, "format=xlsx")), data_only=True)
    *_, last = book["Books"].iter_rows(values_only=True)
    assert last[1] == total
    peak = next(one for one in report["peaks"] if one["half"] == "am")
    lines = file_of(filmed, "format=utdf").decode().splitlines()
    volume = next(line for line in lines if line.startswith("Volume,"))
    assert sum(map(int, volume.split(",")[2:])) == peak["vehicles"]


def test_classes_of_a_scheme_add_up_to_the_labels(filmed: Place) -> None:
    labels, fhwa = ask(filmed), ask(filmed, f"{ASKED}&classes=fhwa")
    motor = sum(column["movements"] for column in labels["columns"] if column["is_motor"])
    assert sum(column["movements"] for column in fhwa["columns"] if column["codes"]) == motor
    assert "2 and 3 are counted together" in fhwa["notes"][0]


def test_the_picture_shows_the_junction(filmed: Place) -> None:
    url = ask(filmed)["image_url"]
    assert filmed.app().test_client().get(url).data.startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("query", "parameter", "words"),
    [
        ("timezone=UTC", "source", "A report covers one source"),
        ("source=crossroads&source=gate", "source", "A report covers one source"),
        ("source=crosroads", "source", "no source"),
        (f"{ASKED}&classes=euro13", "classes", "not one of the possible values"),
        (f"{ASKED}&model=none", "model", "The model 'none' has no counts."),
        (f"{ASKED}&from=2024-01-01&to=2024-12-01", "to", "the maximum is 62"),
        (f"{ASKED}&from=2044-01-02", "to", "The end must be later than the beginning."),
    ],
)
def test_an_invalid_parameter_is_a_400_that_names_it(
    filmed: Place, query: str, parameter: str, words: str
) -> None:
    problem = ask(filmed, query, 400)
    assert problem["parameter"] == parameter
    assert words in problem["detail"]


def test_utdf_for_a_half_day_without_a_whole_hour_gives_a_clear_error(filmed: Place) -> None:
    problem = file_of(filmed, "format=utdf&hour=pm", 400)
    assert problem["parameter"] == "hour"
    assert "every hour in that range has gaps" in problem["detail"]


@pytest.mark.thorough
def test_without_legs_the_error_explains_how_to_get_a_report(place: Place) -> None:
    crossroads.film(place, crossroads.make_drivers(60, [10]), 60)
    problem = ask(place, ASKED, 400)
    assert problem["detail"].startswith("Crossroads has no legs of a junction")
    assert "the direction into the junction" in problem["remedy"]


@pytest.mark.thorough
def test_the_command_writes_the_same_bytes_as_the_page(
    filmed: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(filmed.settings.data_dir))
    for name, query in (("a.xlsx", "format=xlsx"), ("a.csv", "format=csv"), ("a.utdf", "format=utdf")):
        output = tmp_path / name
        arguments = ["report", "traffic", "Crossroads", "--timezone", "UTC", "--output", str(output)]
        assert cli.main(arguments) == 0
        assert output.read_bytes() == file_of(filmed, query)
    assert "AM peak hour from 06:" in capsys.readouterr().err


def test_the_command_gives_one_line_for_what_it_cannot_do(
    filmed: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(filmed.settings.data_dir))
    assert cli.main(["report", "traffic", "yard", "--format", "csv"]) == 2
    assert "The source 'yard' has no counts. Choose from: crossroads." in capsys.readouterr().err
    assert cli.main(["report", "traffic", "Crossroads", "--output", f"{filmed.settings.data_dir}.xls"]) == 2
    assert "cannot end with .xls: use .xlsx, .csv, .utdf, or choose" in capsys.readouterr().err


@pytest.mark.thorough
@pytest.mark.parametrize("other_is_counted", [True, False])
def test_a_report_of_a_source_not_counted_yet_says_what_was_filmed(
    tmp_path: Path, make_place: Any, capsys: pytest.CaptureFixture[str], other_is_counted: bool
) -> None:
    place: Place = make_place(tmp_path)
    first, last = make_lines("back-yard", frames=2)
    with closing(open_object_store((tmp_path / "store").as_uri())) as store:
        place.store = store
        if other_is_counted:
            publish_lines(place, make_lines("gate", frames=1))
        put_manifest(place, first, last, "Back yard", 2)
        refused = place.app().test_client().get("/api/v1/traffic?source=back-yard")
    assert refused.status_code == 400
    place.close()
    assert cli.main(["report", "traffic", "Back yard", "--data-dir", str(tmp_path), "--format", "csv"]) == 2
    told = (
        f"Back yard was filmed from {utc(START_MS)} to {utc(last.captured_at_ms)}, but none of it is counted"
    )
    for said in (refused.json["detail"], capsys.readouterr().err):
        assert told in said
    assert "`frametally aggregate`" in refused.json["remedy"]
