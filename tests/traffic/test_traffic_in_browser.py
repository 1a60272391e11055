"""The traffic report's page: its numbers are the API's, gaps are explained, and paper shows everything."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.traffic import crossroads
from tests.web.browser import Page, Place, Visits, expect

pytestmark = pytest.mark.thorough


SECONDS = 80 * 60
NOT_FILMED_S = (40 * 60, 61 * 60)
READY = "#traffic-page[data-state=ready]:not([aria-busy])"
A4_ACROSS_PX = (1031, 703)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory, make_place: Callable[[Path], Place]) -> Iterator[Place]:
    """A crossroads with its legs, and a gap of more than a quarter-hour."""
    place = make_place(tmp_path_factory.mktemp("crossroads"))
    crossroads.film(place, crossroads.make_drivers(SECONDS, [12]), SECONDS, not_filmed_s=NOT_FILMED_S)
    crossroads.draw_legs(place)
    yield place
    place.close()


def answer_of(place: Place, query: str = "") -> Any:
    answer = place.app().test_client().get(f"/api/v1/traffic?source=crossroads&timezone=Europe/Berlin{query}")
    assert answer.status_code == 200, answer.text
    return answer.json


def last_cell(page: Page, table: str) -> int:
    text = page.locator(f"{table} tfoot td").last.text_content() or ""
    return int(text.replace(",", ""))


def test_the_page_shows_the_numbers_of_the_api(filmed: Place, visit: Visits) -> None:
    page = visit(filmed).open("traffic?source=crossroads", READY)
    report = answer_of(filmed)
    motor = [one for one in report["columns"] if one["is_motor"]]
    assert last_cell(page, ".quarters") == sum(one["movements"] for one in motor)
    expect(page.locator(".quarters caption")).to_have_text("Movements by quarter-hour")
    assert last_cell(page, "#visits") == report["totals"]["visits"]
    came = page.locator("#legs tbody tr", has_text="Mill Road").locator("td").nth(1)
    leg = next(one for one in report["legs"] if one["name"] == "Mill Road")
    expect(came).to_have_text(f"{leg['came_over']:,}")
    page.locator("#shown-class").select_option("truck")
    trucks = next(one for one in motor if one["name"] == "truck")
    expect(page.locator("#quarters-words")).to_contain_text("truck.")
    assert last_cell(page, ".quarters") == trucks["movements"]


def test_the_sentence_about_visits_says_at_least_where_its_table_does(filmed: Place, visit: Visits) -> None:
    report = answer_of(filmed)
    report["columns"][0]["missing"] = "too_weak"
    window = visit(filmed)
    window.page.route("**/api/v1/traffic?*", lambda route: route.fulfill(json=report))
    page = window.open("traffic?source=crossroads", READY)
    visits = f"at least {report['totals']['visits']:,}"
    expect(page.locator("#visits tfoot td").last).to_have_text(visits)
    expect(page.locator("#visits-words")).to_contain_text(f"= {visits} visits")


def test_the_sentence_about_visits_says_not_measured_where_no_class_could_be_followed(
    filmed: Place, visit: Visits
) -> None:
    report = answer_of(filmed)
    for column in report["columns"]:
        column |= {"movements": None, "unassigned": None, "never_at_a_leg": None, "missing": "too_slow"}
    report["totals"] |= {"visits": 0, "assigned": 0, "left_out": 3}
    window = visit(filmed)
    window.page.route("**/api/v1/traffic?*", lambda route: route.fulfill(json=report))
    page = window.open("traffic?source=crossroads", READY)
    expect(page.locator("#visits tfoot td").last).to_have_text("not measured")
    sentence = page.locator("#visits-words")
    expect(sentence).to_have_text("not measured; 3 more visits in quarter-hours without data")
    first_letter = "(one) => getComputedStyle(one, '::first-letter').textTransform"
    assert sentence.evaluate(first_letter) == "uppercase"


def test_a_gap_is_explained_and_a_partly_seen_quarter_shows_its_share(filmed: Place, visit: Visits) -> None:
    page = visit(filmed).open("traffic?source=crossroads", READY)
    rows = page.locator(".quarters tbody tr")
    expect(rows).to_have_count(6)
    expect(rows.nth(3).locator("td")).to_have_text(["no footage"])
    expect(rows.nth(2).locator(".remark")).to_have_text("seen 67%")
    expect(page.locator("#peaks tbody tr").first).to_contain_text("no complete hour")
    expect(page.locator("#file-utdf")).to_be_hidden()
    halves = page.locator("#peaks tbody td:nth-child(2)")
    expect(halves).to_have_text(["AM", "PM"])
    german = visit(filmed, locale="de-DE").open("traffic?source=crossroads", READY)
    expect(german.locator("#peaks tbody td:nth-child(2)")).to_have_text(["vormittags", "nachmittags"])


def test_a_scheme_can_be_chosen_in_the_page_its_address_and_its_files(filmed: Place, visit: Visits) -> None:
    page = visit(filmed).open("traffic?source=crossroads", READY)
    # The same quarters for all visitors.
    expect(page).to_have_url(re.compile(r"\?source=crossroads&timezone=Europe%2FBerlin&from=[^&]+&to="))
    page.locator("#asked-classes").select_option("fhwa")
    expect(page.locator("#notes li").first).to_contain_text("2 and 3 are counted together")
    expect(page).to_have_url(re.compile("classes=fhwa"))
    href = page.locator("#file-xlsx").get_attribute("href") or ""
    assert "spreadsheetml" in filmed.app().test_client().get(href).headers["Content-Type"]
    page.go_back()
    expect(page.locator("#asked-classes")).to_have_value("labels")
    expect(page.locator("#visits tbody th").nth(1)).not_to_have_text("2+3")
    page.go_forward()
    expect(page).to_have_url(re.compile("classes=fhwa"))
    page.reload()
    expect(page.locator("#asked-classes")).to_have_value("fhwa")
    expect(page.locator("#visits tbody th").nth(1)).to_have_text("2+3")


def test_the_junction_has_its_picture_its_legs_and_a_north_arrow(filmed: Place, visit: Visits) -> None:
    page = visit(filmed).open("traffic?source=crossroads", READY)
    expect(page.locator("#junction-picture .picture.loaded")).to_be_visible()
    expect(page.locator("#junction-picture .shapes text")).to_have_text(
        ["Mill Road (N)", "Bridge Street (E)", "Station Road (S)", "Market Lane (W)"]
    )
    expect(page.locator(".diagram .north")).to_have_count(1)
    middle = page.locator(".diagram .middle").bounding_box()
    north = page.locator(".diagram .leg-name", has_text="Mill Road").bounding_box()
    east = page.locator(".diagram .leg-name", has_text="Bridge Street").bounding_box()
    assert north["y"] < middle["y"]
    assert east["x"] > middle["x"]


def test_a_printed_page_has_every_quarter_and_no_controls(filmed: Place, visit: Visits) -> None:
    page = visit(filmed, color_scheme="dark", viewport={"width": 1440, "height": 900}).open(
        "traffic?source=crossroads", READY
    )
    page.emulate_media(media="print")
    page.set_viewport_size({"width": A4_ACROSS_PX[0], "height": A4_ACROSS_PX[1]})
    for one in ("#asked", "#files", ".pages", ".quarters select"):
        expect(page.locator(one)).to_be_hidden()
    for one in ("#traffic-title", "#junction-picture .picture", ".diagram", ".quarters tfoot"):
        expect(page.locator(one)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= A4_ACROSS_PX[0]
    area = page.locator(".table-area").evaluate("(one) => [one.scrollHeight, one.clientHeight]")
    assert area[0] <= area[1]


def test_without_legs_the_page_links_to_where_you_draw_them(place: Place, visit: Visits) -> None:
    crossroads.film(place, crossroads.make_drivers(30, [10]), 30)
    page = visit(place).open("traffic", "#traffic-page[data-state=nothing]")
    expect(page.locator("#nothing h2")).to_contain_text("Crossroads has no legs of a junction")
    expect(page.locator("#nothing-act")).to_have_attribute("href", "/lines/edit?source=crossroads")
    expect(page.locator("#nothing-act")).to_be_visible()


def test_an_unknown_source_gets_a_clear_message(filmed: Place, visit: Visits) -> None:
    page = visit(filmed).open("traffic?source=crosroads", "#traffic-page[data-state=nothing]")
    expect(page.locator("#nothing h2")).to_contain_text("There is no source named 'crosroads'")
    expect(page.locator("#nothing p")).to_contain_text("Did you mean crossroads?")
    expect(page.locator("#nothing-act")).to_be_hidden()


def test_the_page_waits_for_days_that_are_still_being_counted(filmed: Place, visit: Visits) -> None:
    window = visit(filmed)
    asked = []

    def answer(route: Any) -> None:
        asked.append(route.request.url)
        if len(asked) > 1:
            route.continue_()
        else:
            route.fulfill(status=503, json={"detail": "3 of 9 days are counted for these lines."})

    window.page.route("**/api/v1/traffic?*", answer)
    page = window.open("traffic?source=crossroads", "#traffic-page[data-state=nothing]")
    expect(page.locator("#nothing h2")).to_have_text("3 of 9 days are counted for these lines.")
    page.locator(READY).wait_for()
    assert len(asked) == 2


def test_the_page_retries_after_a_short_server_outage(filmed: Place, visit: Visits) -> None:
    window = visit(filmed)
    away = [1, 1]

    def answer(route: Any) -> None:
        if away:
            away.pop()
            route.fulfill(status=503, json={"detail": "The index is not responding.", "remedy": "Wait."})
        else:
            route.continue_()

    window.page.route("**/api/v1/sources*", answer)
    page = window.open("traffic?source=crossroads", "#traffic-page[data-state=nothing]:not([aria-busy])")
    expect(page.locator("#nothing h2")).to_have_text("The index is not responding.")
    expect(page.locator("#nothing p")).to_have_text("Wait. This page keeps trying.")
    expect(page.locator("#nothing-act")).to_have_text("Try now")
    page.locator(READY).wait_for()
    expect(page.locator("#nothing")).to_be_hidden()
