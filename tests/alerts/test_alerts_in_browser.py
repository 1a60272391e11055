"""The page of alerts in Chromium."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest
from tests.alerts.test_alerts_api import CHANNELS, MARKUP, count, fill
from tests.web.browser import Page, Place, Visits, expect

from frametally.settings.fields import SecretStr
from frametally_alerts.book import AlertBook

pytestmark = pytest.mark.thorough


def test_rules_and_failures_are_shown_as_text(
    place: Place, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    place.settings = place.settings.model_copy(update={"alert_channels": CHANNELS})
    with closing(AlertBook(place.catalogue.url)) as book:
        fill(book, 3, source=MARKUP, detail=MARKUP)
        message = book.claim("ops", lease_s=60)
        assert message is not None
        book.end(message, "failed", reason=f"no {MARKUP}")
    page = visit(place).open("alerts", wait_for="#alerts-page")
    expect(page.locator("#rules tbody th")).to_have_text("<b>busy")
    expect(page.locator("#messages .alert")).to_have_count(3)
    expect(page.locator("#messages time").first).to_have_text("1 Jan 1970, 01:02:00")
    expect(page.locator("#zone")).to_have_text("Europe/Berlin")
    page.get_by_role("link", name="Failed").click()
    expect(page.locator("#messages .alert")).to_have_count(1)
    expect(page.locator("#messages .reason")).to_contain_text("no <script>alert(1)</script>")
    expect(page.locator("#pages [aria-current]")).to_have_text("Reports")
    picture(page, "alerts")


def test_a_button_loads_older_messages(place: Place, visit: Visits) -> None:
    place.settings = place.settings.model_copy(update={"alert_channels": CHANNELS})
    with closing(AlertBook(place.catalogue.url)) as book:
        fill(book, 120)
    page = visit(place).open("alerts", wait_for="#alerts-page")
    for shown in (50, 50, 20):
        expect(page.locator("#messages .alert")).to_have_count(shown)
        if shown == 50:
            page.locator("#older").click()
    expect(page.locator("#older")).to_have_count(0)


def test_a_rule_is_added_from_the_charts_query_muted_changed_and_deleted(place: Place, visit: Visits) -> None:
    count(place)
    place.settings = place.settings.model_copy(update={"alert_channels": CHANNELS})
    asked = "alerts?new=1&source=gate&label=car&metric=detections&interval=60&threshold=3"
    page = visit(place).open(asked, wait_for="#rule-form")
    expect(page.locator("#rule-name")).to_have_value("car at gate")
    expect(page.locator("#trial")).to_contain_text("This rule would have sent 1 alert")
    expect(page.locator("#trial li")).to_contain_text("gate, car: 3")
    page.locator("#rule-threshold").fill("4")
    expect(page.locator("#trial")).to_contain_text("This rule would have sent 0 alerts")
    page.locator("#rule-form").get_by_role("button", name="Save").click()
    expect(page.locator("#rule-form .problem")).to_contain_text("channels: ")
    page.locator("#rule-form").get_by_label("people").check()
    page.locator("#rule-note").fill("Call the gate office.")
    page.locator("#rule-form").get_by_role("button", name="Save").click()
    row = page.locator("#rules tbody tr").first
    expect(row).to_contain_text("at least 4 in 1 min")
    row.get_by_role("button", name="Mute car at gate", exact=True).click()
    expect(row.locator(".remark")).to_have_text("muted")
    row.get_by_role("button", name="Edit car at gate").click()
    expect(page.locator("#rule-interval")).to_have_value("1m")
    expect(page.locator("#rule-note")).to_have_value("Call the gate office.")
    page.locator("#rule-threshold").fill("2")
    page.locator("#rule-form").get_by_role("button", name="Save").click()
    expect(row).to_contain_text("at least 2 in 1 min")
    expect(row.locator(".remark")).to_have_text("muted")
    row.get_by_role("button", name="Delete car at gate").click()
    row.get_by_role("button", name="Delete car at gate for good").click()
    expect(page.locator("#no-rules")).to_be_visible()


def test_the_page_says_that_there_are_no_rules(place: Place, visit: Visits) -> None:
    page = visit(place).open("alerts", wait_for="#alerts-page")
    for text in ("#no-rules", "#no-reports", "#no-messages"):
        expect(page.locator(text)).to_be_visible()
    expect(page.locator("#no-channels")).to_have_count(0)  # the line below has the details
    expect(page.locator("#no-key")).to_contain_text("as docs/alerts.md describes")
    expect(page.locator("#channel-form")).to_have_count(0)
    page.get_by_text("Add a rule").click()
    page.locator("#rule-form").get_by_role("link", name="Add a channel").click()
    expect(page.locator("#channels-title")).to_be_in_viewport()


def test_the_page_says_that_channels_cannot_be_read_and_repeats_nothing_of_them(
    place: Place, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    place.settings = place.settings.model_copy(
        update={"alert_channels": SecretStr('{"ops": "gopher://hunter2"}')}
    )
    window = visit(place)
    page = window.page
    assert page.goto(f"{window.url}/alerts").status >= 400
    expect(page.locator("#problem")).to_contain_text(
        "ALERT_CHANNELS: the address of ops must begin with one of"
    )
    expect(page.locator("body")).not_to_contain_text("hunter2")
    picture(page, "alerts-error")
    assert len(window.complaints) == 1  # the status line's
    window.complaints.clear()


def test_a_threshold_can_be_dragged_in_the_chart_and_marks_the_bars_that_would_have_fired(
    place: Place, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    count(place)
    place.settings = place.settings.model_copy(update={"alert_channels": CHANNELS})
    window = visit(place)
    page = window.open("?source=gate&metric=detections&interval=60")
    highest = max(value or 0 for value in window.chart_values()["car"])
    page.locator("#alert-me").click()
    field, over = page.locator("#chart-threshold"), page.locator("#chart-area > .trial-picture")
    expect(page.locator(".chart-alert")).to_contain_text("This rule would have sent 1 alert")
    expect(field).to_have_value(str(highest))
    expect(over.locator(".fulfils")).to_have_count(1)
    box, area = page.locator("#chart").bounding_box(), window.chart_area()
    line = over.locator(".threshold").bounding_box()
    x = box["x"] + (area["left"] + area["right"]) / 2
    page.mouse.move(x, line["y"])
    page.mouse.down()
    page.mouse.move(x, box["y"] + area["bottom"] - 1, steps=4)
    page.mouse.up()
    filmed = len(window.chart_spans())
    expect(over.locator(".fulfils")).to_have_count(filmed)
    expect(page.locator(".chart-alert")).to_contain_text("all along")
    picture(page, "chart-alert")
    page.locator(".chart-alert").get_by_role("link", name="Set up this alert").click()
    expect(page.locator("#trial")).to_contain_text("all along")
    assert page.locator("#rule-interval").input_value() == "1m"
