"""Ten typical questions, answered from the start page in six clicks, and by keyboard alone.

A key that somebody with a mouse presses, or a range that is drawn, is a click, too; what is chosen in a list
that drops down takes two. The other ten tasks stand in tests/together/test_ten_more_tasks_in_browser.py.
`make pictures` takes the pictures that docs/using-the-dashboard.md shows.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.web import city
from tests.web.browser import Locator, Place, Visits, expect
from tests.web.fixtures import SCREENSHOTS
from tests.web.hands import HANDS, MOST_CLICKS, KeyboardHand, MouseHand

openpyxl = pytest.importorskip("openpyxl", reason="needs openpyxl (a development dependency)")

if TYPE_CHECKING:
    from frametally_models.files import ModelFiles

# The first of them builds and detects the city; the machine may be busy.
pytestmark = [pytest.mark.timeout(900), pytest.mark.thorough]

_READY = "#dashboard[data-state=ready][aria-busy=false], #books-page[data-state=ready]"
PAPER_PX = (703, 1031)  # A4 without its margins
DESK = {"width": 1280, "height": 860}


def choose_day(hand: MouseHand, name: str) -> None:
    """Choose a day of the calendar."""
    hand.click(hand.page.locator("#range-chip"))
    hand.click(button(hand, re.compile(f"^{name} .*, footage")))
    hand.click(hand.page.locator("#range-panel").get_by_role("button", name="Show", exact=True))


def button(hand: MouseHand, name: str | re.Pattern[str]) -> Locator:
    """A button of the page."""
    return hand.page.get_by_role("button", name=name)


@pytest.fixture(scope="module")
def the_city(
    traffic_clip: Path,
    model_files: ModelFiles,
    make_place: Callable[[Path], Place],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    place = make_place(tmp_path_factory.mktemp("city"))
    city.build_city(place, traffic_clip, city.prepare_models(model_files.cfg.parent))
    yield place
    place.close()


@pytest.fixture(params=HANDS)
def hand(request: pytest.FixtureRequest, the_city: Place, visit: Visits) -> Iterator[MouseHand]:
    """Begins at the start page, and checks the number of clicks at the end."""
    window = visit(the_city, viewport=DESK, reduced_motion="no-preference")
    window.page.clock.set_fixed_time(city.NOW)
    window.open()
    made = HANDS[request.param](window, _READY)
    yield made
    assert made.clicks <= MOST_CLICKS
    assert (made.clicks > 0) == (request.param == "mouse")


@pytest.fixture
def photograph(hand: MouseHand) -> Callable[..., None]:
    """Saves a picture of the mouse's result, for the manual."""
    folder = SCREENSHOTS / "tasks"
    folder.mkdir(parents=True, exist_ok=True)

    def take(name: str, *, top: str = "body") -> None:
        if isinstance(hand, KeyboardHand):
            return
        # Below the head, which stays.
        hand.page.locator(top).evaluate(
            """(one) => scrollTo(0, scrollY + one.getBoundingClientRect().top
                 - document.querySelector("header").offsetHeight - 12)"""
        )
        hand.page.wait_for_function(
            """() => [...document.images].every(
                 (one) => one.complete || one.getBoundingClientRect().top > innerHeight)"""
        )
        hand.page.screenshot(
            path=folder / f"{name}.jpg", type="jpeg", quality=78, animations="disabled", caret="hide"
        )

    return take


def test_when_was_it_busiest_for_trucks_last_week_by_the_quarter_hour(
    hand: MouseHand, photograph: Callable[..., None]
) -> None:
    page = hand.page
    hand.click(page.locator("#legend").get_by_role("button", name=re.compile("^truck")))
    hand.click(page.locator("#range-chip"))
    hand.click(button(hand, "Last week"))
    hand.click(
        page.get_by_role("group", name="Length of the intervals").get_by_role("button", name="15 mins")
    )
    answer = hand.window.headline
    expect(answer).to_contain_text(re.compile(r"busiest \w+ 1[6-9] Nov, \d\d:(00|15|30|45)"))
    hand.click(answer.get_by_role("button", name="show the frames"))
    expect(page.locator(".proof-stage .picture.loaded")).to_be_visible()
    expect(page.locator("#frames-subtitle")).to_contain_text("mean per frame")
    photograph("busiest", top="#answer")


def test_was_monday_busier_than_the_monday_before(hand: MouseHand, photograph: Callable[..., None]) -> None:
    choose_day(hand, "Mon 16")
    answer = hand.window.fact("week")
    expect(answer.locator(".value")).to_have_text(re.compile(r"^[+\u2212-]?\d+%$"))
    expect(answer).to_contain_text("9 Nov 2026")
    hand.click(answer.get_by_role("button"))
    expect(hand.page.locator("#compare-area tbody tr").first).to_be_visible()
    photograph("mondays")


def test_how_many_different_cars_came_by_from_eight_to_nine_and_how_sure_is_that(
    hand: MouseHand, photograph: Callable[..., None]
) -> None:
    page = hand.page
    hand.click(page.locator("#legend").get_by_role("button", name=re.compile("^car")))
    hand.click(page.locator("#sources .multiples").get_by_role("button", name=re.compile("^Market Square")))
    expect(hand.window.headline).to_contain_text(re.compile(r"^\d{3} cars"))
    expect(hand.window.fact("filmed")).to_have_text("8 mins filmed (15% of 55 mins)")
    expect(page.locator("#chart-subtitle")).to_contain_text("18 Nov 2026, 08:")
    hand.click(page.locator("#how-sure summary"))
    expect(page.locator("#how-sure")).to_contain_text("too low")
    photograph("how-many")


