"""A clip dated in the future does not stretch the default range of charts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.web.browser import Page, Place, Visits, expect

HOUR_MS = 3_600_000
YEARS_MS = 9 * 366 * 24 * HOUR_MS


def film_now_and_then(place: Place, *, source_then: str) -> tuple[int, int]:
    """Film an hour that ends now, and a minute in nine years; return the end of the first and the start of
    the second."""
    end_ms = int(time.time() * 1000) // HOUR_MS * HOUR_MS - 24 * HOUR_MS
    then_ms = end_ms + YEARS_MS
    then = place.film({"car": 3}, source=source_then, intervals=1, interval_s=60, start_ms=then_ms)
    place.film({"car": 3}, source="gate", intervals=60, interval_s=60, start_ms=end_ms - HOUR_MS, also=then)
    return end_ms, then_ms


@pytest.mark.parametrize("source_then", ["gate", "yard"])
def test_a_default_range_ends_before_footage_from_the_future(place: Place, source_then: str) -> None:
    end_ms, then_ms = film_now_and_then(place, source_then=source_then)
    client = place.app().test_client()

    def ask(path: str) -> dict[str, Any]:
        answer: dict[str, Any] = client.get(f"/api/v1/{path}").get_json()
        return answer

    for path in ("counts", "summary", "counts?source=gate", "counts?by=source", "counts?from=0"):
        assert ask(path)["to_ms"] == end_ms, path
    assert len(ask("counts?interval=60")["coverage"]) == 60
    rows = client.get("/api/v1/export.csv?interval=60").text.splitlines()
    assert not [
        row for row in rows if row.startswith("20") and int(row[:4]) > time.gmtime(end_ms / 1000).tm_year
    ]
    # It is shown if you ask for it, and if there is nothing else.
    assert ask(f"counts?to={then_ms + 60_000}")["to_ms"] == then_ms + 60_000
    assert ask(f"counts?from={end_ms + HOUR_MS}")["to_ms"] == then_ms + 60_000
    if source_then == "yard":
        assert ask("counts?source=yard")["to_ms"] == then_ms + 60_000


def test_footage_entirely_in_the_future_is_shown(place: Place) -> None:
    then_ms = int(time.time() * 1000) // HOUR_MS * HOUR_MS + YEARS_MS
    place.film({"car": 3}, intervals=2, interval_s=60, start_ms=then_ms)
    counts = place.app().test_client().get("/api/v1/counts").json
    assert (counts["from_ms"], counts["to_ms"]) == (then_ms, then_ms + 120_000)


@pytest.mark.thorough
def test_the_page_names_footage_from_the_future_and_shows_it_on_request(
    place: Place, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    _, then_ms = film_now_and_then(place, source_then="yard")
    year = time.gmtime(then_ms / 1000).tm_year
    window = visit(place)
    page = window.open()
    expect(window.fact("source")).to_have_text("gate")
    notice = page.locator("#notice")
    expect(notice).to_contain_text("dated in the future")
    expect(notice).to_contain_text(re.compile(rf"yard.*{year}.*Corrections"))
    picture(page, "future-footage")
    page.set_viewport_size({"width": 390, "height": 844})
    picture(page, "future-footage-narrow")
    notice.get_by_role("button", name="Show").click()
    expect(window.fact("source")).to_have_text("yard")
    expect(page.locator("#range-chip")).to_contain_text(str(year))
    expect(notice).to_be_hidden()
