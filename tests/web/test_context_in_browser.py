"""The context bar: the page's selection, chosen in lists, a calendar and a few fields; also by keyboard."""

from __future__ import annotations

import datetime
import html
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.capabilities import HERE
from tests.examples import first_quick
from tests.web.browser import Page, Place, Visit, Visits, expect
from tests.web.conftest import REST

HOUR_S = 3600
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def two_weeks(place: Place) -> Place:
    """From Wednesday, 1 May 2024, 10:00 in Berlin, two sources; nothing on 4 May."""
    rates = {"car": 6.0, "person": 4.0, "traffic light": 2.0}
    east = place.film(
        rates,
        source="east",
        name="Plaza",
        intervals=24 * 14,
        interval_s=HOUR_S,
        filmed=lambda n: (n + 10) // 24 != 3,
    )
    place.film({"bus": 3, "car": 1}, source="west", name="West Road", interval_s=HOUR_S, seed=2, also=east)
    return place


def entries(page: Page) -> int:
    return page.evaluate("history.length")


def asked_for(window: Visit, route: str) -> list[str]:
    """The requests to a route from now on."""
    found: list[str] = []
    window.page.on("request", lambda one: found.append(one.url) if f"/{route}?" in one.url else None)
    return found


@pytest.mark.thorough
def test_three_ticks_in_a_row_are_one_choice(two_weeks: Place, visit: Visits) -> None:
    window = visit(two_weeks)
    page = window.open()
    before, asked = entries(page), asked_for(window, "counts")
    page.locator("#labels-chip").click()
    options = page.locator("#labels-list [role=option]")
    for name in ("bus", "car", "traffic light"):
        options.filter(has_text=name).click()
    expect(page.locator("#labels-chip")).to_contain_text("3 of 4")
    assert not asked
    page.mouse.click(900, 500)  # next to the list: on the chart, which does not receive it
    expect(page).to_have_url(re.compile(r"\?label=car&label=traffic\+light&label=bus" + REST))
    window.settled()
    assert entries(page) == before + 1
    assert len([one for one in asked if "by=source" not in one]) == 1
    # Opening it without a change is no choice.
    page.locator("#labels-chip").click()
    options.filter(has_text="bus").click()
    options.filter(has_text="bus").click()
    page.keyboard.press("Escape")
    assert entries(page) == before + 1


@pytest.mark.thorough
def test_a_list_is_searched_by_typing_and_ticked_with_keys(two_weeks: Place, visit: Visits) -> None:
    page = visit(two_weeks).open()
    page.locator("#sources-chip").focus()
    page.keyboard.press("Enter")
    field, options = page.locator("#sources-panel input"), page.locator("#sources-list [role=option]")
    expect(field).to_be_focused()
    expect(options).to_have_text(
        [re.compile("^All sources"), re.compile("Plaza.*east"), re.compile("West Road.*west")]
    )
    page.keyboard.type("eas")  # the slug of Plaza
    expect(options).to_have_count(1)
    active = page.locator(f"#{field.get_attribute('aria-activedescendant')}")
    expect(active).to_contain_text("Plaza")
    page.keyboard.press("Enter")
    expect(options).to_have_attribute("aria-selected", "true")
    field.fill("")
    page.keyboard.press("End")
    page.keyboard.press("PageDown")
    page.keyboard.press("Shift+Enter")  # that one alone
    expect(options.nth(1)).to_have_attribute("aria-selected", "false")
    expect(options.nth(2)).to_have_attribute("aria-selected", "true")
    field.fill("zebra")
    expect(page.locator("#sources-panel")).to_contain_text("No sources with that name.")
    page.keyboard.press("Escape")
    expect(page.locator("#sources-chip")).to_be_focused()
    expect(page).to_have_url(re.compile(r"\?source=west" + REST))
    page.locator("#sources-chip").click()
    options.nth(1).hover()
    options.nth(1).get_by_text("only").click()
    page.get_by_role("button", name="Done").click()
    expect(page).to_have_url(re.compile(r"\?source=east" + REST))


