"""What stands on the page, is spoken and is printed is the answer of the API, with its numbers."""

from __future__ import annotations

import random
import re
from urllib.parse import urlencode

import pytest
from tests.web.browser import Place, Visits
from tests.web.printed_text import words_of
from tests.web.random_town import build
from tests.web.test_one_answer_api import question

from frametally.rules.times import utc

pytestmark = pytest.mark.thorough

QUESTIONS = 10


def numbers_in(text: str) -> set[float]:
    return {float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?:\.\d+)?", text)}


def test_ten_questions_have_one_answer_on_the_page_spoken_in_its_table_and_on_paper(
    place: Place, visit: Visits
) -> None:
    build(place, seed=7)
    client, window = place.app().test_client(), visit(place)
    asked = 0
    for seed in range(40):
        query = question(random.Random(seed))  # noqa: S311
        counts = client.get(f"/api/v1/counts?{urlencode(query, doseq=True)}").json
        if asked == QUESTIONS or not counts["frames"]:
            continue
        asked += 1
        [together] = counts["together"]
        value = together[query["metric"]]
        value = together.get("measured_objects") if value is None else value
        ends = {name: utc(query[name]) for name in ("from", "to")}
        page = window.open(f"?{urlencode({**query, **ends, 'view': 'table'}, doseq=True)}")
        shown = {
            "headline": page.locator("#headline .value").first.inner_text(),
            "spoken": page.locator("#spoken").inner_text(),
            "table": page.locator("#table-area tfoot td:nth-last-of-type(2)").inner_text(),
        }
        if asked < 3:
            shown["paper"] = " ".join(words.text for words in words_of(page.pdf(format="A4")))
        for mouth, text in shown.items():
            if value is None:
                assert "not measured" in text.lower(), (query, mouth, text)
            else:
                is_told = any(abs(number - value) <= 0.051 for number in numbers_in(text))
                assert is_told, (query, mouth, text, value)
    assert asked == QUESTIONS
