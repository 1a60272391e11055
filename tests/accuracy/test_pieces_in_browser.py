"""The desk for pieces of footage in Chromium: by keyboard alone, and resumed; and the intervals on pages."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.traffic import junction
from tests.web.browser import Page, Route, Visit, Visits, expect
from tests.web.conftest import Place

from frametally.adapters_by_url import open_object_store

pytestmark = pytest.mark.thorough

READY = "#accuracy-page[data-state=ready]"
PICTURES = re.compile(r"/frames/image\?")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture
def filmed(place: Place) -> Place:
    place.store = open_object_store(place.settings.store_url)
    junction.film(place)
    junction.draw(place)
    return place


def start_by_keyboard(window: Visit, metric: str) -> str:
    """Start a check by the form without a mouse, and return its id."""
    page = window.open("accuracy", READY)
    page.locator("#start-name").focus()
    page.keyboard.type(metric)
    page.keyboard.press("Tab")
    page.keyboard.type(metric.capitalize())
    page.locator("#start-name").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#begin")).to_be_focused(timeout=30_000)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("check="))
    page.locator(READY).wait_for()
    return str(re.search("check=([0-9a-f]+)", page.url)[1])


def certificate_of(window: Visit, check: str) -> dict[str, Any]:
    return window.context.request.get(f"{window.url}/api/v1/accuracy/{check}/certificate").json()


def answer_piece(page: Page, taps: int) -> str:
    """Watch the piece that is shown, tap, and keep it; return which it was."""
    name = str(page.locator("#stage[data-unit]").get_attribute("data-unit"))
    page.locator("#stage:not([data-before])").wait_for()
    for _ in range(taps + 1):
        page.keyboard.press("1")
    page.keyboard.press("x")
    page.locator("#stage[data-seen]").wait_for(timeout=60_000)
    page.keyboard.press("Enter")
    expect(page.locator("#desk-view:not([data-waiting])")).to_be_visible()
    return name


def test_pieces_can_be_answered_with_the_keyboard_only_and_resumed_after_leaving(
    filmed: Place, visit: Visits, axe: str
) -> None:
    window = visit(filmed, reduced_motion="no-preference")
    page = window.page
    held: list[Route] = []
    is_held = True

    def hold(route: Route) -> None:
        if is_held:
            held.append(route)
        else:
            route.continue_()

    page.route(PICTURES, hold)  # a clip waits for its pictures: it does not start, however slow this is
    check = start_by_keyboard(window, "crossings")
    expect(page.locator("#desk-labels button").first).to_contain_text("bus forward")
    expect(page.locator("#what-counts")).to_contain_text("crosses the line east")
    expect(page.locator(".piece-clock")).to_contain_text("The clip starts in")
    page.keyboard.press("1")
    expect(page.locator(".stage .added")).to_have_text("The clip has not started yet.")
    page.keyboard.press(" ")
    expect(page.locator("#act-play")).to_contain_text("Play")
    is_held = False
    for picture in held:
        picture.continue_()
    page.evaluate(axe)
    for_all = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
    assert [one["id"] for one in for_all["violations"]] == []
    page.keyboard.press("Enter")
    expect(page.locator(".stage .added")).to_have_text("Play the clip to its end first.")
    expect(page.locator("#act-next")).to_be_disabled()
    for _ in range(2):
        page.keyboard.press("s")
    expect(page.locator("#act-speed")).to_contain_text("Speed 4")
    page.keyboard.press(" ")
    names = [answer_piece(page, taps) for taps in (2, 0)]
    page.locator("#stage:not([data-before])").wait_for()
    page.keyboard.press("2")
    page = window.open(f"accuracy?check={check}&view=desk", READY)
    for _ in range(2):
        page.keyboard.press("s")
    names.append(answer_piece(page, 1))
    given = certificate_of(window, check)["answers"]
    assert sorted(f"{one['unit']}/{one['turn']}" for one in given) == sorted(names)
    units = {one["number"]: one for one in certificate_of(window, check)["units"]}
    taps = {f"{one['unit']}/{one['turn']}": one["taps"] for one in given}
    assert [len(taps[name]) for name in names] == [2, 0, 1]
    for one in given:
        unit = units[one["unit"]]
        assert all(unit["captured_at_ms"] <= tap["at_ms"] < unit["to_ms"] for tap in one["taps"])
    assert "total" not in page.locator("#desk-view").inner_text().lower(), "nobody is led"
    page = window.open(f"accuracy?check={check}&view=result", READY)
    expect(page.locator("table.labels")).to_contain_text("bus forward")
    expect(page.locator("#result-view")).to_contain_text("3 of 16 clips checked")


def answer_by_api(window: Visit, name: str, **wanted: Any) -> None:
    """Answer all pieces: four of the last label in every second one, enough for an interval."""
    api = f"{window.url}/api/v1/accuracy"
    check = window.context.request.post(api, data={"name": name, **wanted}).json()
    for number in range(check["drawn"]):
        counts = {check["labels"][-1]: 4 * (number % 2)}
        sent = window.context.request.post(f"{api}/{name}/answers", data={"unit": number, "counts": counts})
        assert sent.status == 200, sent.text()


def test_intervals_of_visits_and_crossings_are_shown_with_their_numbers(
    filmed: Place, visit: Visits, axe: str
) -> None:
    window = visit(filmed, reduced_motion="no-preference")
    answer_by_api(window, "seen", metric="visits")
    answer_by_api(window, "driven", metric="crossings", line="west", sources=["gate"])
    page = window.open("?metric=objects&interval=60", "#dashboard[data-state=ready][aria-busy=false]")
    expect(page.locator("#checks")).to_contain_text("95% confidence interval, checked on")
    expect(page.locator("#checks")).to_contain_text("16 clips, model m")
    expect(page.locator("#dashboard")).to_contain_text(
        re.compile(r"unique objects, estimate \d+ \(\d+ to \d+\)")
    )
    tab = page.locator("button", has_text="Mean per frame").first
    expect(tab).not_to_contain_text(" to ")  # that number was not checked
    page = window.open("lines?source=gate", "#lines-page[data-state=ready]")
    page.locator("#crossings-of button", has_text="west").click()
    expect(page.locator("#crossings-checks")).to_contain_text("16 clips, model m")
    row = page.locator("#crossings-table tbody tr", has_text="west").filter(has_text="car")
    expect(row.locator("td").nth(2)).to_contain_text(re.compile(r"\(\d+ to \d+\)"))
    expect(page.locator("#crossings-legend")).to_contain_text(re.compile(r"backward\d+ \(\d+ to \d+\)"))
    other = page.locator("#crossings-table tbody tr", has_text="east").filter(has_text="car")
    expect(other).not_to_contain_text("(")
    page = window.open("traffic?source=gate", "#traffic-page[data-state=ready]")
    # Every piece was answered, so both directions are known.
    expect(page.locator("#checked tbody tr")).to_have_count(2)
    expect(page.locator("#checked tbody")).to_contain_text(re.compile(r"west\s*out\s*\d+\s*\d+\s*\d+ to \d+"))
    expect(page.locator("#checked-words")).to_contain_text("No check covers movements from leg to leg")
    page.evaluate(axe)
    assert page.evaluate("rules => axe.run({runOnly: rules})", RULES)["violations"] == []


def test_a_piece_with_a_deleted_picture_is_skipped(filmed: Place, visit: Visits) -> None:
    window = visit(filmed, reduced_motion="no-preference")
    made = window.context.request.post(f"{window.url}/api/v1/accuracy", data={"metric": "visits"})
    check = made.json()["id"]
    unit = certificate_of(window, check)["units"][0]
    gone = next(one for one in junction.frames() if one.captured_at_ms > unit["captured_at_ms"] + 5000)
    filmed.store.delete(gone.image_path)
    page = window.open(f"accuracy?check={check}&view=desk", READY)
    expect(page.locator("#stage")).to_contain_text("a picture is missing from the store or damaged")
    expect(page.locator("#act-next")).to_contain_text("Skip, next")
    page.keyboard.press("Enter")
    page.locator("#stage[data-unit='1/0']").wait_for()
    expect(page.locator("#desk-view:not([data-waiting])")).to_be_visible()
    given = certificate_of(window, check)["answers"]
    assert [(one["unit"], one["is_missing"], one["counts"]) for one in given] == [(0, True, {})]
    window.complaints.clear()  # the browser's own message about the picture