@pytest.mark.thorough
def test_ticked_items_and_the_focus_stay_while_the_counts_grow(two_weeks: Place, visit: Visits) -> None:
    window = visit(two_weeks)
    window.page.clock.install()
    page = window.open()
    page.locator("#labels-chip").click()
    page.locator("#labels-list [role=option]", has_text="person").click()
    two_weeks.film({"zebra": 90}, source="north", start_ms=1_699_999_200_000, interval_s=HOUR_S)
    page.clock.fast_forward(61_000)
    expect(page.locator("#labels-list [role=option]", has_text="zebra")).to_have_count(1)
    expect(page.locator("#labels-panel input")).to_be_focused()
    expect(page.locator("#labels-list [aria-selected=true]")).to_contain_text("person")
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"\?label=person" + REST))


@pytest.mark.thorough
def test_a_cross_undoes_one_choice(two_weeks: Place, visit: Visits) -> None:
    page = visit(two_weeks).open("?label=car&metric=peak&source=east")
    page.get_by_role("button", name="All labels").click()
    expect(page).to_have_url(re.compile(r"\?source=east&metric=peak" + REST))
    expect(page.locator("#labels-chip")).to_be_focused()
    page.get_by_role("button", name="The metric that suits").click()
    expect(page).to_have_url(re.compile(r"\?source=east" + REST))
    expect(page.locator("#metric-chip")).to_be_hidden()
    page.locator("#reset").click()
    expect(page).to_have_url(re.compile(r"/\?timezone=Europe/Berlin$"))


@pytest.mark.thorough
def test_the_calendar_marks_the_days_with_footage_and_two_days_make_a_range(
    two_weeks: Place, visit: Visits
) -> None:
    window = visit(two_weeks)
    page = window.open("?source=east")
    before = entries(page)
    with page.expect_request(re.compile("/counts.*interval=86400")) as asked:
        page.locator("#range-chip").click()
    assert asked.value.url.endswith("&interval=86400&top=0")  # of labels nothing but their sum
    assert "label=" not in asked.value.url
    expect(page.locator("#calendar-month")).to_have_text("May 2024")
    filmed = page.locator(".day.filmed")
    expect(filmed).to_have_text([str(day) for day in range(1, 16) if day != 4])
    page.get_by_role("button", name="Mon 6 May 2024, footage").click()
    page.get_by_role("button", name="Wed 8 May 2024, footage").click()
    expect(page.locator("#to")).to_have_value("2024-05-09T00:00")
    assert entries(page) == before
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(re.compile(r"from=2024-05-05T22:00:00Z&to=2024-05-08T22:00:00Z" + REST))
    assert entries(page) == before + 1
    window.settled()
    # By keyboard: a week down, into the next month, and back.
    page.locator("#range-chip").click()
    page.locator(".day[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("PageDown")
    expect(page.locator("#calendar-month")).to_have_text("Jun 2024")
    expect(page.locator(".day:focus")).to_have_text("15")


@pytest.mark.thorough
def test_the_calendars_ranges_are_named_and_move_by_their_own_length(two_weeks: Place, visit: Visits) -> None:
    window = visit(two_weeks)
    now = datetime.datetime(2024, 5, 15, 12, tzinfo=datetime.UTC)
    window.page.clock.set_fixed_time(now)
    page = window.open()
    window.choose_range("Last week")
    expect(page).to_have_url(re.compile(r"from=2024-05-05T22:00:00Z&to=2024-05-12T22:00:00Z" + REST))
    expect(page.locator("#range-chip")).to_have_text(re.compile("Last week, 6.*12 May 2024"))
    page.get_by_role("button", name="Previous period").click()
    expect(page).to_have_url(re.compile(r"from=2024-04-28T22:00:00Z&to=2024-05-05T22:00:00Z" + REST))
    expect(page.get_by_role("button", name="Previous period")).to_be_disabled()  # nothing was filmed
    page.get_by_role("button", name="Next period").click()
    expect(page.locator("#range-chip")).to_contain_text("Last week")
    page.locator("#range-chip").click()
    expect(page.locator(".named button")).to_contain_text(["All the footage", "Today", "Yesterday"])


@pytest.mark.thorough
def test_the_panel_zooms_out_by_one_step(two_weeks: Place, visit: Visits) -> None:
    window = visit(two_weeks)
    page = window.open("?from=2024-05-06T00:00:00Z&to=2024-05-10T00:00:00Z")
    window.drag(0.3, 0.8)
    expect(page).not_to_have_url(re.compile("from=2024-05-06T00:00:00Z"))
    window.settled()
    page.locator("#range-chip").click()
    page.locator("#range-panel").get_by_role("button", name="Zoom out").click()
    expect(page).to_have_url(re.compile(r"from=2024-05-06T00:00:00Z&to=2024-05-10T00:00:00Z" + REST))


@pytest.mark.thorough
def test_hours_and_weekdays_are_chosen_along_with_the_range(two_weeks: Place, visit: Visits) -> None:
    window = visit(two_weeks)
    page = window.open()
    before = entries(page)
    page.locator("#hours-chip").click()
    expect(page.locator("#hours-from")).to_be_focused()
    page.locator("#hours-from").fill("08:00")
    page.locator("#hours-to").fill("09:30")
    for day in ("Mon", "Tue", "Wed"):
        page.locator(".weekday", has_text=day).click()
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"\?hours=08:00-09:30&weekdays=1,2,3" + REST))
    assert entries(page) == before + 1
    expect(page.locator("#hours-chip")).to_have_text(re.compile("08:00.09:30, Mon.Wed"))
    page.get_by_role("button", name="All hours and days").click()
    expect(page).to_have_url(f"{window.url}/?timezone=Europe/Berlin")


