"""Comparing in a browser: by label, with the gaps of both sides, and the largest differences in pictures."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from tests.web.browser import Place, Visits, expect
from tests.web.conftest import MODEL, START_MS
from tests.web.fixtures import SCREENSHOTS
from tests.web.printed_text import rows_of, words_of
from tests.web.test_export_comparison import publish, records

from frametally.rules.times import WEEK_MS

OTHER = "second-model"
LABELS = [
    *("car", "person", "bicycle", "bus", "truck", "motorcycle", "dog", "bench"),
    *("bird", "cat", "train", "boat", "backpack", "traffic light", "stop sign", "horse"),
]
WEEK = "?metric=detections&interval=60&from=2024-05-01T08:00:00Z&to=2024-05-01T08:06:00Z&compare=week"


@pytest.fixture
def two_weeks(place: Place) -> Place:
    """Six minutes a week apart: only the week before has the third, only this one the fifth."""
    publish(
        place,
        records(START_MS, [4, 1, None, 2, 5, 6]),
        records(START_MS - WEEK_MS, [1, 1, 7, 4, None, 5]),
        (records(START_MS - WEEK_MS, [0, 9], label="bus")[0], []),
    )
    return place


@pytest.fixture
def two_models(place: Place) -> Place:
    """The same frames from two models: the second detected more cars, most in others, and no bus."""
    place.film({"car": 2, "bus": 2}, intervals=24, interval_s=60, seed=3)
    place.film({"car": 5}, intervals=24, interval_s=60, seed=2, model=OTHER)
    return place


@pytest.mark.thorough
def test_the_other_sides_line_breaks_at_its_own_gaps_and_continues_over_ours(
    two_weeks: Place, visit: Visits
) -> None:
    window = visit(two_weeks)
    page = window.open(WEEK)
    other = page.evaluate("document.getElementById('chart').timeChart.view.other")
    minute = [round((one["start"] - START_MS) / 60_000) for one in other["rows"]]
    assert minute == [0, 1, 2, 3, 5]  # over our gap as well
    assert [one["known"]["value"] for one in other["rows"]] == [1, 10, 7, 4, 5]
    assert other["gaps"] == [[START_MS + 4 * 60_000, START_MS + 5 * 60_000]]
    assert window.chart_values()["a week earlier"] == [1, 10, 7, 4, 5]
    expect(page.locator(".key", has_text="a week earlier: no footage")).to_be_visible()
    assert "a week earlier: 7." in window.tooltip(2, 6)
    assert "a week earlier: no footage" in window.tooltip(4, 6)
    assert "a week earlier: 5" in window.tooltip(5, 6)


@pytest.mark.thorough
def test_the_line_is_drawn_over_our_gap_and_not_over_its_own(two_weeks: Place, visit: Visits) -> None:
    window = visit(two_weeks)
    page = window.open(WEEK)

    def inked(minute: int) -> int:
        """The number of pixels of a minute's column in the colour of the other side's line."""
        area = window.chart_area()
        width = (area["right"] - area["left"]) / 6
        return int(
            page.evaluate(
                """([x, top, wide, high]) => {
                  const canvas = document.getElementById("chart");
                  const ratio = canvas.width / canvas.clientWidth;
                  const copy = document.createElement("canvas");
                  [copy.width, copy.height] = [canvas.width, canvas.height];
                  const pen = copy.getContext("2d", { willReadFrequently: true });
                  const style = getComputedStyle(document.documentElement);
                  pen.fillStyle = style.getPropertyValue("--ink").trim();
                  pen.fillRect(0, 0, 1, 1);
                  const [r, g, b] = pen.getImageData(0, 0, 1, 1).data;
                  pen.drawImage(canvas, 0, 0);
                  const part = [x, top, wide, high].map((one) => one * ratio);
                  const seen = pen.getImageData(...part).data;
                  let found = 0;
                  for (let at = 0; at < seen.length; at += 4)
                    if (seen[at] === r && seen[at + 1] === g && seen[at + 2] === b) found += 1;
                  return found;
                }""",
                [
                    area["left"] + (minute + 0.25) * width,
                    area["top"],
                    width / 2,
                    area["bottom"] - area["top"],
                ],
            )
        )

    assert inked(2) > 0
    assert inked(4) == 0


@pytest.mark.thorough
def test_the_table_shows_what_each_side_has_in_the_others_gaps(two_weeks: Place, visit: Visits) -> None:
    page = visit(two_weeks).open(WEEK + "&view=table")
    rows = page.locator("#table-area tbody tr")
    expect(rows).to_have_count(6)
    cells = [row.locator("td").all_inner_texts() for row in rows.all()]
    # Cars, all, a week earlier, frames: our gap has the week before next to it, and the other way round.
    assert cells[2] == ["no footage", "7", "\u2013"]
    assert cells[4] == ["5", "5", "no footage", "10"]
    page.locator("#table-area").get_by_role("button", name="a week earlier").click()
    expect(rows.first.locator("td").nth(2)).to_have_text("10")
    expect(rows.nth(1).locator("td")).to_have_text(["no footage", "7", "\u2013"])


@pytest.mark.thorough
def test_differences_by_label_appear_in_words_numbers_and_bars_where_both_sides_filmed(
    two_weeks: Place, visit: Visits
) -> None:
    page = visit(two_weeks).open(WEEK)
    area = page.locator("#compare-area")
    expect(area).to_contain_text("Compared over 4 intervals filmed on both sides: 40 frames here, 40 there.")
    expect(area).to_contain_text(
        "Intervals filmed on only one side (1 only here, 1 only there) do not count as differences."
    )
    expect(area.locator(".compare-words")).to_have_text(
        "bus 9 fewer, car 2 more; all labels together 7 fewer than a week earlier."
    )
    rows = area.locator(".compare-labels tbody tr")
    expect(rows.locator("th")).to_have_text(["bus", "car"])  # the most apart first
    expect(rows.nth(0).locator("td")).to_have_text(["0", "9", "\u22129", "\u2212100%"])
    expect(rows.nth(1).locator("td")).to_have_text(["13", "11", "+2", "+18%"])
    expect(area.locator(".compare-labels tfoot td")).to_have_text(["13", "20", "\u22127", "\u221235%"])
    less, more = (rows.nth(n).locator(".bar").bounding_box() for n in (0, 1))
    assert less["width"] > more["width"]
    assert less["x"] + less["width"] <= more["x"] + 1  # left of none, and right of it
    by_label = area.locator(".compare-labels")
    by_label.get_by_role("button", name="Label", exact=True).click()
    expect(by_label.locator("[aria-sort]")).to_have_text("Label")
    by_label.get_by_role("button", name="Change").focus()
    page.keyboard.press("Enter")
    expect(rows.locator("th")).to_have_text(["car", "bus"])
    rows.locator("button", has_text="bus").click()
    expect(page).to_have_url(re.compile("label=bus"))


@pytest.mark.thorough
def test_a_german_page_names_the_other_side_in_german(two_weeks: Place, visit: Visits) -> None:
    page = visit(two_weeks, locale="de-DE").open(WEEK)
    area = page.locator("#compare-area")
    expect(area.locator(".compare-words")).to_have_text(
        "Verglichen mit „Woche davor“: Bus 9 weniger, Auto 2 mehr; alle Labels zusammen 7 weniger."
    )
    expect(area).to_contain_text("Verglichen in 4 Intervallen mit Aufnahmen auf beiden Seiten: 40 Bilder")
    expect(page.locator(".key", has_text="Woche davor: keine Aufnahme")).to_be_visible()
    page.locator("#view-table").click()
    expect(page.locator("#table-area tfoot th").first).to_have_text(re.compile(r"\w+, \d+ Intervalle$"))
    offered = page.locator("#compare option").all_text_contents()
    assert offered[1:4] == ["Zeitraum davor", "Tag davor", "Woche davor"]
    # The first answers are data, in English for programs.
    words = page.evaluate(
        "[...document.body.children].map((one) => one.matches('script') ? '' : one.textContent)"
    )
    assert not re.search("earlier|period before", " ".join(words))


@pytest.fixture
def many_labels(place: Place) -> Place:
    """Two weeks with more labels than the table of differences shows at once."""
    weeks = [(START_MS, 3), (START_MS - WEEK_MS, 5)]
    counts = [
        one
        for start_ms, step in weeks
        for number, label in enumerate(LABELS)
        for one in records(start_ms, [40 - number * step % 17, 9 + number * step % 11], label=label)[0]
    ]
    publish(place, *((counts, []), *(([], records(start_ms, [1, 1])[1]) for start_ms, _ in weeks)))
    return place


def test_the_total_of_all_labels_stays_at_the_bottom_of_a_scrolling_table(
    many_labels: Place, visit: Visits
) -> None:
    page = visit(many_labels).open(WEEK)
    expect(page.locator(".compare-words")).to_contain_text(" fewer and 10 other labels differ; all labels ")
    area = page.locator(".compare-labels .table-area")
    assert area.evaluate("(one) => one.scrollHeight > one.clientHeight + 60")
    area.scroll_into_view_if_needed()
    for scrolled in (0, 40, 10_000):
        area.evaluate("(one, top) => { one.scrollTop = top; }", scrolled)
        at_foot, total = area.evaluate(
            """(one) => {
              const cells = [...one.querySelectorAll("tfoot th, tfoot td")];
              const bottom = one.getBoundingClientRect().bottom - 18;
              const seen = cells.map((cell) => {
                const { left, right } = cell.getBoundingClientRect();
                return document.elementFromPoint(right - Math.min(14, (right - left) / 2), bottom);
              });
              return [seen, cells].map((some) => some.map((cell) => cell.textContent));
            }"""
        )
        assert at_foot == total
        assert total[0] == "All labels"
    page.goto(f"{page.url}&label=bus&label=truck&label=boat&label=horse")
    expect(page.locator(".compare-words")).to_contain_text(" fewer and 1 other label differs; all labels ")


@pytest.mark.thorough
def test_each_difference_and_the_total_are_printed_once_with_nothing_over_them(
    many_labels: Place, visit: Visits
) -> None:
    page = visit(many_labels).open(WEEK)
    on_screen = page.locator(".compare-labels tr").evaluate_all(
        "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent).join(' '))"
    )
    words = words_of(page.pdf(format="A4", print_background=True))
    printed = rows_of(words)
    assert len(on_screen) == len(LABELS) + 2
    for row in on_screen[1:]:
        assert printed.count(row) == 1, row
    assert [one for one in printed if one.startswith("All labels")] == on_screen[-1:]
    pairs = [
        (one.text, other.text) for n, one in enumerate(words) for other in words[:n] if one.is_over(other)
    ]
    assert pairs == []
    # The first screen has the query and the chart with its axis, not only the tiles.
    first = [one.text for one in words if one.page == 1]
    assert first.index(next(one for one in first if "detections \u00b7" in one)) < first.index(
        next(one for one in first if one.endswith(" detections"))
    )
    assert {"detections per 1 min", "Footage"} <= set(first)


def test_two_models_show_the_same_frame_twice_with_the_boxes_of_each(
    two_models: Place, visit: Visits, picture: Callable[..., None]
) -> None:
    page = visit(two_models, viewport={"width": 1440, "height": 900}).open(
        f"?metric=detections&interval=720&model={MODEL}&compare=model:{OTHER}"
    )
    most = page.locator("#compare-area .compare-most tbody tr")
    first = most.first.locator("td")
    label, here, there, apart = first.all_inner_texts()
    assert int(here) - int(there) == int(apart.replace("\u2212", "-"))
    sizes = [int(text.strip("+\u2212")) for text in most.locator("td:last-child").all_inner_texts()]
    assert sizes == sorted(sizes, reverse=True)
    picture(page, "compare-models")
    most.first.locator("button").click()
    dialog = page.locator("#lightbox")
    figures = dialog.locator("figure")
    expect(figures).to_have_count(2)
    expect(dialog.locator("h2")).to_have_text(f"{label.strip()}: {here} compared with {there}")
    images = figures.locator("img")
    expect(figures.locator(".picture.loaded")).to_have_count(2)
    keys = [re.search("path=([^&]+)", one.get_attribute("src") or "") for one in images.all()]
    assert keys[0] is not None
    assert keys[1] is not None
    assert keys[0][1] == keys[1][1]
    for side, model in enumerate((MODEL, OTHER)):
        boxes = figures.nth(side).locator(".box").count()
        expect(figures.nth(side).locator("figcaption")).to_have_text(
            f"{model}: {label.strip()} \u00d7 {boxes}"
        )
    assert figures.nth(0).locator(".box").count() != figures.nth(1).locator(".box").count()
    left, right = (one.bounding_box() for one in images.all())
    assert abs(left["y"] - right["y"]) < 2
    assert left["x"] + left["width"] <= right["x"]
    page.screenshot(path=str(SCREENSHOTS / "compare-pair.png"))
    title = dialog.locator("h2").inner_text()
    page.keyboard.press("ArrowRight")
    expect(dialog.locator("h2")).not_to_have_text(title)
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    expect(most.first.locator("button")).to_be_focused()


@pytest.mark.thorough
def test_two_weeks_each_show_their_own_frame_even_if_nothing_was_found(place: Place, visit: Visits) -> None:
    place.film({"car": 5}, intervals=4, interval_s=60)
    place.film({"bus": 3}, intervals=4, interval_s=60, start_ms=START_MS - WEEK_MS)
    page = visit(place).open(
        "?metric=detections&interval=60&from=2024-05-01T08:00:00Z&to=2024-05-01T08:04:00Z&compare=week"
    )
    most = page.locator("#compare-area .compare-most tbody tr")
    cars = most.filter(has_text="car").first
    cars.click()
    dialog = page.locator("#lightbox")
    figures = dialog.locator("figure")
    expect(figures.locator(".picture.loaded")).to_have_count(2)
    expect(figures.nth(0)).to_contain_text("1 May 2024")
    expect(figures.nth(1)).to_contain_text("24 Apr 2024")
    assert figures.nth(0).locator(".box").count() > 0
    assert figures.nth(1).locator(".box").count() == 0  # without a car, and yet the bar has a frame
    expect(figures.nth(1).locator("figcaption")).to_have_text("a week earlier: car \u00d7 0")
    figures.nth(1).locator("button").click()
    expect(dialog.locator(".lightbox-stage")).to_be_visible()
    expect(dialog.locator("h2")).to_have_text("a week earlier: car \u00d7 0")
    page.keyboard.press("ArrowLeft")
    expect(dialog.locator("h2")).to_contain_text("Here: car \u00d7")
    page.keyboard.press("Escape")
    expect(figures).to_have_count(2)  # back to both
    dialog.get_by_role("button", name="All frames behind this bar").click()
    expect(page.locator(".proof")).to_be_visible()
    expect(page).to_have_url(re.compile("at=2024-05-01T08:0"))


@pytest.mark.thorough
def test_unavailable_pictures_are_reported_and_requested_again(place: Place, visit: Visits) -> None:
    place.film({"car": 5}, intervals=4, interval_s=60)
    place.film({"car": 2}, intervals=4, interval_s=60, start_ms=START_MS - WEEK_MS)
    page = visit(place).open(
        "?metric=detections&interval=60&from=2024-05-01T08:00:00Z&to=2024-05-01T08:04:00Z&compare=week"
    )
    most = page.locator("#compare-area .compare-most tbody tr")
    expect(most.first).to_be_visible()
    page.route("**/api/v1/frames?*", lambda route: route.abort())
    most.first.click()
    dialog = page.locator("#lightbox")
    expect(dialog).to_contain_text("The pictures cannot be shown. The server is not responding.")
    page.unroute("**/api/v1/frames?*")
    dialog.get_by_role("button", name="Try again").click()
    expect(dialog.locator(".picture.loaded")).to_have_count(2)


@pytest.mark.thorough
def test_nothing_is_compared_if_no_interval_was_filmed_on_both_sides(place: Place, visit: Visits) -> None:
    publish(place, records(START_MS, [4, None, 5]), records(START_MS - WEEK_MS, [None, 3, None]))
    page = visit(place).open(
        "?metric=detections&interval=60&from=2024-05-01T08:00:00Z&to=2024-05-01T08:03:00Z&compare=week"
    )
    area = page.locator("#compare-area")
    expect(area).to_contain_text(
        "No interval was filmed on both sides. Intervals filmed on only one side (2 only here, 1 only there)"
    )
    expect(area.locator("table")).to_have_count(0)
