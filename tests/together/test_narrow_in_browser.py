"""Every page at 360 pixels: nothing is clipped, and scrollable parts are labelled and reachable by
keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing

import cv2
import numpy as np
import pytest
from flask import Flask
from tests.accounts import test_audit_in_browser
from tests.accounts.people import PASSWORD, give_accounts
from tests.alerts import test_alerts_api
from tests.alerts.test_added_channels import KEY
from tests.examples import some_quick
from tests.live.watched_cameras import film_wall
from tests.traffic import crossroads, junction
from tests.videos.made_up_videos import Shelf, all_states
from tests.videos.made_up_work import Workshop, many_jobs
from tests.web.browser import Page, Place, Visits, expect
from tests.web.counted_footage import START_MS, make_lines, publish_lines, put_dead_letters, put_manifest

from frametally_accounts.audit.book import AuditBook
from frametally_alerts.book import AlertBook

NARROW = {"width": 360, "height": 780}
READY = "[data-state=ready]:not([aria-busy=true])"
LONG = "gate-by-the-long-north-road"
# Clipped elements: wider than the window outside of everything that scrolls, or tables in a hidden overflow.
CUT = """() => {
  const seen = (one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest(".visually-hidden");
  const wide = document.documentElement.scrollWidth;
  const found = wide > innerWidth ? [`the page is ${wide} px wide`] : [];
  for (const one of document.querySelectorAll("body *")) {
    if (!seen(one) || one.getBoundingClientRect().right <= innerWidth + 1) continue;
    let around = one.parentElement;
    while (around && getComputedStyle(around).overflowX === "visible") around = around.parentElement;
    if (!around) found.push(`outside: ${one.outerHTML.slice(0, 120)}`);
  }
  for (const table of document.querySelectorAll("table")) {
    if (!seen(table)) continue;
    let around = table.parentElement;
    while (around && getComputedStyle(around).overflowX === "visible") around = around.parentElement;
    if (!around || around.scrollWidth <= around.clientWidth) continue;
    const { overflowX, backgroundAttachment } = getComputedStyle(around);
    const name = `${around.id} ${around.className}: ${table.outerHTML.slice(0, 80)}`;
    if (!["auto", "scroll"].includes(overflowX)) found.push(`cut: ${name}`);
    if (around.tabIndex < 0) found.push(`not by the keyboard: ${name}`);
    if (!around.ariaLabel && !around.hasAttribute("aria-labelledby")) found.push(`without a name: ${name}`);
    if (!backgroundAttachment.includes("local")) found.push(`without a sign: ${name}`);
  }
  return found;
}"""


def film_much(place: Place) -> None:
    """Film two sources with long names, one of which has dead letters."""
    gate = make_lines(LONG, frames=200)
    yard = make_lines("yard", frames=60, seed=4, time_source="file_time")
    publish_lines(place, gate + yard, objects=2, analysed_fps=6.0)
    put_manifest(place, gate[0], gate[-1], "Gate by the long north road, beside the second car park")
    put_manifest(place, yard[0], yard[-1], "Yard")
    other, gone = make_lines(LONG, frames=2, start_ms=START_MS + 600_000)
    put_dead_letters(place, [(other, "checksum", "its sha256 is different"), (gone, "missing", "none there")])


def tell_much(place: Place) -> None:
    """Add rules, reports and sent alerts, all with long names."""
    place.settings = place.settings.model_copy(
        update={"alert_channels": test_alerts_api.CHANNELS, "alert_key": KEY}
    )
    with closing(AlertBook(place.catalogue.url)) as book:
        test_alerts_api.fill(book, 60, source="a-source-of-a-long-name" * 3, detail="x" * 400)
        for number in range(5):
            test_alerts_api.add_report(book, f"weekly-{'long-' * 8}{number}")


def change_much(place: Place) -> None:
    """Record many changes, with texts that were not written for a narrow window."""
    with closing(AuditBook(place.catalogue.url)) as book:
        test_audit_in_browser.fill(book)


def draw_junction(place: Place) -> None:
    """Film a junction with lines and zones."""
    junction.film(place)
    junction.draw(place)


def draw_crossroads(place: Place) -> None:
    """Film a junction whose legs are in a report."""
    crossroads.film(place, crossroads.make_drivers(120, [6]), 120)
    crossroads.draw_legs(place)


PAGES: dict[str, tuple[str, str, Callable[[Place], None]]] = {
    "answers": ("?interval=60", f"#dashboard{READY}", film_much),
    "a bar": ("?interval=60&at=2024-05-01T08:02:00Z", f"#dashboard{READY}", film_much),
    "the table": ("?interval=60&view=table&by=source", f"#dashboard{READY}", film_much),
    "a comparison": ("?interval=60&compare=source:yard", f"#dashboard{READY}", film_much),
    "the books": ("books", f"#books-page{READY}", film_much),
    "alerts": ("alerts", "#reports", tell_much),
    "the audit log": ("audit", "#changes", change_much),
    "data": ("data?label=car&source=" + LONG, "#code-embed", film_much),
    "the API": ("api/docs", "#operations-Counts-counts", film_much),
    "lines": ("lines?source=gate&interval=60", f"#lines-page{READY}", draw_junction),
    "the editor": ("lines/edit?source=gate", "#editor[data-state=ready]", draw_junction),
    "traffic": ("traffic", f"#traffic-page{READY}", draw_crossroads),
    "live": ("live", f"#live-page{READY}", film_wall),
    "no page": ("there-is-none", "main.lonely", film_much),
}


QUICK = {"a bar", "the table", "alerts", "the audit log", "lines", "the editor", "live"}
"""The pages that `make test` checks."""


def look_at(page: Page) -> list[str]:
    # All of it, at the scroll position of a reader.
    page.evaluate(
        "for (const one of document.querySelectorAll('.card')) one.style.contentVisibility = 'visible'"
    )
    found: list[str] = page.evaluate(CUT)
    return found


@pytest.mark.thorough
@pytest.mark.parametrize("name", some_quick(PAGES, QUICK))
def test_nothing_is_cut_off_in_a_narrow_window_and_wide_tables_scroll_separately(
    place: Place, visit: Visits, picture: Callable[[Page, str], None], name: str
) -> None:
    query, ready, film = PAGES[name]
    film(place)
    window = visit(place, viewport=NARROW)
    page = window.open(query, wait_for=ready)
    window.complaints.clear()  # of a missing page
    assert look_at(page) == []
    picture(page, f"narrow-{name.replace(' ', '-')}")


@pytest.mark.parametrize(
    ("query", "ready", "serve"),
    [
        ("videos", "#videos-page:not([data-state=loading], [aria-busy])", Shelf(*all_states()).serve),
        ("jobs", f"#jobs-page{READY}", Workshop(of_all=many_jobs(40)).serve),
    ],
    ids=["videos", "jobs"],
)
def test_no_video_or_job_is_cut_off_in_a_narrow_window(
    place: Place, visit: Visits, query: str, ready: str, serve: Callable[[Page], None]
) -> None:
    window = visit(place, viewport=NARROW)
    serve(window.page)
    assert look_at(window.open(query, wait_for=ready)) == []


@pytest.fixture
def url(place: Place, serving: Callable[[Flask], str]) -> str:
    film_much(place)
    give_accounts(place)
    return serving(place.app())


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["runa", "lukas"])
def test_no_sign_in_page_is_cut_off_in_a_narrow_window(visit: Visits, url: str, name: str) -> None:
    window = visit(None, url=url, viewport=NARROW)
    page = window.open("sign-in", wait_for="#name")
    assert look_at(page) == []
    page.locator("#name").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator(f"#dashboard{READY}").wait_for()
    for path in ("data", "sign-in", "sign-in/password", "sign-in/sessions"):
        page.goto(f"{url}/{path}")
        expect(page.locator("main")).to_be_visible()
        assert look_at(page) == [], path
    if name == "lukas":  # visitors without permission see a message in the middle of the page
        page.goto(f"{url}/audit")
        expect(page.locator("main")).to_contain_text(re.compile("Ask .* for this role"))
        box = page.locator("main").bounding_box()
        assert box["x"] >= 12
        assert box["x"] + box["width"] <= NARROW["width"] - 12
        window.complaints.clear()  # the status line's


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_shadow_shows_on_which_side_a_table_continues(place: Place, visit: Visits, scheme: str) -> None:
    film_much(place)
    page = visit(place, viewport=NARROW, color_scheme=scheme).open("books", wait_for=f"#books-page{READY}")
    scroller = page.locator("#books .table-area")
    scroller.locator("table").evaluate("(table) => (table.style.visibility = 'hidden')")

    def shades() -> tuple[bool, bool]:
        """Whether there is one on the left, and on the right."""
        drawn = cv2.imdecode(np.frombuffer(scroller.screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
        row = drawn[drawn.shape[0] // 2].astype(int)
        middle = row[len(row) // 2]
        return abs(row[3] - middle) > 20, abs(row[-4] - middle) > 20

    assert shades() == (False, True)
    scroller.focus()
    page.keyboard.press("ArrowRight")
    expect(scroller).not_to_have_js_property("scrollLeft", 0)
    scroller.evaluate("(one) => (one.scrollLeft = one.scrollWidth)")
    assert shades() == (True, False)


@pytest.mark.thorough
def test_on_a_phone_each_rule_and_report_is_a_card_that_needs_no_sideways_scrolling(
    place: Place, visit: Visits
) -> None:
    tell_much(place)
    page = visit(place, viewport=NARROW).open("alerts", wait_for="#reports")
    for table in ("#rules", "#reports"):
        wide = page.locator(table).evaluate(
            "({ parentElement: { scrollWidth, clientWidth } }) => scrollWidth - clientWidth"
        )
        assert wide <= 0
    named = page.locator("#reports td").first.evaluate("(td) => getComputedStyle(td, '::before').content")
    assert "Every" in named
    page.set_viewport_size({"width": 1280, "height": 900})
    expect(page.locator("#reports thead")).to_be_visible()
