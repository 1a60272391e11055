"""The page of footage shows the effect of a change, makes it by a button, and links to the history."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from tests.accounts.people import PASSWORD, give_accounts
from tests.web.browser import Page, Place, Visits, expect
from tests.web.counted_footage import START_MS, put_footage

from frametally.media import mending
from frametally.media.lookup import media_of_source
from frametally.media.manifests import list_manifests
from frametally.records import encode

pytestmark = pytest.mark.thorough


READY = "#footage-page[data-state=ready]"
DAY_MS = 86_400_000
HISTORY = re.compile(r"/history\?source=gate&from=\d+&to=\d+&timezone=Europe%2FBerlin")


@pytest.fixture
def filmed(place: Place) -> Place:
    put_footage(place)
    return place


def dialog_of(page: Page, button: str) -> Any:
    page.get_by_role("button", name=button).click()
    return page.get_by_role("dialog")


def confirm(dialog: Any, action: str, *words: str) -> None:
    dialog.get_by_role("button", name="Show what would change").click()
    for one in words:
        expect(dialog).to_contain_text(one)
    dialog.get_by_role("button", name=action, exact=True).click()
    expect(dialog).to_contain_text("Done.")


def sources(place: Place) -> dict[str, int | None]:
    return {one.source_name: one.start_ms for one in list_manifests(place.store)}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_time_is_corrected_after_the_page_shows_what_will_change(
    filmed: Place, visit: Visits, picture: Callable[[Page, str], None], scheme: str
) -> None:
    page = visit(filmed, color_scheme=scheme).open("books", wait_for="#books-page[data-state=ready]")
    page.get_by_role("link", name="Gate").click()
    page.locator(READY).wait_for()
    expect(page.locator("h1")).to_have_text("Footage from Gate")
    picture(page, f"footage-{scheme}")
    dialog = dialog_of(page, "Correct the time")
    expect(dialog.get_by_label("first frame")).to_have_value("2024-05-01T10:00")  # by Berlin's clocks
    dialog.get_by_role("button", name="Show what would change").click()
    expect(dialog).to_contain_text("nothing would change")
    dialog.get_by_role("button", name="Back").click()
    picture(page, f"footage-form-{scheme}")
    dialog.get_by_label("first frame").fill("2024-05-02T11:30:00")
    dialog.get_by_role("button", name="Show what would change").click()
    expect(dialog.locator("tbody tr")).to_have_count(2)
    expect(dialog.locator("tbody")).to_contain_text("12 → 0")
    picture(page, f"footage-plan-{scheme}")
    page.set_viewport_size({"width": 390, "height": 844})
    picture(page, f"footage-plan-phone-{scheme}")
    dialog.get_by_role("button", name="Correct the time").click()
    expect(dialog).to_contain_text("12 frames announced again.")
    assert sources(filmed)["Gate"] == START_MS + DAY_MS + 90 * 60_000
    expect(dialog.get_by_role("link", name="history")).to_have_attribute("href", HISTORY)
    picture(page, f"footage-done-phone-{scheme}")
    dialog.get_by_role("button", name="Close").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    picture(page, f"footage-phone-{scheme}")


def test_a_source_gets_a_time_zone_and_its_chart_uses_its_clocks(
    filmed: Place, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    page = visit(filmed).open("footage?source=gate", wait_for=READY)
    dialog = dialog_of(page, "Set the time zone")
    dialog.get_by_label("Time zone").fill("Mars/Base")
    dialog.get_by_role("button", name="Show what would change").click()
    expect(dialog.get_by_label("Time zone")).to_be_focused()  # the browser gives the reason there
    dialog.get_by_label("Time zone").fill("Asia/Tokyo")
    confirm(dialog, "Set time zone", "2024-05-01 17:00:00 JST", "No stored count changes.")
    dialog.get_by_role("button", name="Close").click()
    expect(page.locator("#footage")).to_contain_text("17:00")
    picture(page, "footage-time-zone")
    page.get_by_role("link", name="chart").click()
    expect(page.locator("#explanation")).to_contain_text("Asia/Tokyo")
    page.goto(page.url.partition("?")[0] + "?source=yard&metric=detections")
    expect(page.locator("#explanation")).to_contain_text("Europe/Berlin")


@pytest.mark.parametrize("name", ["footage", "dead-letters"])
def test_a_page_opened_while_the_server_is_down_loads_once_it_is_back(
    filmed: Place, visit: Visits, name: str
) -> None:
    window, is_away = visit(filmed), True
    window.page.route("**/api/v1/*", lambda route: route.abort() if is_away else route.continue_())
    page = window.open(name, wait_for="main[data-state=failed]")
    expect(page.locator("#notice")).to_contain_text("This page keeps trying.")
    again = page.get_by_role("button", name="Try now")
    with page.expect_request("**/api/v1/status"):
        again.click()
    expect(again).to_be_focused()
    is_away = False
    page.locator("main[data-state=ready]").wait_for()
    expect(page.locator("#notice")).to_be_hidden()


def test_a_source_is_renamed_and_the_page_follows_it(filmed: Place, visit: Visits) -> None:
    page = visit(filmed).open("footage?source=gate", wait_for=READY)
    dialog = dialog_of(page, "Rename")
    expect(dialog.get_by_label("New name")).to_have_value("Gate")
    dialog.get_by_label("New name").fill("Roof <b>")
    confirm(dialog, "Rename", "1 recording with 12 frames will belong to “Roof <b>”.", "Gate")
    dialog.get_by_role("button", name="Close").click()
    expect(page.locator("h1")).to_have_text("Footage from Roof <b>")
    assert sources(filmed).keys() == {"Roof <b>", "Yard"}


def test_part_of_the_footage_is_forgotten_and_its_history_can_be_opened(filmed: Place, visit: Visits) -> None:
    page = visit(filmed).open("footage", wait_for=READY)
    page.get_by_role("link", name="Gate").click()
    page.locator(READY).wait_for()
    dialog = dialog_of(page, "Delete")
    dialog.get_by_label("From").fill("2023-01-01T00:00:00")
    dialog.get_by_label(re.compile("^To ")).fill("2023-01-02T00:00:00")
    dialog.get_by_role("button", name="Show what would change").click()
    expect(dialog.get_by_role("alert")).to_contain_text("There is no footage in this time range")
    dialog.get_by_label("From").fill("2024-05-01T10:00:30")
    dialog.get_by_label(re.compile("^To ")).fill("")
    confirm(dialog, "Delete", "6 analysed frames of 1 recording will no longer count.", "12 → 6")
    dialog.get_by_role("link", name="history").click()
    page.wait_for_url("**/history?source=gate**")
    expect(page.locator("h1")).to_be_visible()


def test_an_interrupted_change_is_named_and_finished_from_the_page(
    filmed: Place, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    page = visit(filmed).open("footage?source=gate", wait_for=READY)
    gate = media_of_source(filmed.store, "gate")
    change = mending.plan_retiming(gate, "Gate", start_ms=START_MS + DAY_MS, delete=False)
    filmed.store.put(change.key, encode(change))  # as left by a killed server
    page.reload()
    expect(page.locator("#interrupted")).to_contain_text("Interrupted: retime of Gate.")
    picture(page, "footage-interrupted")
    page.get_by_role("button", name="Finish").click()
    expect(page.locator("#interrupted")).to_contain_text("Done.")
    assert sources(filmed)["Gate"] == START_MS + DAY_MS


@pytest.fixture
def url(filmed: Place, serving: Callable[[Flask], str]) -> str:
    give_accounts(filmed)
    return serving(filmed.app())


def test_a_viewer_sees_footage_and_whom_to_ask(
    filmed: Place, visit: Visits, picture: Callable[[Page, str], None], url: str
) -> None:
    page = visit(filmed, url=url).page
    page.goto(f"{url}/sign-in?next=/footage?source=gate")
    page.locator("#name").fill("lukas")
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator(READY).wait_for()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator(".change-buttons")).to_have_count(0)
    expect(page.locator("#may-not")).to_contain_text("Ask an administrator (runa) to change it.")
    picture(page, "footage-viewer")
