"""An export is also a table for people: dates for spreadsheets, names, and nothing that runs."""

from __future__ import annotations

import datetime
import io
from typing import TYPE_CHECKING, Any

import pytest
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape
from tests.fakes.records import make_coverage
from tests.web.conftest import Place
from tests.web.counted_footage import MODEL, START_MS, make_lines, publish_lines, put_manifest
from tests.web.test_export_comparison import export, rows_of

from frametally.records import Coverage, IntervalCount
from frametally.rules.times import EPOCH, HOUR_MS, MILLISECOND
from frametally_web.exports import workbook
from frametally_web.exports.rows import MOST_NAMED

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook


def open_book(place: Place, query: str) -> tuple[Workbook, list[dict[str, Any]]]:
    book = load_workbook(io.BytesIO(export(place, f"{query}&format=xlsx")))
    head, *rows = book["Counts"].iter_rows(values_only=True)
    return book, [dict(zip(head, row, strict=True)) for row in rows]


@pytest.fixture
def filmed(place: Place) -> Place:
    """Two sources with full names, a gap of a minute, unknown numbers of objects."""
    gate = [line for line in make_lines("gate", frames=60) if line.captured_at_ms // 60_000 % 5 != 2]
    yard = make_lines("yard", frames=12, seed=4, time_source="file_time")
    publish_lines(place, gate + yard, objects=1, analysed_fps=1.0)
    put_manifest(place, gate[0], gate[-1], "Gate, north")
    put_manifest(place, yard[0], yard[-1], "=Yard")
    return place


def test_times_appear_in_local_time_with_the_offset_separate(filmed: Place) -> None:
    row = rows_of(export(filmed, "interval=60&timezone=Europe/Berlin"))[0]
    assert row["interval_start"] == "2024-05-01T10:00:00+02:00"
    assert (row["start_local"], row["end_local"]) == ("2024-05-01T10:00:00", "2024-05-01T10:01:00")
    assert row["utc_offset"] == "UTC+02:00"
    assert rows_of(export(filmed, "interval=60&timezone=America/St_Johns"))[0]["utc_offset"] == "UTC-02:30"


def test_local_times_with_offsets_distinguish_the_repeated_hour(place: Place) -> None:
    first_ms = (datetime.datetime(2026, 10, 25, tzinfo=datetime.UTC) - EPOCH) // MILLISECOND
    coverage = [make_coverage(first_ms + hour * HOUR_MS, interval_s=3600) for hour in range(3)]
    place.publish([], coverage, interval_s=3600, model="m")
    rows = rows_of(export(place, "interval=3600&timezone=Europe/Berlin"))
    assert [(row["start_local"][11:16], row["utc_offset"]) for row in rows] == [
        ("02:00", "UTC+02:00"),
        ("02:00", "UTC+01:00"),
        ("03:00", "UTC+01:00"),
    ]


@pytest.mark.thorough
def test_sources_appear_with_their_names_even_in_sums(filmed: Place) -> None:
    together = rows_of(export(filmed, "interval=60"))[0]
    assert (together["source"], together["source_name"]) == ("gate; yard", "Gate, north; =Yard")
    apart = rows_of(export(filmed, "interval=60&by=source"))
    assert {(row["source"], row["source_name"]) for row in apart} == {
        ("gate", "Gate, north"),
        ("yard", "'=Yard"),
    }


def test_a_row_for_very_many_sources_names_some_and_says_how_many_more(place: Place) -> None:
    coverage = [
        Coverage(model="m", source=f"s{n:03}", interval_start_ms=START_MS, interval_s=60, frames=1)
        for n in range(MOST_NAMED + 3)
    ]
    place.publish([], coverage, interval_s=60, model="m")
    (row,) = rows_of(export(place, "interval=60"))
    assert row["source"] == "; ".join([f"s{n:03}" for n in range(MOST_NAMED)]) + "; and 3 more"


def test_a_workbook_has_real_dates_and_numbers_instead_of_text(filmed: Place) -> None:
    query = "interval=60&label=car&label=bus&timezone=Europe/Berlin&by=source"
    book, rows = open_book(filmed, query)
    as_csv = rows_of(export(filmed, query))
    assert len(rows) == len(as_csv) > 10
    for row, expected in zip(rows, as_csv, strict=True):
        assert row["start_local"].isoformat() == expected["start_local"]
        assert row["source_name"] == expected["source_name"].removeprefix("'")
        for name in ("detections", "peak", "frames_analysed", "objects", "mean_per_frame", "covered_s"):
            number = float(expected[name]) if expected[name] else None
            assert row[name] == pytest.approx(number)
            assert not isinstance(row[name], str)
    sheet = book["Counts"]
    assert sheet.freeze_panes == "A2"
    assert sheet["A2"].number_format == "yyyy-mm-dd hh:mm:ss"
    assert [cell.value for cell in sheet[1]][:2] == ["start_local", "end_local"]
    assert sheet["A1"].font.bold


def test_a_workbook_states_the_query_and_what_an_empty_cell_means(filmed: Place) -> None:
    book, _ = open_book(filmed, "interval=60&timezone=Europe/Berlin&label=car")
    about = {row[0]: row[1] for row in book["About"].iter_rows(values_only=True) if row[0]}
    assert (about["model"], about["interval_s"], about["timezone"], about["labels"]) == (
        MODEL, 60, "Europe/Berlin", "car",
    )  # fmt: skip
    assert about["from"].startswith("2024-05-01T08:00:00")
    assert "nothing was found" in about["0"]
    assert "no footage" in about["(empty)"]
    assert "not measured" in about["(empty), objects"]
    assert "boxes" in about["detections"]


HOSTILE = [
    '=HYPERLINK("http://x.example","y")',
    "+1",
    "-1+1",
    "@SUM(A1)",
    "\ttab",
    "http://x.example/",
    "mailto:a@x.example",
    "internal:Sheet!A1",
    "{=A1}",
    "<b>&amp;</b>",
    "two\nlines",
    "\x01\x1f control",
    "_x0041_",
    "12",
    "TRUE",
    "größer 日本 \U0001f6b2",
]


def test_no_name_becomes_a_formula_a_link_or_a_number_in_a_workbook(place: Place) -> None:
    common: dict[str, Any] = {
        "model": MODEL,
        "source": "gate",
        "interval_start_ms": START_MS,
        "interval_s": 60,
    }
    counts = [
        IntervalCount(**common, label=one, frames=1, detections=1, peak=1, evidence=[]) for one in HOSTILE
    ]
    place.publish(counts, [Coverage(**common, frames=1)], interval_s=60, model=MODEL)
    book, _ = open_book(place, "")
    sheet = book["Counts"]
    column = [cell.value for cell in sheet[1]].index("label")
    cells = [row[column] for row in sheet.iter_rows(min_row=2)]
    assert {cell.data_type for cell in cells} == {"s"}
    assert all(cell.hyperlink is None for cell in cells)
    assert {unescape(cell.value) for cell in cells} == set(HOSTILE)
    assert not sheet._hyperlinks


def test_a_workbook_with_too_many_rows_is_refused_with_the_other_formats(
    filmed: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from frametally_web.exports import table_file as module

    monkeypatch.setattr(module, "MOST_ROWS", 5)
    client = filmed.app().test_client()
    answer = client.get("/api/v1/export?interval=60&format=xlsx")
    assert (answer.status_code, answer.json["parameter"]) == (400, "interval")
    assert "at most 5 rows; CSV and Parquet can have more" in answer.json["remedy"]
    assert client.get("/api/v1/export?interval=60").status_code == 200


def test_texts_and_dates_that_a_workbook_cannot_hold_are_shortened_and_written_out(tmp_path: Any) -> None:
    from frametally_web.exports.rows import Column

    columns = [Column("start_local", "local", "a date"), Column("source", "text", "a name")]
    early = datetime.datetime(1000, 1, 1)  # noqa: DTZ001
    path = tmp_path / "x.xlsx"
    with path.open("wb") as file:
        workbook.write_xlsx(file, columns, [(early, "x" * 40_000)], {"sources": ["y" * 40_000]})
    sheet = load_workbook(path)["Counts"]
    assert sheet["A2"].value == "1000-01-01T00:00:00"
    assert sheet["B2"].value == "x" * 32_766 + "…"


@pytest.mark.thorough
@pytest.mark.parametrize("file_format", ["csv", "json", "parquet"])
def test_a_large_export_is_not_held_in_memory_as_a_file(
    place: Place, file_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a megabyte, output goes to a file, and is sent from it piece by piece."""
    coverage = [
        Coverage(model="m", source="gate", interval_start_ms=START_MS + n * 60_000, interval_s=60, frames=1)
        for n in range(12_000)
    ]
    place.publish([], coverage, interval_s=60, model="m")
    answer = place.app().test_client().get(f"/api/v1/export?interval=60&format={file_format}", buffered=False)
    pieces = list(answer.iter_encoded())
    assert max(map(len, pieces)) <= 65_536
    assert sum(map(len, pieces)) == answer.content_length
    answer.close()