def test_the_current_view_is_exported_to_excel(hand: MouseHand, photograph: Callable[..., None]) -> None:
    page = hand.page
    hand.click(page.locator("#export summary"))
    photograph("export", top="#answer")
    with page.expect_download() as coming:
        hand.click(page.locator("#export-xlsx"))
    book = openpyxl.load_workbook(io.BytesIO(Path(coming.value.path()).read_bytes()))
    rows = list(book.worksheets[0].iter_rows(values_only=True))
    assert {"start_local", "source_name", "label", "mean_per_frame"} <= set(rows[0])
    assert len(rows) > 100


def test_a_link_shows_somebody_else_the_same_view(
    hand: MouseHand, the_city: Place, visit: Visits, photograph: Callable[..., None]
) -> None:
    photograph("start")
    hand.window.context.grant_permissions(["clipboard-read", "clipboard-write"])
    hand.click(hand.page.locator("#legend").get_by_role("button", name=re.compile("^truck")))
    expect(hand.page).to_have_url(re.compile("label=truck"))
    hand.window.settled()
    hand.click(button(hand, "Copy link"))
    link = hand.page.evaluate("navigator.clipboard.readText()")
    photograph("link", top="#answer")
    other = visit(None, url=hand.window.url)
    other.open(link.removeprefix(hand.window.url).removeprefix("/"))
    assert list(other.chart_values()) == ["truck"]
    assert other.chart_values() == hand.window.chart_values()


def test_why_is_there_a_gap_on_monday_at_two(hand: MouseHand, photograph: Callable[..., None]) -> None:
    page = hand.page
    choose_day(hand, "Mon 16")
    lane = page.locator(".lane", has=page.locator(".lane-name:text-is('Station Road')"))
    hand.open_hole(lane)
    panel = page.locator("#gap-panel")
    expect(panel).to_contain_text("Nothing was produced")
    expect(panel.locator("h3")).to_have_text(re.compile("^No footage, 16 Nov 2026, 1[34]:"))
    expect(panel).to_contain_text(re.compile("Last frame before.*13:54:00.700"))
    expect(panel).to_contain_text(re.compile("First frame after.*14:42:00.700"))
    photograph("hole", top="#lanes")


def test_is_everything_counted_up_to_now(hand: MouseHand, photograph: Callable[..., None]) -> None:
    page = hand.page
    expect(page.locator("#health-strip")).to_have_attribute(
        "title", re.compile("footage up to 19 Nov 2026, 23:5.*counted 4 mins? ago")
    )
    by_keyboard = page.locator("#pages").get_by_role("link", name="Health")  # the strip's target as well
    hand.click(by_keyboard if isinstance(hand, KeyboardHand) else page.locator("#health-strip"))
    expect(page.locator("#verdict")).to_contain_text("Every frame is accounted for")
    row = page.locator("#books tbody tr", has_text="Station Road")
    expect(row).to_contain_text("settled")
    photograph("books")


def test_where_do_two_models_differ(hand: MouseHand, photograph: Callable[..., None]) -> None:
    page = hand.page
    hand.click(page.locator("#more-chip"))
    other = page.locator("#compare option[value^='model:']").get_attribute("value")
    assert other is not None
    hand.choose(page.locator("#compare"), other)
    hand.press("Escape")
    most = page.locator("#compare-area .compare-most tbody tr")
    expect(most.first).to_be_visible()
    hand.click(most.first.get_by_role("button"))
    figures = page.locator("#lightbox figure")
    expect(figures).to_have_count(2)
    expect(figures.locator(".picture.loaded")).to_have_count(2)
    assert figures.nth(0).locator(".box").count() != figures.nth(1).locator(".box").count()
    photograph("two-models")


def test_five_minutes_are_inspected_frame_by_frame(hand: MouseHand, photograph: Callable[..., None]) -> None:
    page = hand.page
    hand.click(page.locator("#sources .multiples").get_by_role("button", name=re.compile("^Market Square")))
    expect(page.locator("#chart-subtitle")).to_contain_text("08:02")
    hand.draw_range(0.35, 0.44)  # of 55 minutes
    expect(page.locator("#unzoom")).to_be_visible()
    expect(page.locator("#chart-subtitle")).to_contain_text(
        re.compile("08:2[0-2].*08:2[5-7].*intervals of 1 sec")
    )
    hand.click(hand.window.tile("Mean per frame"))
    expect(page.locator("#chart-title")).to_contain_text("Mean per frame")
    hand.open_moment(0.25)
    stands = page.locator(".proof-viewer")
    expect(stands).to_contain_text("No. 1 of 5,")
    hand.press("ArrowRight")
    expect(stands).to_contain_text("No. 2 of 5,")
    hand.press("ArrowRight")
    expect(stands).to_contain_text("No. 3 of 5,")
    photograph("frame-by-frame", top="#answer")


def test_the_current_view_is_printed(hand: MouseHand, photograph: Callable[..., None]) -> None:
    page = hand.page
    choose_day(hand, "Wed 18")
    hand.press("Control+P")  # which pages do not learn about
    page.emulate_media(media="print")
    page.set_viewport_size({"width": PAPER_PX[0], "height": PAPER_PX[1]})
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator("#question")).to_contain_text("18 Nov 2026")
    expect(page.locator("#context")).to_be_hidden()
    assert page.pdf(format="A4", print_background=True).startswith(b"%PDF")
    photograph("print")