@pytest.mark.thorough
def test_both_hours_share_a_row_on_12_hour_clocks(two_weeks: Place, visit: Visits) -> None:
    page = visit(two_weeks, locale="en-US").open()
    page.locator("#hours-chip").click()
    row = page.locator(".hours .field-row")
    middles = row.locator(":scope > :not(.visually-hidden)").evaluate_all(
        "(all) => all.map((one) => one.getBoundingClientRect()).map(({ top, bottom }) => (top + bottom) / 2)"
    )
    assert len(middles) == 3
    assert max(middles) - min(middles) < 2


@pytest.mark.thorough
def test_the_title_and_links_to_other_pages_describe_the_current_view(
    two_weeks: Place, visit: Visits
) -> None:
    page = visit(two_weeks).open(
        "?label=car&source=east&from=2024-05-05T22:00:00Z&to=2024-05-07T22:00:00Z&chart=lines"
    )
    expect(page).to_have_title(re.compile("of car · Plaza · 6 . 7 May 2024 · frametally$"))
    here, other = page.locator("#pages a").first, page.locator("#pages a").nth(1)
    expect(here).to_have_attribute("aria-current", "page")
    expect(other).not_to_have_attribute("aria-current", "page")
    selected = (
        r"\?label=car&source=east&from=2024-05-05T22:00:00Z&to=2024-05-07T22:00:00Z&timezone=Europe/Berlin$"
    )
    expect(other).to_have_attribute("href", re.compile(selected))


def test_an_error_keeps_the_choices_and_offers_valid_ones(place: Place, visit: Visits) -> None:
    place.film({"car": 6, "bus": 2, "dog": 1}, interval_s=60)
    window = visit(place)
    page = window.open("?label=bus&interval=90", wait_for="#dashboard[data-state=failed]")
    expect(page.locator("#notice")).to_contain_text("interval=90 is not a multiple")
    expect(page.locator("#labels-chip")).to_contain_text("bus")
    expect(page.locator("#interval-chip")).to_contain_text("90")
    page.get_by_role("button", name="Use bars that suit the range").click()
    window.settled()
    expect(page.locator("#notice")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"\?label=bus" + REST))
    # Also without the notice's help: another choice by hand.
    page = window.open("?label=bus&interval=90", wait_for="#dashboard[data-state=failed]")
    window.choose("labels", "car")
    expect(page).to_have_url(re.compile(r"\?label=car&label=bus&interval=90" + REST))
    window.choose_more("interval", label="Auto")
    window.settled()
    expect(page.locator("#notice")).to_be_hidden()


@pytest.mark.parametrize(
    ("locale", "says"),
    [
        ("en-GB", "This page cannot read from=abc. You see the counts without that choice."),
        pytest.param("de-DE", "Diese Seite kann from=abc nicht lesen.", marks=pytest.mark.thorough),
    ],
)
def test_an_unreadable_value_in_the_address_is_reported_until_another_choice_is_made(
    place: Place, visit: Visits, locale: str, says: str
) -> None:
    place.film({"car": 6, "bus": 2})
    window = visit(place, locale=locale)
    page = window.open("?from=abc")
    expect(page.locator("#notice")).to_contain_text(says)
    window.choose("labels", "car")
    window.settled()
    expect(page.locator("#notice")).to_be_hidden()
    page = window.open("embed?from=abc", wait_for="#embed[data-state=ready]")
    expect(page.locator("#chart-unread")).to_contain_text(says)
    window.open("embed", wait_for="#embed[data-state=ready]")
    expect(page.locator("#chart-unread")).to_be_hidden()


