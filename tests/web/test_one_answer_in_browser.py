"""The page shows, speaks, embeds, prints and exports the API's answer, with its numbers."""

from __future__ import annotations

import csv
import datetime
import io
import random
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

import pytest
from openpyxl import load_workbook
from tests.web.browser import Place, Visit, Visits
from tests.web.printed_text import words_of
from tests.web.random_town import build
from tests.web.test_one_answer_api import question

from frametally.rules.times import utc

pytestmark = pytest.mark.thorough

QUESTIONS = 10


def numbers_in(text: str) -> set[float]:
    return {float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?:\.\d+)?", text)}


def known(measures: dict[str, Any], metric: str) -> float | None:
    """The value of a metric, or of its measured part; `None` if nothing was measured."""
    value = measures[metric]
    return measures.get("measured_objects") if value is None and metric == "objects" else value


def is_told(text: str, value: float | None) -> bool:
    if value is None:
        return "not measured" in text.lower()
    return any(abs(number - value) <= 0.051 for number in numbers_in(text))


def page_of(window: Visit, query: dict[str, Any]) -> dict[str, str]:
    """The texts of the page that contain the answer's number."""
    page = window.open(f"?{urlencode({**query, 'view': 'table'}, doseq=True)}")
    return {
        "headline": page.locator("#headline .value").first.inner_text(),
        "spoken": page.locator("#spoken").inner_text(),
        "table": page.locator("#table-area tfoot td:nth-last-of-type(2)").inner_text(),
        "paper": " ".join(words.text for words in words_of(page.pdf(format="A4"))),
    }


def embedded(window: Visit, query: dict[str, Any]) -> dict[str, str]:
    """The text of each label in the legend of the chart for other sites' pages."""
    page = window.open(f"embed?{urlencode(query, doseq=True)}", wait_for="#embed[data-state=ready]")
    keys = page.locator("#legend .key:has(.count)")
    names, counts = keys.locator(".name").all_inner_texts(), keys.locator(".count").all_inner_texts()
    return dict(zip(names, counts, strict=True))


def exported(rows: Iterable[dict[str, Any]], metric: str) -> dict[tuple[int, str], float | None]:
    """The values of an export by the start of the interval and the label, without those that are 0."""
    values = {}
    for row in rows:
        value = None if row[metric] in ("", None) else round(float(row[metric]), 4)
        if row["label"] and value != 0:
            start = datetime.datetime.fromisoformat(row["interval_start"])
            values[round(start.timestamp() * 1000), row["label"]] = value
    return values


def test_ten_questions_have_one_answer_on_the_page_spoken_embedded_printed_and_exported(
    place: Place, visit: Visits
) -> None:
    build(place, seed=7)
    client, window = place.app().test_client(), visit(place)
    asked = 0
    for seed in range(40):
        query = question(random.Random(seed))  # noqa: S311
        counts: Any = client.get(f"/api/v1/counts?{urlencode(query, doseq=True)}").json
        if asked == QUESTIONS or not counts["frames"]:
            continue
        asked += 1
        metric = query["metric"]
        [together] = counts["together"]
        written = {**query, **{name: utc(query[name]) for name in ("from", "to")}}
        for mouth, text in page_of(window, written).items():
            assert is_told(text, known(together, metric)), (query, mouth, text, together)
        totals = {total["label"]: known(total, metric) for total in counts["totals"]}
        of_labels = embedded(window, written)
        assert of_labels.keys() == totals.keys()
        for label, value in totals.items():
            assert is_told(of_labels[label], value), (query, label, of_labels, value)
        _agree_with_exports(client, query, counts)
    assert asked == QUESTIONS


def _agree_with_exports(client: Any, query: dict[str, Any], counts: dict[str, Any]) -> None:
    """CSV and workbook have the API's value of each label in each interval."""
    metric = query["metric"]

    def export(form: str) -> bytes:
        data: bytes = client.get(f"/api/v1/export?{urlencode({**query, 'format': form}, doseq=True)}").data
        return data

    rows = [*csv.DictReader(io.StringIO(export("csv").decode("utf-8-sig")))]
    sheet = load_workbook(io.BytesIO(export("xlsx")), read_only=True)["Counts"]
    head, *lines = sheet.iter_rows(values_only=True)
    book = [
        {**dict(zip(head, line, strict=True)), "interval_start": row["interval_start"]}
        for line, row in zip(lines, rows, strict=True)
    ]
    in_table = exported(rows, metric)
    assert exported(book, metric) == in_table
    for bucket in counts["buckets"]:
        if bucket[metric] is not None and bucket[metric] != 0:
            told = in_table.pop((bucket["start_ms"], bucket["label"]))
            assert told == pytest.approx(bucket[metric], abs=1e-3)
    assert {value for value in in_table.values() if value is not None} == set()
