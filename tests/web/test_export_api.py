"""The screen's content as a file: the same numbers, gaps distinct from zeros, safe to open."""

from __future__ import annotations

import io
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as parquet
import pytest
from openpyxl import load_workbook
from tests.web.conftest import Place
from tests.web.counted_footage import (
    MODEL,
    START_MS,
    make_lines,
    publish_lines,
    put_dead_letters,
    put_manifest,
)
from tests.web.test_export_comparison import rows_of

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_object_store
from frametally.live_records import LiveMinute, Outage
from frametally.ports.count_index import CountQuery, Histogram
from frametally.records import Coverage, IntervalCount
from frametally.rules.times import utc
from frametally_cli.main import main

LOCAL = ["start_local", "end_local", "utc_offset", "source_name"]
COLUMNS = [
    *("interval_start", "interval_end", "source", "label", "coverage", "frames_analysed", "detections"),
    *(
        "mean_per_frame",
        "peak",
        "objects",
        "objects_missing",
        "time_source",
        "tracked_detections",
        "covered_s",
    ),
    *LOCAL,
    "shows_nothing",
    "objects_at_least",
    "objects_from_start",
    "filmed_part",
    "fast_objects",
]


def export(place: Place, query: str) -> Any:
    answer = place.app(web_query_timeout_s=60).test_client().get(f"/api/v1/export?{query}")
    assert answer.status_code == 200, answer.text
    return answer


@pytest.fixture
def filmed(place: Place) -> Place:
    """Two sources, one with a gap of two minutes."""
    gate = [
        line
        for line in make_lines("gate", frames=120)
        if not START_MS + 120_000 <= line.captured_at_ms < START_MS + 240_000
    ]
    yard = make_lines("yard", frames=12, seed=4, time_source="file_time")
    publish_lines(place, gate + yard, objects=1, analysed_fps=5.0)
    put_manifest(place, gate[0], gate[-1], "Gate")
    put_manifest(place, yard[0], yard[-1], "Yard")
    return place


def test_a_csv_has_the_charts_numbers_with_zeros_and_gaps(filmed: Place) -> None:
    query = "interval=60&label=bus&label=car&timezone=Europe/Berlin"
    chart = filmed.app().test_client().get(f"/api/counts?{query}").json
    answer = export(filmed, query)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="frametally-counts.csv"'
    rows = rows_of(answer.data)
    assert list(rows[0]) == COLUMNS
    assert len(rows) == 10 * 2
    assert rows[0]["interval_start"] == "2024-05-01T10:00:00+02:00"
    assert rows[0]["interval_end"] == "2024-05-01T10:01:00+02:00"
    gaps = [row for row in rows if row["coverage"] == "no footage"]
    assert [row["interval_start"][11:16] for row in gaps] == ["10:02", "10:02", "10:03", "10:03"]
    assert {(row["detections"], row["peak"], row["objects"], row["frames_analysed"]) for row in gaps} == {
        ("", "", "", "0")
    }
    for total in chart["totals"]:
        of_label = [row for row in rows if row["label"] == total["label"] and row["detections"]]
        assert sum(int(row["detections"]) for row in of_label) == total["detections"]
        assert max(int(row["peak"]) for row in of_label) == total["peak"]
    assert any(row["detections"] == "0" and row["coverage"] == "footage" for row in rows)
    assert {row["source"] for row in rows} == {"gate; yard"}