@pytest.mark.thorough
def test_the_offered_button_leaves_a_time_zone_that_cannot_be_shown(place: Place, visit: Visits) -> None:
    place.film({"car": 6}, intervals=4, interval_s=HOUR_S)
    window = visit(place)
    query = "?metric=peak&timezone=Asia/Kolkata"
    page = window.open(query, wait_for="#dashboard[data-state=failed]")
    expect(page.locator("#notice")).to_contain_text("In Asia/Kolkata, bars would not begin")
    page.get_by_role("button", name="Use your own time zone").click()
    window.settled()
    expect(page.locator("#notice")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"\?metric=peak" + REST))


@pytest.mark.thorough
def test_a_bar_outside_the_range_is_dropped(two_weeks: Place, visit: Visits) -> None:
    page = visit(two_weeks).open("?from=2024-05-06T00:00:00Z&to=2024-05-07T00:00:00Z&at=2020-01-01T00:00:00Z")
    expect(page).to_have_url(re.compile(r"to=2024-05-07T00:00:00Z" + REST))
    expect(page.locator("#frames-title")).to_have_text("Busiest frame per label")
    expect(page.locator("#frames")).not_to_contain_text("cannot")


@pytest.mark.thorough
@pytest.mark.parametrize("size", [PHONE, {"width": 844, "height": 390}], ids=["upright", "across"])
def test_on_a_phone_the_filters_are_one_line_and_open_from_the_bottom(
    two_weeks: Place, visit: Visits, size: dict[str, int], picture: Callable[..., None]
) -> None:
    window = visit(two_weeks, viewport=size, has_touch=True, is_mobile=True)
    page = window.open("?source=east&label=car&label=person&metric=peak&interval=7200")
    chips: Any = page.locator("#context").bounding_box()
    assert chips["height"] < 60
    assert chips["y"] + chips["height"] < 180  # below two lines of pages
    page.locator("#labels-chip").tap()
    sheet: Any = page.locator("#labels-panel").bounding_box()
    assert (sheet["x"], sheet["width"]) == (0, size["width"])
    assert sheet["y"] + sheet["height"] == size["height"]
    assert page.evaluate("document.activeElement.tagName") != "INPUT"  # its keyboard would cover the list
    page.locator("#labels-list [role=option]", has_text="traffic light").tap()
    page.get_by_role("button", name="Done").tap()
    expect(page).to_have_url(re.compile(r"label=traffic\+light"))
    window.settled()
    picture(page, f"phone-{size['width']}")


@pytest.mark.thorough
def test_one_click_corrects_a_misspelt_label(two_weeks: Place, visit: Visits) -> None:
    window = visit(two_weeks)
    page = window.open("?label=pesron&label=car&source=east", wait_for="#dashboard[data-state=failed]")
    expect(page.locator("#notice")).to_contain_text("There is no label named 'pesron'.")
    page.get_by_role("button", name="Show “person”").click()
    window.settled()
    expect(page).to_have_url(re.compile(r"\?label=person&label=car&source=east" + REST))
    expect(page.locator("#notice")).to_be_hidden()
    page = window.open("?label=pesron&source=nope", wait_for="#dashboard[data-state=failed]")
    expect(page.locator("#notice")).to_contain_text(
        "There is no label named 'pesron'. There is no source named 'nope'."
    )


@pytest.mark.thorough
def test_the_metric_suits_the_footage_until_one_is_chosen(two_weeks: Place, visit: Visits) -> None:
    window = visit(two_weeks)
    page = window.open()
    expect(page).to_have_title(re.compile("^Mean per frame"))  # objects were not tracked
    expect(page.locator("#metric-chip")).to_be_hidden()
    window.choose_more("metric", "detections")
    expect(page).to_have_url(re.compile(r"\?metric=detections" + REST))
    expect(page).to_have_title(re.compile("^Detections"))
    expect(page.locator("#metric-chip")).to_have_text(re.compile("Detections"))


