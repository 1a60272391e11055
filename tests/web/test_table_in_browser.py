"""The chart's numbers as a table: all rows, sortable by any column, linked to their frames, and as text."""

from __future__ import annotations

import re

import pytest
from tests.web.browser import Locator, Page, Place, Visits, expect

pytestmark = pytest.mark.thorough


def numbers_in(page: Page, column: int) -> list[int | None]:
    """The numbers of a column, row by row; None in a row without footage."""
    rows = page.locator("#table-area tbody tr")
    texts = rows.evaluate_all("(rows, at) => rows.map((row) => row.cells[at]?.textContent ?? '')", column)
    return [int(text) if text.isdigit() else None for text in texts]


def heading(page: Page, name: str) -> Locator:
    return page.locator("#table-area thead th", has_text=name)


def test_a_table_is_sorted_by_the_chosen_column_and_cells_without_a_value_come_last(
    place: Place, visit: Visits
) -> None:
    place.film({"car": 6, "bus": 2}, intervals=10, interval_s=60, filmed=lambda n: n not in (3, 4))
    page = visit(place).open("?interval=60&view=table&metric=detections")
    by_time = numbers_in(page, 1)
    cars = [value for value in by_time if value is not None]
    assert by_time[3] is None
    assert len(cars) == 8
    assert cars != sorted(cars, reverse=True)
    expect(heading(page, "Interval")).to_have_attribute("aria-sort", "ascending")
    heading(page, "car").locator("button").click()
    expect(heading(page, "car")).to_have_attribute("aria-sort", "descending")
    expect(page.locator("#table-area thead th[aria-sort]")).to_have_count(1)
    assert numbers_in(page, 1) == [*sorted(cars, reverse=True), None]
    page.keyboard.press("Enter")  # the heading keeps the keyboard focus
    expect(heading(page, "car")).to_have_attribute("aria-sort", "ascending")
    assert numbers_in(page, 1) == [*sorted(cars), None]
    place.film({"car": 9, "bus": 2}, intervals=11, interval_s=60, seed=7)
    expect(page.locator("#table-area tbody tr")).to_have_count(11)
    grown = [value for value in numbers_in(page, 1) if value is not None]
    assert grown == sorted(grown)  # new counts keep the chosen order


@pytest.mark.parametrize(
    ("area", "at_first", "other"),
    [
        ("#breakdown", "Detections", "Label"),
        ("#busiest", "Detections", "Interval"),
        ("#sources .multiples", "Source", "Frames"),
    ],
)
def test_small_tables_are_sorted_by_mouse_or_keyboard_and_stay_sorted_when_the_counts_grow(
    place: Place, visit: Visits, area: str, at_first: str, other: str
) -> None:
    gate = place.film({"car": 6, "bus": 2, "dog": 4}, source="gate", intervals=9, interval_s=60)
    place.film({"car": 9}, source="yard", intervals=4, interval_s=60, also=gate, frames=20)
    page = visit(place).open("?interval=60&metric=detections")
    headings, rows = page.locator(f"{area} thead th"), page.locator(f"{area} tbody tr")
    expect(headings.filter(has_text=at_first)).to_have_attribute("aria-sort", re.compile("ending$"))
    as_found = rows.all_text_contents()
    assert len(as_found) > 1
    chosen = headings.filter(has_text=other)
    chosen.get_by_role("button").click()
    expect(chosen).to_have_attribute("aria-sort", re.compile("ending$"))
    expect(page.locator(f"{area} [aria-sort]")).to_have_count(1)
    once = rows.all_text_contents()
    assert sorted(once) == sorted(as_found)
    page.keyboard.press("Enter")  # the heading has the keyboard focus
    assert rows.all_text_contents() == once[::-1]
    direction = str(chosen.get_attribute("aria-sort"))
    place.film({"car": 15}, source="yard", intervals=4, interval_s=60, also=gate, frames=20, seed=3)
    expect(rows).not_to_have_text(once[::-1])
    expect(chosen).to_have_attribute("aria-sort", direction)
    expect(chosen.get_by_role("button")).to_be_focused()


def test_the_table_shows_every_interval_at_once_with_the_total_below(place: Place, visit: Visits) -> None:
    counts, _ = place.film({"car": 3}, intervals=720, interval_s=5)
    page = visit(place).open("?interval=5&view=table&metric=detections")
    expect(page.locator("#table-area tbody tr")).to_have_count(720)
    expect(page.locator("#table-area tfoot")).to_contain_text("Total, 720 intervals")
    expect(page.locator("#table-area tfoot td").first).to_have_text(f"{sum(r.detections for r in counts):,}")


def test_a_rows_heading_and_cells_lead_to_its_frames(place: Place, visit: Visits) -> None:
    place.film({"car": 6}, intervals=4)
    page = visit(place).open("?view=table")
    page.locator("#table-area tbody tr").nth(2).locator("td").first.click()
    expect(page).to_have_url(re.compile("at=2024-05-01T08:00:10Z"))
    expect(page.locator(".proof-viewer")).to_be_visible()
    page.get_by_role("button", name="1 May 2024, 10:00:05: show the frames", exact=True).press("Enter")
    expect(page).to_have_url(re.compile("at=2024-05-01T08:00:05Z"))


def test_a_table_is_copied_as_text_in_its_order(place: Place, visit: Visits) -> None:
    place.film({"car": 6, "bus": 2}, intervals=3, interval_s=60)
    window = visit(place)
    window.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = window.open("?interval=60&view=table&metric=detections")
    heading(page, "bus").locator("button").click()
    page.get_by_role("button", name="Copy as text").click()
    expect(page.get_by_role("button", name="Table copied")).to_be_visible()
    lines = [line.split("\t") for line in page.evaluate("navigator.clipboard.readText()").split("\n")]
    assert lines[0] == ["Interval", "car", "bus", "All", "Frames analysed"]
    assert [int(line[2]) for line in lines[1:4]] == sorted(
        (int(line[2]) for line in lines[1:4]), reverse=True
    )
    assert all(int(line[1]) + int(line[2]) == int(line[3]) for line in lines[1:4])
    assert lines[4][0] == "Total, 3 intervals"
    assert len(lines) == 5
