"""From a bar to its runs: each shows the right reason, and the frames that were added or removed."""

from __future__ import annotations

import re

import pytest
from tests.web.browser import Place, Visits, expect
from tests.web.recounted import three_changes

pytestmark = pytest.mark.thorough


def test_late_footage_a_forgotten_range_and_another_threshold_each_show_their_reason(
    place: Place, visit: Visits
) -> None:
    three_changes(place)
    window = visit(place)
    page = window.open("?metric=detections&interval=60&timezone=UTC")
    window.click_bar(0, of=1)
    page.get_by_role("link", name="History of this number").click()
    expect(page).to_have_url(re.compile(r"/history\?"))
    expect(page.locator("#history-now")).to_have_text("17 detections in 16 frames analysed")
    changes = page.locator("#history-changes > li")
    expect(changes).to_have_count(5)
    for at, (number, reason) in enumerate(
        (
            ("21 → 17 (\u22124)", "The setting min_confidence changed from 0.25 to 0.5."),
            ("17 → 21 (+4)", "Late footage arrived: 4 frames of gate"),
            (
                "20 → 17 (\u22123)",
                "Someone deleted footage of gate from the counts: “cam.mp4” from 2026-01-01 12:00:02",
            ),
            ("10 → 20 (+10)", "Late footage arrived: 5 frames of gate"),
            ("0 → 10 (+10)", "frametally counted the day for the first time"),
        )
    ):
        expect(changes.nth(at).locator("h2")).to_have_text(number)
        expect(changes.nth(at).locator(".reason")).to_contain_text(reason)
    expect(changes.nth(2).get_by_text("Frames removed")).to_be_visible()
    expect(changes.nth(2).locator("img")).to_have_count(3)
    expect(changes.nth(3).get_by_text("Frames added")).to_be_visible()
    picture = changes.nth(3).locator("img").first
    expect(picture).to_have_js_property("naturalWidth", 320)
    page.get_by_role("link", name="Back to the chart").click()
    expect(page.locator("#dashboard[data-state=ready]")).to_be_visible()
    assert window.complaints == []


def test_a_query_of_chosen_hours_has_no_history(place: Place, visit: Visits) -> None:
    three_changes(place)
    window = visit(place)
    page = window.open("?metric=detections&interval=60&timezone=UTC&hours=08:00-14:00")
    window.click_bar(0, of=1)
    expect(page.locator("#bar-close")).to_be_visible()
    expect(page.get_by_role("link", name="History of this number")).to_have_count(0)


def test_a_german_browser_reads_the_times_of_a_history_in_german(place: Place, visit: Visits) -> None:
    three_changes(place)
    page = visit(place, locale="de-DE").open(
        "history?from=2026-01-01&to=2026-01-02&timezone=Europe/Berlin", wait_for="#history-changes"
    )
    expect(page.locator("#history-page p time").first).to_have_text("1. Jan. 2026, 13:00:00")
    expect(page.locator("#history-changes time").nth(1)).to_have_text("1. Jan. 2026")


def test_an_address_without_a_time_zone_shows_the_history_in_the_readers(place: Place, visit: Visits) -> None:
    three_changes(place)
    window = visit(place, timezone_id="Europe/Berlin")
    page = window.open("history?from=2026-01-01&to=2026-01-02", wait_for="#history-changes")
    expect(page.locator("#history-page")).to_have_attribute("data-timezone", "Europe/Berlin")
    expect(page.locator("#history-page p time").first).to_contain_text("13:00:00")
    expect(page.locator("#history-changes")).to_contain_text("from 2026-01-01 13:00:02")
    expect(page).to_have_url(re.compile(r"from=2026-01-01&to=2026-01-02&timezone=Europe%2FBerlin$"))
    window.open("history?from=2026-01-01&to=2026-01-02&timezone=UTC", wait_for="#history-changes")
    expect(page.locator("#history-page p time").first).to_contain_text("12:00:00")