@pytest.mark.thorough
def test_rush_hours_take_four_clicks_and_bars_divide_them_and_fill_the_chart(
    two_weeks: Place, visit: Visits, picture: Callable[[Any, str], None]
) -> None:
    window = visit(two_weeks)
    page = window.open("?metric=detections&from=2024-05-05T22:00Z&to=2024-05-10T22:00Z")
    page.locator("#range-chip").click()
    common = page.get_by_role("group", name="Common hours and days")
    common.get_by_role("button", name="7\N{EN DASH}9").click()
    common.get_by_role("button", name="Mon\N{EN DASH}Fri").click()
    picture(page, "rush-hours-chooser")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(re.compile("hours=07:00-09:00&weekdays=1,2,3,4,5"))
    window.settled()
    expect(page.locator("#chart-subtitle")).to_contain_text("intervals of 1 hr")
    expect(window.headline).to_contain_text(re.compile("busiest .* May, (07:00.08:00|08:00.09:00)"))
    assert "6 May 2024, 07:00" in window.tooltip(0, 10)
    assert "10 May 2024, 08:00" in window.tooltip(9, 10)
    picture(page, "rush-hours")
    window.open(page.url.removeprefix(f"{window.url}/").replace("interval=3600", "interval=10800"))
    expect(window.headline).to_contain_text(re.compile("busiest .* May, 07:00.09:00"))


@pytest.mark.thorough
def test_a_phones_first_screen_shows_number_and_busiest_picture_and_the_chart_follows(
    two_weeks: Place, visit: Visits
) -> None:
    page = visit(two_weeks, viewport=PHONE, has_touch=True, is_mobile=True).open()
    number: Any = page.locator("#headline .value").bounding_box()
    sight: Any = page.locator("#sight").bounding_box()
    chart: Any = page.locator("#chart-area").bounding_box()
    measures: Any = page.locator("#measures").bounding_box()
    assert number["y"] + number["height"] < 260
    assert measures["height"] < 44  # one line of words
    assert sight["y"] + sight["height"] < PHONE["height"]
    assert chart["y"] < 860


@pytest.mark.thorough
def test_addresses_and_codes_copied_from_the_page_show_the_same_in_every_time_zone(
    two_weeks: Place, visit: Visits
) -> None:
    window = visit(two_weeks, permissions=["clipboard-read", "clipboard-write"])
    page = window.open("?source=east&hours=07:00-09:00")
    values, spans = window.chart_values(), window.chart_spans()
    taken = [page.url]
    for button in ("copy-link", "copy-embed"):
        page.locator(f"#{button}").click()
        expect(page.locator(f"#{button}")).to_have_text(re.compile("copied"))
        copied = page.evaluate("navigator.clipboard.readText()")
        taken.append(html.unescape(copied.partition('src="')[2].partition('"')[0] or copied))
    assert "&from=" in taken[1]  # it stays the same when the footage grows
    assert "&to=" in taken[1]
    page.locator("#pages a", has_text="Reports").click()
    if "traffic" in HERE:  # otherwise it is the only page of its section
        page.locator("#rooms a", has_text="Data").click()
    taken.append(
        html.unescape(page.locator("#code-embed").inner_text().partition('src="')[2].partition('"')[0])
    )
    far = visit(two_weeks, url=window.url, timezone_id="America/New_York")
    for address in taken:
        asked = parse_qs(urlsplit(address).query)
        assert asked["timezone"] == ["Europe/Berlin"], address
        assert {"metric", "interval", "model"} <= set(asked), address
        far.open(address.removeprefix(f"{window.url}/"), "[data-state=ready]:not([aria-busy=true])")
        assert (far.chart_values(), far.chart_spans()) == (values, spans), address


def choose_hours(window: Visit) -> None:
    window.page.locator("#range-chip").click()
    common = window.page.get_by_role("group", name="Common hours and days")
    common.get_by_role("button", name="16\N{EN DASH}18").click()
    common.get_by_role("button", name="Weekend").click()
    window.page.get_by_role("button", name="Show", exact=True).click()


def type_range(window: Visit) -> None:
    window.page.locator("#range-chip").click()
    window.page.get_by_label("From", exact=True).fill("2024-05-02T08:00:00")
    window.page.get_by_label("To", exact=True).fill("2024-05-03T20:00:00")
    window.page.get_by_role("button", name="Show", exact=True).click()