def test_a_file_shows_one_state_of_the_counts_whatever_is_published_meanwhile(
    filmed: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def publish_before(query: CountQuery) -> Histogram:
        publish_lines(filmed, make_lines("gate", frames=12))
        return filmed.index.__getattr__("histogram")(query)

    client = filmed.app().test_client()
    before = client.get("/api/v1/export?interval=60").data
    monkeypatch.setattr(filmed.index, "histogram", publish_before, raising=False)
    assert client.get("/api/v1/export?interval=60").data == before
    monkeypatch.undo()
    assert client.get("/api/v1/export?interval=60").data != before


def test_each_source_has_its_own_rows_on_request(filmed: Place) -> None:
    rows = rows_of(export(filmed, "interval=60&label=car&by=source").data)
    assert {row["source"] for row in rows} == {"gate", "yard"}
    of_yard = [row for row in rows if row["source"] == "yard"]
    assert [row["coverage"] for row in of_yard] == ["footage"] + ["no footage"] * 9
    assert [row["time_source"] for row in of_yard[:2]] == ["file_time", ""]
    assert {row["time_source"] for row in rows if row["source"] == "gate"} == {""}


@pytest.mark.thorough
def test_footage_without_objects_has_rows_and_is_not_a_gap(place: Place) -> None:
    where: dict[str, Any] = {"model": MODEL, "source": "gate", "interval_s": 60}
    filmed = [Coverage(**where, interval_start_ms=START_MS + at * 60_000, frames=7) for at in (0, 2)]
    place.publish([], filmed, interval_s=60, model=MODEL)
    shown = [
        (row["label"], row["coverage"], row["frames_analysed"], row["detections"], row["mean_per_frame"])
        for row in rows_of(export(place, "interval=60").data)
    ]
    nothing = ("", "footage", "7", "0", "0.0")
    assert shown == [nothing, ("", "no footage", "0", "", ""), nothing]
    rows = rows_of(export(place, "interval=60&by=source").data)
    assert [row["source"] for row in rows] == ["gate"] * 3
    assert parquet.read_table(io.BytesIO(export(place, "interval=60&format=parquet").data)).num_rows == 3


@pytest.mark.thorough
def test_an_export_covers_the_whole_requested_range(filmed: Place) -> None:
    query = "interval=60&label=car&timezone=Europe/Berlin"
    whole = rows_of(export(filmed, query).data)
    rows = rows_of(export(filmed, f"{query}&from=2024-05-01T07:57:30Z&to=2024-05-01T08:12:30Z").data)
    assert rows[3:-3] == whole
    assert {row["coverage"] for row in rows[:3] + rows[-3:]} == {"no footage"}
    assert rows[0]["interval_start"] == "2024-05-01T09:57:00+02:00"
    assert rows[-1]["interval_end"] == "2024-05-01T10:13:00+02:00"
    assert [row["interval_end"] for row in rows[:-1]] == [row["interval_start"] for row in rows[1:]]
    later = rows_of(export(filmed, f"{query}&from=2024-05-02T08:00Z&to=2024-05-02T08:02Z").data)
    assert [row["coverage"] for row in later] == ["no footage"] * 2


def test_a_range_with_more_rows_than_a_file_may_have_is_refused_with_the_remedy(filmed: Place) -> None:
    answer = filmed.app().test_client().get("/api/export?interval=60&from=1970-01-01&label=car")
    assert answer.status_code == 400
    assert "the maximum is" in answer.json["detail"]
    assert "a shorter range" in answer.json["remedy"]


def test_json_and_parquet_hold_the_same_rows(filmed: Place) -> None:
    query = "interval=60&by=source&metric=objects"
    rows = rows_of(export(filmed, query).data)
    as_json = json.loads(export(filmed, f"{query}&format=json").data)
    assert as_json["query"]["model"] == MODEL
    assert [{k: "" if v is None else str(v) for k, v in row.items()} for row in as_json["rows"]] == [
        {k: v.replace("+00:00", "Z") if k.startswith("interval") else v for k, v in row.items()}
        for row in rows
    ]
    assert all("" not in row.values() for row in as_json["rows"])
    table = parquet.read_table(io.BytesIO(export(filmed, f"{query}&format=parquet").data))
    assert table.column_names == COLUMNS
    assert str(table.schema.field("interval_start").type) == "timestamp[ms, tz=UTC]"
    assert json.loads(table.schema.metadata[b"frametally.query"]) == as_json["query"]
    for found, row in zip(table.to_pylist(), rows, strict=True):
        assert found["interval_start"].isoformat() == row["interval_start"]
        assert ("" if found["detections"] is None else str(found["detections"])) == row["detections"]
        assert "" not in found.values()
        assert found["start_local"].isoformat() == row["start_local"]


def test_a_name_that_looks_like_a_formula_to_a_spreadsheet_is_exported_as_text(place: Place) -> None:
    hostile = ["=cmd|' /C calc'!A0", "+1", "-1", "@x", "\ttab", 'a,"b"\nc', "größer 日本"]
    common: dict[str, Any] = {
        "model": MODEL,
        "source": "gate",
        "interval_start_ms": START_MS,
        "interval_s": 60,
    }
    counts = [
        IntervalCount(**common, label=label, frames=1, detections=1, peak=1, evidence=[]) for label in hostile
    ]
    place.publish(counts, [Coverage(**common, frames=1)], interval_s=60, model=MODEL)
    data = export(place, "").data
    assert data.startswith(b"\xef\xbb\xbf")
    labels = {row["label"] for row in rows_of(data)}
    assert labels == {"'" + name if name[0] in "=+-@\t" else name for name in hostile}


def test_an_export_without_data_has_only_its_columns(place: Place) -> None:
    assert rows_of(export(place, "").data) == []
    assert export(place, "").data.decode("utf-8-sig").strip() == ",".join(COLUMNS)
    table = parquet.read_table(io.BytesIO(export(place, "format=parquet").data))
    assert (table.num_rows, table.column_names) == (0, COLUMNS)
    book = load_workbook(io.BytesIO(export(place, "format=xlsx").data))
    assert sorted(cell.value for cell in book["Counts"][1]) == sorted(COLUMNS)


@pytest.mark.thorough
@pytest.mark.parametrize("file_format", ["csv", "xlsx", "json", "parquet"])
def test_the_command_writes_the_same_bytes_as_the_api(
    tmp_path: Path, make_place: Any, file_format: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    place: Place = make_place(tmp_path)
    with closing(open_object_store((tmp_path / "store").as_uri())) as store:
        place.store = store
        lines = make_lines("gate", frames=60, time_source="file_time")
        publish_lines(place, lines, objects=2, analysed_fps=5.0)
        put_manifest(place, lines[0], lines[-1], "Gate")
        asked = (
            "interval=120&label=car&by=source&timezone=Asia/Kolkata&from=2024-05-01T13:31"
            "&hours=07:00-14:00&weekdays=3"
        )
        expected = export(place, f"{asked}&format={file_format}").data
        place.close()
    output = tmp_path / f"out.{file_format}"
    command = [
        *("export", "--data-dir", str(tmp_path), "--interval", "120", "--label", "car", "--by-source"),
        *("--timezone", "Asia/Kolkata", "--from", "2024-05-01T13:31"),
        *("--hours", "07:00-14:00", "--weekdays", "3"),
    ]
    assert main([*command, "--output", str(output)]) == 0
    assert output.read_bytes() == expected
    capfdbinary.readouterr()
    assert main([*command, "--format", file_format]) == 0
    assert capfdbinary.readouterr().out == expected


def test_the_command_reports_an_impossible_export_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(open_count_index(f"sqlite:///{tmp_path / 'index.sqlite'}")):
        pass
    (tmp_path / "store").mkdir()
    for option, value, said in (
        ("--timezone", "Mars/Olympus", "--timezone='Mars/Olympus' is not an IANA time zone."),
        ("--interval", "minute", "--interval='minute' is not a whole number of seconds"),
        ("--interval", "minute", "Give seconds, such as --interval=60, or leave"),
        ("--from", "yesterday", "--from='yesterday' is not a time."),
        ("--hours", "9", "--hours='9' is not a range of hours."),
        ("--weekdays", "Mon", "--weekdays='Mon' are not days of the week."),
        ("--compare", "year", "--compare='year' is not a valid comparison."),
    ):
        assert main(["export", "--data-dir", str(tmp_path), option, value]) == 2
        told = capfd.readouterr()
        assert told.out == ""
        assert said in told.err


@pytest.mark.thorough
def test_footage_that_was_not_analysed_is_not_a_gap(filmed: Place) -> None:
    """A medium that waits in the gap of the gate, and beyond the yard's end."""
    for info in list(filmed.store.list(keys.MEDIA)):
        filmed.store.delete(info.key)
    for number, source in enumerate(("gate", "yard")):
        lines = make_lines(source, frames=300, step_ms=200, start_ms=START_MS + 120_000, seed=9)
        waiting = [msgspec.structs.replace(line, media=f"{number:064x}") for line in (lines[0], lines[-1])]
        put_manifest(filmed, waiting[0], waiting[1], source.title(), frames=300)
    query = "interval=60&label=car"
    rows = rows_of(export(filmed, query).data)
    shown = [row["coverage"] for row in rows]
    assert shown == ["footage"] * 2 + ["filmed, not analysed", "no footage"] + ["footage"] * 6
    assert (rows[2]["frames_analysed"], rows[2]["detections"], rows[2]["covered_s"]) == ("0", "", "")
    of_yard = [row for row in rows_of(export(filmed, f"{query}&by=source").data) if row["source"] == "yard"]
    assert [row["coverage"] for row in of_yard[:4]] == [
        "footage",
        "no footage",
        "filmed, not analysed",
        "no footage",
    ]
    chart = filmed.app().test_client().get(f"/api/v1/counts?{query}&timezone=Europe/Berlin").json
    assert [one["start_ms"] for one in chart["not_analysed"]] == [START_MS + 120_000]
    assert filmed.app().test_client().get("/api/v1/heatmap").json["not_analysed"] == []


@pytest.mark.parametrize(("interval", "waits_s"), [(1, [*range(10), 20]), (10, [0, 20]), (60, [0])])
def test_an_outage_within_a_minute_is_not_pending_footage(
    filmed: Place, interval: int, waits_s: list[int]
) -> None:
    """A camera was on for ten seconds, off for ten, and one frame came after."""
    for info in list(filmed.store.list(keys.MEDIA)):
        filmed.store.delete(info.key)
    away_ms = START_MS + 120_000 + 9_800
    lines = make_lines("gate", frames=2, step_ms=20_000, start_ms=START_MS + 120_000, seed=9)
    waiting = [msgspec.structs.replace(line, media=f"{9:064x}") for line in lines]
    outage = Outage(away_ms, START_MS + 140_000, "sends pictures that cannot be decoded")
    live = LiveMinute(session_ms=START_MS, minute_ms=START_MS + 120_000, outages=[outage])
    put_manifest(filmed, waiting[0], waiting[1], "Gate", frames=51, live=live)
    asked = f"source=gate&interval={interval}&label=car&timezone=UTC"
    asked += (
        f"&from={utc(START_MS + 120_000).replace(' ', 'T')}&to={utc(START_MS + 180_000).replace(' ', 'T')}"
    )
    chart = filmed.app().test_client().get(f"/api/v1/counts?{asked}").json
    assert [(one["start_ms"] - START_MS) // 1000 - 120 for one in chart["not_analysed"]] == waits_s


@pytest.mark.thorough
@pytest.mark.parametrize("file_format", ["csv", "xlsx", "json", "parquet"])
@pytest.mark.parametrize("counted", [True, False], ids=["some is counted", "all is torn"])
def test_a_default_export_includes_and_names_damaged_footage_at_a_sources_ends(
    tmp_path: Path, make_place: Any, file_format: str, counted: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    """A minute before and a minute after the counts, and a source with only unreadable frames."""
    place: Place = make_place(tmp_path)
    good = make_lines("gate", frames=60, step_ms=1000, start_ms=START_MS + 60_000)
    torn = [
        msgspec.structs.replace(line, media="ef" * 32)
        for start_ms in (START_MS, START_MS + 120_000)
        for line in make_lines("gate", frames=60, step_ms=1000, start_ms=start_ms)
    ]
    yard = make_lines("yard", frames=10, step_ms=1000)
    with closing(open_object_store((tmp_path / "store").as_uri())) as store:
        place.store = store
        if counted:
            publish_lines(place, good)
            put_manifest(place, good[0], good[-1], "Gate", frames=60)
        for lines, name in ((torn, "Gate"), (yard, "Yard")):
            put_manifest(place, lines[0], lines[-1], name, frames=len(lines))
        put_dead_letters(place, [(line, "checksum", "torn") for line in (*torn, *yard)])
        client = place.app(web_query_timeout_s=60).test_client()
        summary = client.get("/api/v1/summary").json
        week = client.get("/api/v1/heatmap").json
    assert (summary["from_ms"], summary["to_ms"]) == (START_MS, START_MS + 180_000)
    assert summary["sources"] == ["gate", "yard"]
    assert (week["from_ms"], week["to_ms"]) == (START_MS, START_MS + 180_000)
    place.close()
    output = tmp_path / f"out.{file_format}"
    command = ["export", "--data-dir", str(tmp_path), "--interval", "60", "--by-source"]
    assert main([*command, "--output", str(output)]) == 0
    rows = records_of(output.read_bytes(), file_format)
    assert len(rows) == 6 * (len({row["label"] for row in rows}))
    coverage = {(row["source"], row["interval_start"], row["coverage"]) for row in rows}
    of_gate = [found for source, _, found in sorted(coverage, key=str) if source == "gate"]
    assert of_gate == [
        "filmed, not analysed",
        "footage" if counted else "no footage",
        "filmed, not analysed",
    ]
    assert [found for source, _, found in sorted(coverage, key=str) if source == "yard"] == [
        "filmed, not analysed",
        *["no footage"] * 2,
    ]
    warning = capfd.readouterr().err
    assert "120 of its frames are unreadable" in warning
    assert "10 of its frames are unreadable" in warning
    moment = utc(START_MS).replace(" ", "T")
    bar = ["--source", "gate", "--label", "car", "--interval-start", moment, "--interval", "60"]
    assert main(["explain", "--data-dir", str(tmp_path), *bar]) != 0
    told = capfd.readouterr().err
    assert "60 frames are unreadable" in told
    assert "See `frametally dead-letters list`." in told
    if file_format == "json":
        warnings = json.loads(output.read_bytes())["query"]["warnings"]
        assert [line.split(":")[0] for line in warnings] == ["gate", "yard"]


def test_an_export_of_footage_without_any_detection_has_a_row_for_each_interval(
    tmp_path: Path, make_place: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    place: Place = make_place(tmp_path)
    lines = make_lines("gate", frames=120, step_ms=1000)
    with closing(open_object_store((tmp_path / "store").as_uri())) as store:
        place.store = store
        put_manifest(place, lines[0], lines[-1], "Gate", frames=120)
        client = place.app(web_query_timeout_s=60).test_client()
        misspelt = client.get("/api/v1/counts?source=gatw")
        assert (misspelt.status_code, misspelt.json["instead"]) == (400, ["gate"])
        counts, summary, week = (
            client.get(f"/api/v1/{name}").json for name in ("counts", "summary", "heatmap")
        )
    assert (counts["model"], summary["model"], week["model"]) == (None, None, None)
    assert (summary["from_ms"], summary["to_ms"]) == (START_MS, START_MS + 120_000)
    assert len(counts["not_analysed"]) == len(week["not_analysed"]) + 1 == 2
    place.close()
    output = tmp_path / "out.json"
    command = ["export", "--data-dir", str(tmp_path), "--interval", "60"]
    assert main([*command, "--output", str(output)]) == 0
    assert "gate: footage from " in capfd.readouterr().err
    written = json.loads(output.read_bytes())
    assert written["query"]["model"] is None
    assert len(written["query"]["warnings"]) == 1
    assert [
        (row["source"], row["label"], row["coverage"], row["frames_analysed"], row["detections"])
        for row in written["rows"]
    ] == [("gate", None, "filmed, not analysed", 0, None)] * 2
    assert main(command) == 0
    assert len(rows_of(capfd.readouterr().out.encode())) == 2


def records_of(data: bytes, file_format: str) -> list[dict[str, Any]]:
    if file_format == "json":
        return [*json.loads(data)["rows"]]
    if file_format == "parquet":
        return parquet.read_table(io.BytesIO(data)).to_pylist()
    if file_format == "csv":
        return [*rows_of(data)]
    sheet = load_workbook(io.BytesIO(data))["Counts"]
    names, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(map(str, names), row, strict=True)) for row in rows]
