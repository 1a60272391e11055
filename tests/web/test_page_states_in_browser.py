"""The page with missing, unavailable, hostile or narrow content: in a browser, with real faults."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.web.browser import Place, Visits, expect

from frametally import keys

pytestmark = pytest.mark.thorough


def test_without_data_the_page_says_what_to_run_and_then_shows_the_data(place: Place, visit: Visits) -> None:
    window = visit(place)
    window.page.clock.install()
    page = window.open(wait_for="#dashboard[data-state=empty][aria-busy=false]")
    expect(page.locator("#no-data pre")).to_have_text(["make demo", "make run VIDEO=my.mp4"])
    expect(page.locator("#content")).to_be_hidden()
    place.film({"car": 6})
    page.clock.fast_forward(6_000)
    window.settled()
    expect(page.locator("#no-data")).to_be_hidden()
    expect(page.locator("button.frame-card")).to_have_count(1)


def test_a_page_without_counts_names_its_folder_and_the_demos_and_claims_nothing(
    place: Place, visit: Visits, serving: Callable[..., str], tmp_path: Path
) -> None:
    folder, demo = tmp_path / "frametally-data", tmp_path / "demo-data"
    demo.mkdir()
    (demo / "index.sqlite").touch()
    app = place.app(data_dir=folder, index_url=f"sqlite:///{folder / 'index.sqlite'}")
    page = visit(place, url=serving(app)).open(wait_for="#dashboard[data-state=empty][aria-busy=false]")
    expect(page.locator("#data-folder")).to_have_text(str(folder))
    expect(page.locator("#no-data pre").first).to_have_text(f"frametally serve --data-dir {demo}")
    expect(page.locator("#health-strip")).to_contain_text("There are no frames yet")
    expect(page.locator("#health-strip")).not_to_contain_text("accounted")
    expect(page.locator("#health-strip")).not_to_contain_text("=")


def test_placeholders_stand_in_until_the_first_answer_arrives(place: Place, visit: Visits) -> None:
    place.film({"car": 6})
    window = visit(place)
    held: list[Any] = []
    released: list[bool] = []
    window.page.route(
        "**/api/v1/counts*", lambda route: route.continue_() if released else held.append(route)
    )
    page = window.open(wait_for="#dashboard[data-state=loading]")
    expect(page.locator("#headline .skeleton")).to_be_visible()
    expect(page.locator("#chart-area.skeleton")).to_be_visible()
    while not held:
        page.wait_for_timeout(20)
    released.append(True)
    for route in held:
        route.continue_()
    window.settled()
    expect(page.locator(".skeleton")).to_have_count(0)


def test_an_index_that_is_down_from_the_start_is_reported_and_retried(place: Place, visit: Visits) -> None:
    place.film({"car": 6})
    place.go_away()
    window = visit(place)
    page = window.open(wait_for="#dashboard[data-state=failed]")
    expect(page.locator("#notice")).to_contain_text("Cannot reach the server")
    expect(page.locator("#notice")).not_to_contain_text("secret")
    expect(page.locator("#freshness")).to_have_text("Not loaded yet")
    place.come_back()
    page.get_by_role("button", name="Try now").click()
    window.settled()
    expect(page.locator("#notice")).to_be_hidden()
    expect(page.locator("#freshness")).to_contain_text("Up to date")


def test_an_index_outage_leaves_the_page_as_it_was_and_ends_by_itself(place: Place, visit: Visits) -> None:
    place.film({"car": 6})
    window = visit(place)
    window.page.clock.install()
    page = window.open()
    before = window.chart_values()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    place.go_away()
    page.clock.fast_forward(31_000)
    expect(page.locator("#notice")).to_contain_text("Cannot reach the server")
    expect(page.locator("#notice")).to_contain_text("The data on this page is from")
    expect(page.locator("#notice")).to_be_in_viewport()  # at any scroll position
    assert window.chart_values() == before
    expect(page.locator("button.frame-card")).to_be_visible()
    place.come_back()
    place.film({"car": 9}, seed=7)
    page.clock.fast_forward(4_000)
    expect(page.locator("#notice")).to_be_hidden()
    expect(page.locator("#freshness")).to_contain_text("Up to date")
    window.settled()
    assert window.chart_values() != before


def test_a_slow_or_failed_summary_leaves_the_chart_and_only_the_summary_is_requested_again(
    place: Place, visit: Visits, picture: Callable[[Any, str], None]
) -> None:
    place.film({"car": 6})
    window = visit(place)
    held: list[Any] = []
    asked: list[str] = []
    window.page.on("request", lambda request: asked.append(request.url.split("?")[0].split("/")[-1]))
    window.page.route("**/api/v1/summary*", lambda route: held.append(route))
    page = window.open(wait_for="#dashboard[data-state=ready]")
    expect(window.headline.locator(".value")).to_have_text(re.compile("in a frame on average$"))
    expect(window.fact("absent")).to_have_text("Still adding up the totals…")
    expect(page.locator("button.frame-card")).to_have_count(1)
    assert any(window.chart_values()["car"])
    picture(page, "summary-slow")
    busy = {"detail": "The answer takes longer than 3 s.", "remedy": "Choose a shorter range."}
    held.pop().fulfill(status=503, json=busy)
    expect(window.fact("absent")).to_contain_text(
        "The totals cannot be shown. The answer takes longer than 3 s. Choose a shorter range."
    )
    expect(page.locator("#busiest")).to_contain_text("The answer takes longer than 3 s.")
    expect(page.locator("#freshness")).to_contain_text("Up to date")
    expect(page.locator("#notice")).to_be_hidden()
    picture(page, "summary-failed")
    counted = asked.count("counts")
    page.unroute("**/api/v1/summary*")
    expect(window.headline).to_contain_text("busiest")
    window.settled()
    assert (asked.count("counts"), asked.count("summary")) == (counted, 2)


def test_a_failed_comparison_leaves_the_chart_and_says_why(place: Place, visit: Visits) -> None:
    east = place.film({"car": 6}, name="Junction East")
    place.film({"car": 4}, source="harbour", name="The harbour", also=east)
    window = visit(place)
    busy = {"detail": "The answer takes longer than 3 s.", "remedy": ""}
    window.page.route("**/api/v1/counts*top=0*", lambda route: route.fulfill(status=503, json=busy))
    page = window.open(
        "?source=junction-east&compare=source:harbour", wait_for="#dashboard[data-state=ready]"
    )
    expect(page.locator("#compare-area")).to_have_text(
        "The comparison cannot be shown. The answer takes longer than 3 s."
    )
    expect(window.headline).to_contain_text("busiest")
    page.unroute("**/api/v1/counts*top=0*")
    expect(page.locator("#compare-area")).to_contain_text("The harbour")


def test_a_server_that_does_not_respond_is_shown_as_not_connected(place: Place, visit: Visits) -> None:
    place.film({"car": 6})
    window = visit(place)
    page = window.open()
    window.context.set_offline(True)
    expect(page.locator("#freshness")).to_have_text("Not connected")
    expect(page.locator("#notice")).to_contain_text("The server is not responding.")
    window.context.set_offline(False)
    expect(page.locator("#freshness")).to_contain_text("Up to date")


def test_a_removed_frame_is_reported_as_gone(place: Place, visit: Visits) -> None:
    place.film({"car": 6})
    for info in list(place.store.list(keys.IMAGES)):
        place.store.delete(info.key)
    page = visit(place).open()
    page.locator("button.frame-card").scroll_into_view_if_needed()
    expect(page.locator("button.frame-card")).to_contain_text("This frame is no longer in the store.")


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"'`onmouseover=alert(1) x='",
    "two\nlines\tand a tab",
    "x" * 150,
]


def test_a_name_learnt_after_the_counts_appears_everywhere(place: Place, visit: Visits) -> None:
    east = place.film({"car": 6}, name="Junction East")
    place.film({"car": 4}, source="harbour", name="The harbour", also=east)
    window = visit(place)
    window.page.clock.install()
    is_known = False

    def answer(route: Any) -> None:
        found = route.fetch()
        body = found.json()
        for one in body["sources"]:
            one["name"] = one["name"] if is_known else one["source"]
        route.fulfill(response=found, json=body)

    window.page.route("**/api/v1/catalogue*", answer)
    page = window.open()
    rows, cards = page.locator("#sources tbody tr"), page.locator("button.frame-card")
    expect(rows.filter(has_text="harbour")).to_have_count(1)
    is_known = True
    page.clock.fast_forward(61_000)
    expect(rows.filter(has_text="The harbour")).to_have_count(1)
    expect(cards.filter(has_text="junction-east")).to_have_count(0)
    expect(cards.filter(has_text="Junction East")).to_have_count(1)


def test_hostile_names_are_shown_as_text_and_do_nothing(place: Place, visit: Visits) -> None:
    place.film(dict.fromkeys(HOSTILE, 4.0), name="<b onclick=alert(1)>cam</b>")
    window = visit(place)
    page = window.open()
    # Text may be shown with its white space collapsed, but none of it may be read as markup.
    assert sorted(page.locator(".key .name").all_text_contents()) == sorted(HOSTILE)
    assert sorted(page.locator("button.frame-card .name").all_text_contents()) == sorted(HOSTILE)
    expect(window.fact("source")).to_have_text("<b onclick=alert(1)>cam</b>")
    window.choose("labels", "<script>")
    window.settled()
    expect(page.locator(".key .name")).to_have_text([HOSTILE[0]])
    page.locator("#view-table").click()
    expect(page.locator("#table-area thead")).to_contain_text(HOSTILE[0])
    assert page.locator("script:not([src], #first-answers)").count() == 0
    assert page.locator("main img[src=x], main b").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_labels_beyond_the_six_distinguishable_colours_share_one(place: Place, visit: Visits) -> None:
    place.film({f"label-{n:02}": 12 - n for n in range(11)}, intervals=6)
    page = visit(place).open()
    names = page.locator(".key .name").all_text_contents()
    assert len(names) == 7
    assert names[-1] == f"{len(place.real_index.labels('yolov4-tiny-opencv-fp32-1a2b3c4d')) - 6} other labels"
    colors = page.evaluate("document.getElementById('chart').timeChart.drawn().map((one) => one.color)")
    assert len(set(colors)) == 7


def test_the_accuracy_of_the_numbers_is_shown_next_to_the_chart(place: Place, visit: Visits) -> None:
    place.film({"car": 6})
    page = visit(place).open()
    answer = page.locator("#how-sure p")
    expect(answer).to_be_hidden()
    page.get_by_text("How accurate are these numbers?").click()
    expect(answer).to_contain_text("off by up to 29%")