def numbers_of(window: Visit) -> list[str]:
    """The digits of the numbers in the chart's table, row by row; languages format them differently."""
    rows = window.page.locator("#table-area tr")
    expect(rows.last).to_contain_text(re.compile("Mean|Mittel|Total|Summe|Maximum"))
    cells = window.page.locator("#table-area td").all_text_contents()
    return [re.sub(r"\D", "", cell) for cell in cells]


CONTROLS: dict[str, Callable[[Visit], object]] = {
    "sources": lambda window: window.choose("sources", "Plaza"),
    "labels": lambda window: window.choose("labels", "bus", "car"),
    "a named range": lambda window: window.choose_range("Last 7 days of footage"),
    "an exact range": type_range,
    "hours and weekdays": choose_hours,
    "the time zone": lambda window: window.choose_zone("Asia/Tokyo"),
    "a tab of a metric": lambda window: window.tile("Peak in one frame").click(),
    "the metric": lambda window: window.choose_more("metric", "detections"),
    "the interval": lambda window: window.choose_more("interval", "21600"),
    "a comparison": lambda window: window.choose_more("compare", "source:west"),
    "a label of the legend": lambda window: window.page.locator(".key", has_text="bus").click(),
    "a drawn range": lambda window: (window.page.locator("#view-bars").click(), window.drag(0.2, 0.6)),
    "a bar": lambda window: (window.page.locator("#view-bars").click(), window.click_bar(2, of=14)),
}


@pytest.mark.parametrize("control", first_quick(CONTROLS))
def test_after_each_control_the_address_shows_everyone_the_same_table(
    two_weeks: Place, visit: Visits, control: str
) -> None:
    window = visit(two_weeks)
    page = window.open("?view=table&interval=86400&metric=mean_per_frame")
    before = page.url
    CONTROLS[control](window)
    expect(page).not_to_have_url(before)
    window.settled()
    expect(page).to_have_url(re.compile("timezone=.*model=|model=.*timezone="))
    asked = parse_qs(urlsplit(page.url).query)
    assert {"timezone", "metric", "interval", "model"} <= set(asked)
    far = visit(two_weeks, url=window.url, timezone_id="America/New_York", locale="de-DE")
    far.open(page.url.removeprefix(f"{window.url}/"))
    assert parse_qs(urlsplit(far.page.url).query) == asked
    for one in (window, far):
        one.page.locator("#view-table").click()
    shown = numbers_of(window)
    assert len(shown) >= 4
    assert numbers_of(far) == shown


@pytest.mark.thorough
def test_without_a_query_the_address_and_the_links_name_the_time_zone(
    two_weeks: Place, visit: Visits
) -> None:
    window = visit(two_weeks)
    page = window.open("")
    spans = window.chart_spans()
    expect(page).to_have_url(f"{window.url}/?timezone=Europe/Berlin")
    for link in page.locator("#pages a").all():
        expect(link).to_have_attribute("href", re.compile(r"\?timezone=Europe/Berlin$"))
    page.goto(f"{window.url}/data")  # whose other links request nothing
    data = page.locator(":is(#pages, #rooms) a[href^='/data']").last
    expect(data).to_have_attribute("href", re.compile(r"/data\?timezone=Europe(/|%2F)Berlin$"))
    page.goto(f"{window.url}/?timezone=Europe/Berlin")
    far = visit(two_weeks, url=window.url, timezone_id="America/New_York")
    far.open(page.url.removeprefix(f"{window.url}/"))
    assert far.chart_spans() == spans
    expect(far.page).to_have_url(page.url)
    far.open("")
    expect(far.page).to_have_url(f"{window.url}/?timezone=America/New_York")


@pytest.mark.thorough
def test_what_the_page_chose_by_itself_stays_open_after_reloading_and_going_back(
    two_weeks: Place, visit: Visits
) -> None:
    window = visit(two_weeks)
    page = window.open("")
    window.choose("sources", "Plaza")
    expect(page).to_have_url(
        re.compile(r"\?source=east&timezone=Europe/Berlin&metric=\w+&interval=\d+&model=")
    )
    page.reload()
    window.settled()
    expect(page.locator("#interval-chip")).to_be_hidden()
    expect(page.locator("#model-chip")).to_be_hidden()
    window.choose("sources", "West Road")
    expect(page.locator("#sources-chip")).not_to_contain_text("Plaza")  # applied when the list has closed
    window.settled()
    page.go_back()
    expect(page.locator("#sources-chip")).to_contain_text("Plaza")
    expect(page.locator("#interval-chip")).to_be_hidden()
