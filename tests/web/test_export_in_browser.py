"""The screen's content as files, as a picture and as a link; hostile names stay harmless."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import cv2
import pyarrow.parquet as parquet
import pytest
from tests.web.browser import Page, Place, Visits, expect

pytestmark = pytest.mark.thorough


def download(page: Page, kind: str, folder: Path) -> Path:
    if not page.locator("#export-links").is_visible():
        page.locator("#export summary").click()
    with page.expect_download() as coming:
        page.locator(f"#export-{kind}").click()
    path = folder / coming.value.suggested_filename
    coming.value.save_as(path)
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def test_the_exported_csv_has_the_charts_numbers(place: Place, visit: Visits, tmp_path: Path) -> None:
    place.film({"car": 6, "bus": 1}, intervals=24, interval_s=5, filmed=lambda n: not 4 <= n < 7)
    window = visit(place)
    page = window.open("?interval=5&from=2024-05-01T08:00:10Z&metric=detections")
    rows = rows_of(download(page, "csv", tmp_path))
    for label, values in window.chart_values().items():
        footage = [row for row in rows if row["label"] == label and row["coverage"] == "footage"]
        assert [int(row["detections"]) for row in footage] == values
    gaps = {row["interval_start"] for row in rows if row["coverage"] == "no footage"}
    assert len(gaps) == 3
    assert all(not row["detections"] for row in rows if row["interval_start"] in gaps)
    assert rows[0]["interval_start"].startswith("2024-05-01T10:00:10")
    as_json = json.loads(download(page, "json", tmp_path).read_text(encoding="utf-8"))
    assert len(as_json["rows"]) == len(rows)
    table = parquet.read_table(download(page, "parquet", tmp_path))
    assert sum(table["detections"].drop_null().to_pylist()) == sum(
        int(row["detections"]) for row in rows if row["detections"]
    )


def test_the_exported_picture_shows_the_chart_with_its_title_and_its_basis(
    place: Place, visit: Visits, tmp_path: Path
) -> None:
    place.film({"car": 6, "bus": 1})
    page = visit(place).open()
    path = download(page, "png", tmp_path)
    picture = cv2.imread(str(path))
    assert path.name == "frametally.png"
    assert picture.shape[1] > 700
    # It contains the bars in the first label's colour: many of its pixels.
    assert (abs(picture.astype(int) - [0xB2, 0x72, 0x00]).sum(axis=2) < 12).sum() > 5000


def test_in_the_table_view_the_picture_button_says_that_there_is_no_chart(
    place: Place, visit: Visits, tmp_path: Path
) -> None:
    place.film({"car": 6})
    page = visit(place).open("?view=table")
    page.locator("#export summary").click()
    expect(page.locator("#export-png")).to_be_disabled()
    expect(page.locator("#export-png")).to_have_attribute("title", re.compile("Bars or Lines"))
    page.locator("#view-lines").click()
    expect(page.locator("#export-png")).not_to_have_attribute("title", re.compile(""))
    assert cv2.imread(str(download(page, "png", tmp_path))).shape[1] > 700
