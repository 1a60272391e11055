"""The desk in Chromium: by keyboard alone, killed and resumed, by two people, and within their rights."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from tests.accounts.people import PASSWORD, give_accounts
from tests.kit.clips import jpeg_of
from tests.videos.killed_server import KilledServer
from tests.web.browser import Page, Visit, Visits, expect
from tests.web.conftest import Place
from tests.web.counted_footage import START_MS, make_lines, publish_lines

from frametally.adapters_by_url import open_object_store
from frametally_accounts.audit.book import AuditBook
from frametally_accuracy.certificates import read_certificate

pytestmark = pytest.mark.thorough

FRAMES = 120
READY = "#accuracy-page[data-state=ready]"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture
def filmed(place: Place) -> Place:
    place.store = open_object_store(place.settings.store_url)
    lines = make_lines("gate", frames=FRAMES)
    publish_lines(place, lines)
    plain = np.full((lines[0].height_px, lines[0].width_px, 3), 120, np.uint8)
    jpeg = jpeg_of(plain)
    for line in lines:
        place.store.put(line.image_path, jpeg)
    return place


@pytest.fixture
def right() -> dict[int, dict[str, int]]:
    """The truth in each frame, by its time: one more car in every fourth frame than the model counts."""
    truths = {}
    for number, line in enumerate(make_lines("gate", frames=FRAMES)):
        labels = [one.label for one in line.detections if one.confidence >= 0.25]
        truths[line.captured_at_ms] = {
            "car": labels.count("car") + (number % 4 == 0),
            "bus": labels.count("bus"),
        }
    return truths


class Keyboard:
    """A person who uses only the keyboard, knows the truth in each frame, and counts the key presses."""

    def __init__(self, page: Page, certificate: dict[str, Any], right: dict[int, dict[str, int]]) -> None:
        self.page, self.keys = page, 0
        self.right = {one["number"]: right[one["captured_at_ms"]] for one in certificate["units"]}

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)
        self.keys += 1

    def check(self) -> str:
        """Correct the displayed frame, go on, and return its number."""
        name = str(self.page.locator("#stage[data-unit]").get_attribute("data-unit"))
        for key, label in enumerate(("bus", "car"), 1):
            shown = int(self.page.locator(f"output[data-label={label}]").inner_text())
            for _ in range(self.right[int(name.split("/")[0])][label] - shown):
                self.press(str(key))
        self.press("Enter")
        return name


def start(window: Visit, **wanted: Any) -> str:
    """Start a check by the form, by keyboard, and return its id."""
    page = window.open("accuracy", READY)
    page.locator("#start-name").focus()
    page.keyboard.type(wanted.get("name", "gate"))
    page.keyboard.press("Enter")
    expect(page.locator("#start-plan")).to_contain_text("Enough for ±10%")
    expect(page.locator("#start-plan p > #begin:only-child")).to_be_focused()
    expect(page.locator("#checks .checks-table")).to_contain_text(wanted.get("name", "gate"))
    expect(page.locator("#start-button")).to_be_enabled()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("check="))
    page.locator(READY).wait_for()
    return str(re.search("check=([0-9a-f]+)", page.url)[1])


def certificate_of(window: Visit, check: str) -> dict[str, Any]:
    return window.context.request.get(f"{window.url}/api/v1/accuracy/{check}/certificate").json()


def is_all_sent(page: Page) -> None:
    """Wait until the server has every answer."""
    expect(page.locator("#desk-view:not([data-waiting])")).to_be_visible()


def test_thirty_frames_can_be_answered_with_the_keyboard_only(
    filmed: Place, visit: Visits, right: dict[int, dict[str, int]], axe: str
) -> None:
    window = visit(filmed)
    check = start(window)
    page = window.page
    page.evaluate(
        """() => {
          window.isAskedBefore = [];
          addEventListener("keydown", ({key}) => {
            if (key !== "Enter") return;
            const begin = performance.now();
            const seen = () => {
              const picture = document.querySelector("#stage img");
              if (!picture?.complete || !picture.naturalWidth) requestAnimationFrame(seen);
              else {
                const [asked] = performance.getEntriesByName(picture.currentSrc);
                window.isAskedBefore.push(asked.startTime < begin);
              }
            };
            requestAnimationFrame(seen);
          }, {capture: true});
        }"""
    )
    assert "total" not in page.locator("#desk-view").inner_text().lower(), "nobody is led"
    page.evaluate(axe)
    for_all = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
    assert [one["id"] for one in for_all["violations"]] == []
    by_key = Keyboard(page, certificate_of(window, check), right)
    seen = [by_key.check() for _ in range(30)]
    is_all_sent(page)
    assert any(name.endswith("/1") for name in seen), "every tenth frame comes again"
    assert by_key.keys <= 3 * 30, by_key.keys
    given = certificate_of(window, check)["answers"]
    assert len(given) == 30
    assert all(one["counts"] == by_key.right[one["unit"]] for one in given)
    flags = page.evaluate("window.isAskedBefore")
    assert sum(flags) > len(flags) / 2, (
        "pictures are asked for before the key; this test types faster than people"
    )


def test_a_box_can_be_drawn_named_and_removed_and_a_frame_corrected_again(
    filmed: Place, visit: Visits
) -> None:
    window = visit(filmed)
    check = start(window)
    page = window.page
    area = page.locator("#stage").bounding_box()
    assert area is not None
    bus = page.locator("output[data-label=bus]")
    before = int(bus.inner_text())
    x, y = area["x"] + area["width"] * 0.6, area["y"] + area["height"] * 0.6
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 40, steps=3)
    page.mouse.up()
    assert int(bus.inner_text()) == before + 1
    page.keyboard.press("2")
    assert int(bus.inner_text()) == before, "the box that was drawn is a car now"
    page.keyboard.press("x")
    page.keyboard.press("1")
    assert int(bus.inner_text()) == before + 1
    page.keyboard.press("Enter")
    is_all_sent(page)
    page.keyboard.press("Backspace")
    page.keyboard.press("x")
    page.keyboard.press("Enter")
    is_all_sent(page)
    given = certificate_of(window, check)["answers"]
    assert len(given) == 1, "one who corrects their own answer has one still"
    assert given[0]["counts"]["bus"] == before
    assert given[0]["boxes"] is not None


def test_a_check_continues_after_a_kill_of_server_and_browser(
    filmed: Place, visit: Visits, right: dict[int, dict[str, int]]
) -> None:
    server = KilledServer(filmed.settings.data_dir)
    try:
        server.start()
        window = visit(None, url=server.url)
        check = start(window)
        page = window.page
        by_key = Keyboard(page, certificate_of(window, check), right)
        seen = [by_key.check() for _ in range(8)]
        is_all_sent(page)
        server.kill()
        seen.append(by_key.check())
        expect(page.locator("#notice")).to_contain_text("kept in this browser")
        state = window.context.storage_state()
        window.context.close()
        server.start()
        again = visit(None, url=server.url, storage_state=state)
        page = again.open(f"accuracy?check={check}&view=desk", READY)
        is_all_sent(page)
        assert len(certificate_of(again, check)["answers"]) == 9
        by_key.page = page
        seen += [by_key.check() for _ in range(3)]
        is_all_sent(page)
        given = certificate_of(again, check)["answers"]
        assert sorted(f"{one['unit']}/{one['turn']}" for one in given) == sorted(seen)
        for one in (window, again):
            one.complaints.clear()  # the browser's own message about a server that is unavailable
    finally:
        server.kill()


def test_a_window_explains_why_its_answers_wait_and_saves_them_once_the_other_window_is_closed(
    filmed: Place, visit: Visits, right: dict[int, dict[str, int]]
) -> None:
    window = visit(filmed)
    check = start(window)
    held = window.page.locator("#stage[data-unit]").get_attribute("data-unit")
    other = window.context.new_page()
    other.goto(f"{window.url}/accuracy?check={check}&view=desk")
    other.locator(READY).wait_for()
    by_key = Keyboard(other, certificate_of(window, check), right)
    seen = [by_key.check() for _ in range(12)]
    assert held not in seen
    expect(other.locator("#desk-progress")).to_contain_text("answers are not in the estimate yet")
    window.page.goto("about:blank")
    seen = [by_key.check() for _ in range(12)]
    assert held in seen
    expect(other.locator("#desk-progress")).not_to_contain_text("not in the estimate")


@pytest.mark.parametrize(
    ("status", "words", "kept"), [(404, "kept in this browser", 2), (400, "You will see its frame again", 1)]
)
def test_an_answer_that_the_server_refuses_waits_or_its_frame_comes_again(
    filmed: Place, visit: Visits, right: dict[int, dict[str, int]], status: int, words: str, kept: int
) -> None:
    window = visit(filmed)
    check = start(window)
    page, url = window.page, "**/api/v1/accuracy/*/answers"
    by_key = Keyboard(page, certificate_of(window, check), right)
    page.route(url, lambda route: route.fulfill(status=status, json={"detail": "No.", "remedy": ""}))
    refused = by_key.check()
    expect(page.locator("#notice")).to_contain_text(words)
    page.unroute(url)
    by_key.check()
    is_all_sent(page)
    assert len(certificate_of(window, check)["answers"]) == kept
    if status == 400:
        assert refused in [by_key.check() for _ in range(8)]
    window.complaints.clear()  # the browser's own message about the refusal


def test_only_a_frame_whose_picture_is_deleted_is_named_and_skipped(
    filmed: Place,
    visit: Visits,
    right: dict[int, dict[str, int]],
    axe: str,
    picture: Callable[[Page, str], None],
) -> None:
    window = visit(filmed)
    check = start(window)
    units = certificate_of(window, check)["units"]
    filmed.store.delete(units[0]["image_path"])
    is_away = True
    window.page.route(
        re.compile(r"/frames/image\?.*" + re.escape(units[1]["image_path"].rpartition("/")[2])),
        lambda route: route.abort() if is_away else route.continue_(),
    )
    page = window.open(f"accuracy?check={check}&view=desk", READY)
    expect(page.locator("#stage")).to_contain_text("gate: a picture is missing")
    title = page.locator("#desk-title").inner_text()
    page.evaluate(axe)
    assert page.evaluate("rules => axe.run({runOnly: rules})", RULES)["violations"] == []
    picture(page, "desk-missing")
    page.keyboard.press("Enter")
    expect(page.locator("#desk-title")).not_to_have_text(title)
    expect(page.locator("#stage")).to_contain_text("gate: a picture is missing")
    is_away = False
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("has the pictures of unit 1")
    by_key = Keyboard(page, certificate_of(window, check), right)
    assert "1/0" in [by_key.check() for _ in range(8)], "nobody skips what can be checked"
    is_all_sent(page)
    page = window.open(f"accuracy?check={check}&view=desk", READY)
    expect(page.locator("#desk-progress")).to_contain_text("1 cannot be checked because a picture is missing")
    page = window.open(f"accuracy?check={check}&view=result", READY)
    expect(page.locator("#result-view")).to_contain_text("1 cannot be checked because a picture is missing")
    window.complaints.clear()  # the browser's own message about the picture


def test_the_page_says_what_to_do_where_nothing_is_counted(place: Place, visit: Visits) -> None:
    page = visit(place).open("accuracy", READY)
    expect(page.locator("#nothing")).to_contain_text("Your checks appear here")
    expect(page.locator("#start-card")).to_be_hidden()


def test_two_people_share_a_sample_and_a_viewer_sees_it(
    filmed: Place, visit: Visits, right: dict[int, dict[str, int]], serving: Callable[..., str]
) -> None:
    give_accounts(filmed)
    url = serving(filmed.app())
    clara, runa, lukas = (sign_in(visit(None, url=url), name) for name in ("clara", "runa", "lukas"))
    check = start(clara)
    runa.open(f"accuracy?check={check}&view=desk", READY)
    people = [Keyboard(one.page, certificate_of(clara, check), right) for one in (clara, runa)]
    seen = [one.check() for _ in range(14) for one in people]
    for one in people:
        is_all_sent(one.page)
    assert len(set(seen)) == len(seen), "nobody gets a frame that the other has"
    result = clara.open(f"accuracy?check={check}&view=result", READY)
    expect(result.locator("#result-view")).to_contain_text("by clara, runa")
    expect(result.locator("#agreement")).to_contain_text("Shown twice")
    page = lukas.open("accuracy", READY)
    expect(page.locator(".checks-table")).to_contain_text("gate")
    expect(page.locator("#start-card")).to_be_hidden()
    expect(page.locator("#no-start")).to_be_visible()
    page = lukas.open(f"accuracy?check={check}&view=result", READY)
    expect(page.locator("table.labels")).to_contain_text("car")
    page = lukas.open(f"accuracy?check={check}&view=desk", "#accuracy-page[data-state=failed]")
    expect(page.locator("#notice")).to_contain_text("cannot be shown")
    with closing(AuditBook(filmed.catalogue.url)) as book:
        done = [(one.entry.who, one.entry.what) for one in book.changes(100)[0]]
    assert done.count(("clara", "POST /api/accuracy")) == 1
    assert done.count(("runa", "POST /api/accuracy/{}/answers")) == 14


def sign_in(window: Visit, name: str) -> Visit:
    page = window.page
    page.goto(f"{window.url}/sign-in")
    page.locator("#name").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("#dashboard").wait_for()
    return window


def test_a_result_and_its_certificate_show_their_basis_and_whether_they_are_stale(
    filmed: Place, visit: Visits, right: dict[int, dict[str, int]], axe: str
) -> None:
    window = visit(filmed)
    wanted = {"name": "later", "to_ms": START_MS + 10**8}
    later = window.context.request.post(f"{window.url}/api/v1/accuracy", data=wanted).json()["id"]
    check = start(window)
    by_key = Keyboard(window.page, certificate_of(window, check), right)
    for _ in range(70):
        by_key.check()
    is_all_sent(window.page)
    page = window.open(f"accuracy?check={check}&view=result", READY)
    row = page.locator("table.labels tbody tr", has_text="car")
    expect(row).to_contain_text("±")
    expect(row).to_contain_text("the detector errs in one direction")
    expect(page.locator("table.labels tbody tr", has_text="bus")).to_contain_text("too few to say")
    expect(page.locator("#result-view")).to_contain_text("anytime-valid")
    page.locator("#to-certificate").click()
    page.locator(READY).wait_for()
    expect(page.locator(".certificate")).to_contain_text("frametally accuracy verify")
    page.evaluate(axe)
    assert page.evaluate("rules => axe.run({runOnly: rules})", RULES)["violations"] == []
    with page.expect_download() as download:
        page.locator("#download").click()
    assert download.value.suggested_filename == f"accuracy-{check}.json"
    signed = download.value.path().read_bytes()
    signature = read_certificate(signed).signature
    assert json.loads(signed)["check"]["id"] == check
    expect(page.locator(".certificate")).to_contain_text(signature[:16])
    german = visit(filmed, url=window.url, locale="de-DE").open(f"accuracy?check={check}&view=result", READY)
    expect(german.locator("#result-view")).to_contain_text("Gezählt sind Erkennungen des Modells")
    publish_lines(filmed, make_lines("gate", frames=FRAMES))
    publish_lines(filmed, make_lines("gate", frames=FRAMES + 20))
    page = window.open(f"accuracy?check={later}&view=result", READY)
    expect(page.locator("#stale")).to_contain_text("This check is stale")
    expect(page.locator("#to-certificate")).to_have_count(0)
