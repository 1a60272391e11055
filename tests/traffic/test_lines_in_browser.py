"""The page of lines and zones, and charts of a zone, in a browser."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.traffic import junction
from tests.traffic.zoned_footage import LEFT, RIGHT, count, draw, drive, put
from tests.web.browser import Page, Place, Visits, expect
from tests.web.conftest import REST
from tests.web.exported_rows import READERS

from frametally_traffic.counting.published_days import flows_for

pytestmark = pytest.mark.thorough


READY = "#lines-page[data-state=ready][aria-busy=false]"
WIDE = {"width": 1440, "height": 900}


@pytest.fixture
def drawn(place: Place) -> Place:
    junction.film(place)
    junction.draw(place)
    return place


def click_bar(page: Page, position: int, of: int) -> None:
    area = page.evaluate("document.getElementById('crossings-chart').timeChart.layout.area")
    x = area["left"] + (area["right"] - area["left"]) * (position + 0.5) / of
    page.locator("#crossings-chart").click(position={"x": x, "y": area["bottom"] - 3})


def crossed(page: Page) -> list[list[int]]:
    """The values in the chart of crossings: one per bar with footage, for each direction."""
    chart = "document.getElementById('crossings-chart').timeChart"
    return page.evaluate(f"{chart}.drawn().map(({{values}}) => values)")


def test_a_bar_opens_its_crossings_with_both_frames_and_the_list_ends_at_the_bar(
    drawn: Place, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    page = visit(drawn, viewport=WIDE).open("lines?source=gate&interval=60", wait_for=READY)
    page.locator("#crossings-of button", has_text="west").click()
    expect(page.locator("#crossings-subtitle")).to_contain_text("west")
    inward, outward = crossed(page)[:2]
    assert len(inward) == 4  # the minute without footage is no bar
    click_bar(page, 0, of=5)
    shown = page.locator("#crossings-proof .sighting")
    expect(shown).to_have_count(inward[0] + outward[0])
    expect(page.locator("#crossings-proof .proof-head + p")).to_contain_text("that is all of them")
    expect(shown.first.locator("img")).to_have_count(2)
    expect(shown.first.locator(".shapes polyline.over")).not_to_have_count(0)
    shown.first.locator("button").first.click()
    expect(page.locator("#lightbox .shapes")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#lightbox")).to_contain_text("After")
    page.keyboard.press("Escape")
    picture(page, "lines-proof-wide")


def test_each_card_exports_its_numbers(drawn: Place, visit: Visits, tmp_path: Path) -> None:
    page = visit(drawn).open("lines?source=gate&interval=60", wait_for=READY)
    fields = {"crossings": "to_right", "movements": "visits", "zones": "entered", "dwell": "stays"}
    for of, field in fields.items():
        page.locator(f"[data-of={of}] summary").click()
        with page.expect_download() as coming:
            page.locator(f"[data-of={of}] a", has_text="Excel").click()
        coming.value.save_as(tmp_path / of)
        rows = READERS["xlsx"]((tmp_path / of).read_bytes())
        assert coming.value.suggested_filename == f"frametally-{of}.xlsx"
        assert sum(row[field] for row in rows) > 0
        page.keyboard.press("Escape")


def test_the_time_before_a_line_was_drawn_is_not_shown_as_zero_crossings(place: Place, visit: Visits) -> None:
    junction.film(place)
    west = msgspec.structs.replace(junction.LEGS[0], from_ms=junction.START_MS + 180_000)
    junction.draw(place, west)
    page = visit(place).open("lines?source=gate&interval=60", wait_for=READY)
    expect(page.locator("#crossings-subtitle")).to_contain_text("west")
    assert [len(values) for values in crossed(page)] == [2, 2]
    outside = page.evaluate("document.getElementById('crossings-chart').timeChart.view.outside")
    assert outside == [[junction.START_MS, junction.START_MS + 180_000]]


def test_every_number_of_the_table_opens_as_many_objects_with_the_keyboard(
    drawn: Place, visit: Visits
) -> None:
    page = visit(drawn).open("lines?source=gate", wait_for=READY)
    number = page.locator("#crossings-table button").last
    value = int(number.inner_text())
    number.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#crossings-proof")).to_be_focused()
    expect(page.locator("#crossings-proof .sighting")).to_have_count(min(value, 12))
    if value > 12:
        page.locator("#crossings-proof button", has_text="Show more").click()
    expect(page.locator("#crossings-proof .sighting")).to_have_count(value)


def test_movements_show_their_books_and_unassigned_visits_open_with_their_paths(
    place: Place, visit: Visits
) -> None:
    junction.film(place)
    junction.draw(place, *junction.LEGS[:2])
    page = visit(place).open("lines?source=gate", wait_for=READY)
    south = sum("south" in car[:2] for car in junction.CARS)
    cars = len(junction.CARS)
    expect(page.locator("#movements-books")).to_have_text(
        f"{cars} visits = {cars - south} with a movement + "
        f"{south} at a leg, but with no movement + 0 never at a leg"
    )
    page.locator("#movements-books button", has_text="with no movement").click()
    shown = page.locator("#movements-proof .sighting")
    expect(shown).to_have_count(south)
    expect(shown.first).to_contain_text("no movement")
    expect(shown.first.locator(".shapes polyline.over")).to_have_count(3)  # two lines and the path
    expect(page.locator("#zones-card")).to_be_hidden()
    expect(page.locator("#speeds-card")).to_be_hidden()


def test_zones_and_speeds_are_shown_with_their_basis(drawn: Place, visit: Visits) -> None:
    page = visit(drawn).open("lines?source=gate&interval=60", wait_for=READY)
    expect(page.locator("#zones-subtitle")).to_contain_text(f"{len(junction.CARS)} visits")
    for chart in ("zones", "crossings"):
        spoken = page.locator(f"#{chart}-chart").get_attribute("aria-label") or ""
        assert "car" in spoken or chart == "crossings"
        assert not re.search("not measured|Table button|or why", spoken), spoken
        assert ("Enter shows the frames" in spoken) == (chart == "crossings")
    page.locator("#zones-chart").press("ArrowRight")
    expect(page.locator("#spoken")).to_contain_text("frames")
    expect(page.locator("#spoken")).not_to_contain_text("Enter")
    cut = "(all) => all.filter((one) => one.scrollWidth > one.clientWidth).length"
    assert page.locator("#zones-table thead th").evaluate_all(cut) == 0
    for row in page.locator("#zones-table tbody tr").all():
        start, *moves, end, _, _ = [cell.inner_text() for cell in row.locator("td").all()][1:]
        came, went = map(int, moves[:3]), map(int, moves[3:])
        assert int(start) + sum(came) - sum(went) == int(end)
    expect(page.locator("#speeds tfoot td").first).to_have_text("28.8")  # 8 m/s
    expect(page.locator("#speeds .histogram rect")).not_to_have_count(0)


def test_a_range_selected_in_the_chart_is_in_the_address_and_back_undoes_it(
    drawn: Place, visit: Visits
) -> None:
    page = visit(drawn).open("lines", wait_for=READY)
    whole = r"lines\?source=gate&timezone=Europe/Berlin&interval=\d+&model="
    expect(page).to_have_url(re.compile(whole))  # the same bars for all visitors
    page.locator("#asked-label").select_option("bus")
    expect(page.locator("#crossings-table tbody tr")).to_have_count(3)
    assert "label=bus" in page.url
    page.go_back()
    expect(page.locator("#crossings-table tbody tr")).to_have_count(6)


def test_the_page_shows_the_progress_of_counting_and_finishes_by_itself(
    drawn: Place, visit: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    let = threading.Event()

    def slowly(*asked: Any, **more: Any) -> Iterator[Any]:
        assert let.wait(60)
        yield from flows_for(*asked, **more)

    monkeypatch.setattr("frametally_traffic.line_counts.background_days.flows_for", slowly)
    page = visit(drawn).open("lines?source=gate", wait_for="#lines-page[data-state=counting]")
    expect(page.locator("#counting")).to_have_text("Counting: 0 of 1 day is done.")
    let.set()
    page.locator(READY).wait_for()
    expect(page.locator("#counting")).to_be_hidden()
    expect(page.locator("#crossings-table tbody tr")).to_have_count(6)


def test_a_source_without_drawings_links_to_the_editor(
    place: Place, visit: Visits, picture: Callable[[Page, str], None]
) -> None:
    junction.film(place)
    page = visit(place).open("lines", wait_for="#lines-page[data-state=undrawn]")
    expect(page.locator("#nothing")).to_contain_text("This source has no lines or zones")
    assert str(page.locator("#edit").get_attribute("href")).endswith(
        "/lines/edit?source=gate&timezone=Europe/Berlin"
    )
    picture(page, "lines-undrawn")


def film_alley(place: Place) -> None:
    next_day_ms = junction.START_MS + 86_400_000
    place.film(
        {"car": 3}, source="alley", name="Back alley", model=junction.MODEL, start_ms=next_day_ms, intervals=3
    )


def test_an_address_without_a_source_opens_the_first_one_with_lines(drawn: Place, visit: Visits) -> None:
    film_alley(drawn)
    page = visit(drawn).open("lines", wait_for=READY)
    expect(page.locator("#asked-source option")).to_have_text(["Back alley", "gate"])
    expect(page.locator("#asked-source")).to_have_value("gate")
    page = visit(drawn).open("traffic", wait_for="#traffic-page[data-state=ready]")
    expect(page.locator("#asked-source")).to_have_value("gate")


def test_for_an_unknown_source_the_page_offers_the_others_by_name(drawn: Place, visit: Visits) -> None:
    film_alley(drawn)
    page = visit(drawn).open("lines?source=nowhere", wait_for="#lines-page[data-state=unknown]")
    expect(page.locator("#nothing h2")).to_have_text("There is no source named “nowhere”")
    expect(page.locator("#nothing p")).to_have_text("Choose another source: Back alley, gate.")
    expect(page.locator("#edit")).to_be_hidden()
    page.locator("#asked-source").select_option("gate")
    page.locator(READY).wait_for()
    expect(page.locator("#edit")).to_be_visible()


def test_the_page_explains_that_there_is_no_data_yet(place: Place, visit: Visits) -> None:
    page = visit(place).open("lines", wait_for="#lines-page[data-state=empty]")
    expect(page.locator("#nothing")).to_contain_text("Nothing has been counted yet")


def test_an_index_outage_is_shown_and_the_page_recovers_by_itself(drawn: Place, visit: Visits) -> None:
    drawn.go_away()
    page = visit(drawn).open("lines?source=gate", wait_for="#lines-page[data-state=failed]")
    expect(page.locator("#notice")).to_contain_text("Cannot reach the server")
    drawn.come_back()
    page.locator(READY).wait_for()
    expect(page.locator("#notice")).to_be_hidden()


@pytest.fixture
def zoned(place: Place) -> Place:
    """Three minutes of two sources, with a zone over one of them and two over the other."""
    put(place, [*drive(), *drive("yard")])
    draw(place, ('bus stop "north"', LEFT), ("crossing", RIGHT))
    draw(place, ("crossing", LEFT), source="yard")
    count(place)
    return place


def test_choosing_a_zone_shows_its_counts_and_removing_it_the_whole_picture(
    zoned: Place, visit: Visits
) -> None:
    window = visit(zoned)
    page = window.open("?metric=detections")
    chip = page.locator("#picture-zone-chip")
    expect(chip).to_contain_text("whole picture")
    expect(page.locator("#breakdown")).to_contain_text("1,800")  # two sources, two labels
    chip.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#picture-zone")).to_be_focused()
    page.locator("#picture-zone").select_option(label='bus stop "north" (gate)')
    expect(page).to_have_url(re.compile(r"zone=bus\+stop"))
    window.settled()
    expect(chip).to_contain_text('bus stop "north"')
    expect(page.locator("#chart-subtitle")).to_contain_text('within bus stop "north"')
    expect(page.locator("#breakdown")).to_contain_text("450")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="The whole picture").click()
    window.settled()
    expect(chip).to_contain_text("whole picture")
    expect(page.locator("#breakdown")).to_contain_text("1,800")


def test_a_bar_within_a_zone_opens_the_boxes_in_it(zoned: Place, visit: Visits) -> None:
    page = visit(zoned).open(
        "?metric=detections&interval=60&zone=bus+stop+%22north%22&at=2024-05-01T08:01:00Z"
    )
    expect(page.locator("#frames-card")).to_contain_text("150")


def test_choosing_sources_without_the_zone_clears_it(zoned: Place, visit: Visits) -> None:
    window = visit(zoned)
    page = window.open("?zone=bus+stop+%22north%22")
    page.locator("#sources-chip").click()
    page.locator("#sources-list [role=option]").filter(has_text="yard").click()
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"\?source=yard" + REST))
    window.settled()
    expect(page.locator("#picture-zone-chip")).to_contain_text("whole picture")


def test_a_zone_is_compared_only_with_sources_that_have_it(zoned: Place, visit: Visits) -> None:
    window = visit(zoned)
    page = window.open("?source=gate&zone=crossing")
    page.locator("#picture-zone-chip").click()
    assert "yard" in page.locator("#compare").inner_text()
    page = window.open("?source=gate&zone=bus+stop+%22north%22")
    page.locator("#picture-zone-chip").click()
    assert "yard" not in page.locator("#compare").inner_text()


def test_there_is_no_zone_filter_without_zones(place: Place, visit: Visits) -> None:
    place.film({"car": 6}, intervals=3, interval_s=60)
    page = visit(place).open()
    expect(page.locator("#picture-zone-chip")).to_be_hidden()


def test_an_unknown_zone_in_a_link_is_reported_with_the_remedy(zoned: Place, visit: Visits) -> None:
    window = visit(zoned)
    page = window.open("?zone=crosing", wait_for="#dashboard[data-state=failed]")
    expect(page.locator("#notice")).to_contain_text("crosing")
    page.get_by_role("button", name="Show “crossing”").click()
    window.settled()
    expect(page.locator("#picture-zone-chip")).to_contain_text("crossing")


def test_every_part_of_the_page_says_that_the_footage_does_not_fit_its_zone(
    place: Place, visit: Visits
) -> None:
    put(place, [msgspec.structs.replace(frame, width_px=480) for frame in drive()])
    draw(place, ("left side", LEFT))
    count(place)
    page = visit(place).open("?zone=left%20side&interval=60")
    reason = "the picture has another shape than the drawing"
    for part in ("#chart-message", "#breakdown", "#busiest"):
        expect(page.locator(part)).to_contain_text(reason, ignore_case=True)
    expect(page.locator("#headline")).to_have_text(re.compile(reason, re.IGNORECASE))
    expect(page.locator("#frames")).to_contain_text("not counted within this zone")
    expect(page.locator("body")).not_to_contain_text("no footage", ignore_case=True)
