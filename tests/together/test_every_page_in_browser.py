"""Each page with something on it: small at first load, whole on paper, and open to all in light and dark.

A first load costs a phone 120 kB and 16 requests at most, with nothing cached. In a wide window so do all but
pictures, of which more are in view there.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.together.every_page import EVERY_PAGE, fill_every_page, signed_in
from tests.together.test_axe_in_browser import RULES
from tests.web.browser import Browser, Page, Place, Visit, Visits
from tests.web.printed_text import words_of

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(600)]


MOST_KILOBYTES = 122
MOST_REQUESTS = 16
SCREENS = {"phone": {"width": 390, "height": 844}, "wide": {"width": 1280, "height": 900}}
TABLET = {"width": 820, "height": 1180}
ON_SCREEN_ALONE = {"editor", "live", "embed", "password", "sessions", "sign-in", "no page"}
"""Pages without a table: printing them answers no question."""
PAPER_PX = 703
"""The width of A4 between its margins."""
NOT_ON_PAPER = {"a video": {"Videos"}, "accuracy": {"check"}}
"""Words of headings of parts that are not printed, such as a form."""
# Text of tables and headings, in printed pieces; buttons are only for the screen.
WORDS = """() => {
  const main = document.querySelector("main");
  for (const one of main.querySelectorAll(".card")) one.style.contentVisibility = "visible";
  const taken = [];
  const apart = "dialog, .acts, .visually-hidden, details:not([open])";
  for (const one of main.querySelectorAll("h1, h2, th, td")) {
    if (!one.checkVisibility() || one.closest(apart)) continue;
    const texts = document.createTreeWalker(one, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const { parentElement, data } = texts.currentNode;
      if (!parentElement.closest(".button, select, .visually-hidden, svg")) taken.push(data);
    }
  }
  return taken.join(" ");
}"""
PICTURE = re.compile(r"/(?:frames/image|poster)\?")


@pytest.fixture(scope="module")
def whole(make_place: Callable[[Path], Place], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = make_place(tmp_path_factory.mktemp("whole"))
    fill_every_page(place)
    yield place
    place.close()


class Traffic:
    """The responses that a window has received, by request: a polled address counts once."""

    def __init__(self, window: Visit) -> None:
        network = window.context.new_cdp_session(window.page)
        network.send("Network.enable")
        self.addresses: dict[str, str] = {}
        self.received: dict[str, float] = {}
        self._pending: set[str] = set()
        network.on("Network.requestWillBeSent", self._begin)
        network.on("Network.dataReceived", self._note)
        network.on("Network.loadingFinished", self._finish)

    def _begin(self, event: dict[str, Any]) -> None:
        self.addresses[event["requestId"]] = event["request"]["url"]

    def _note(self, event: dict[str, Any]) -> None:
        number = event["requestId"]
        self.received[number] = self.received.get(number, 0) + event["encodedDataLength"]

    def _finish(self, event: dict[str, Any]) -> None:
        self.received[event["requestId"]] = event["encodedDataLength"]

    def by_address(self) -> dict[str, float]:
        """Kilobytes of the first answer of each address."""
        sizes: dict[str, float] = {}
        for number, address in self.addresses.items():
            if not address.startswith(("data:", "blob:")):
                sizes.setdefault(address, self.received.get(number, 0) / 1000)
        return sizes


@pytest.fixture(scope="module")
def site(whole: Place) -> Iterator[str]:
    from frametally_web.serving import DashboardServer

    server = DashboardServer(whole.app(), host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield server.url
    server.stop()
    thread.join()


@pytest.fixture(scope="module")
def cookies(site: str, browser: Browser) -> dict[str, object]:
    return signed_in(browser, site)


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("name", EVERY_PAGE)
def test_the_first_load_of_a_page_is_small_and_it_fits_its_window(
    site: str,
    cookies: dict[str, object],
    visit: Visits,
    picture: Callable[[Page, str], None],
    name: str,
    screen: str,
) -> None:
    query, ready = EVERY_PAGE[name]
    state = None if name == "sign-in" else cookies
    window = visit(None, url=site, viewport=SCREENS[screen], storage_state=state)
    traffic = Traffic(window)
    page = window.open(query, wait_for=ready)
    page.wait_for_timeout(700)  # pictures load after the answers
    window.complaints.clear()  # of a missing page
    sizes = traffic.by_address()
    if screen == "wide":
        sizes = {address: size for address, size in sizes.items() if not PICTURE.search(address)}
    told = "\n".join(f"{size:7.1f} kB {address}" for address, size in sizes.items())
    assert sum(sizes.values()) <= MOST_KILOBYTES, told
    assert len(sizes) <= MOST_REQUESTS, told
    for shown, size in (("tablet", TABLET), (screen, SCREENS[screen])):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.locator(ready).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], shown
    picture(page, f"every-{name.replace(' ', '-')}-{screen}")


@pytest.mark.parametrize("name", [name for name in EVERY_PAGE if name not in ON_SCREEN_ALONE])
def test_every_word_of_a_pages_tables_and_headings_is_printed(
    site: str, cookies: dict[str, object], visit: Visits, name: str
) -> None:
    query, ready = EVERY_PAGE[name]
    page = visit(None, url=site, storage_state=cookies).open(query, wait_for=ready)
    shown = Counter(unicodedata.normalize("NFKC", page.evaluate(WORDS)).split())
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    printed = [one.text for one in words_of(page.pdf(format="A4"))]
    page.set_viewport_size({"width": PAPER_PX, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER_PX, "nothing is cut at the edge"
    assert page.locator("main :is(.button, .segmented, .field, .no-print):visible").count() == 0
    missing = shown - Counter(" ".join(printed).split())
    whole = "".join("".join(printed).split())  # a long name is broken between lines
    assert shown, "there are tables or headings"
    assert {word for word in missing if word not in whole} <= NOT_ON_PAPER.get(name, set())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["accounts", "password", "sessions", "sign-in"])
def test_axe_finds_nothing_on_the_pages_of_accounts(
    site: str, cookies: dict[str, object], visit: Visits, axe: str, name: str, scheme: str
) -> None:
    query, ready = EVERY_PAGE[name]
    state = None if name == "sign-in" else cookies
    window = visit(None, url=site, storage_state=state, color_scheme=scheme)
    page = window.open(query, wait_for=ready)
    window.context.new_cdp_session(page).send("Runtime.evaluate", {"expression": axe})
    for screen in SCREENS.values():
        page.set_viewport_size(screen)  # type: ignore[arg-type]
        violations = page.evaluate("async (rules) => (await axe.run({ runOnly: rules })).violations", RULES)
        found = [(one["id"], node["html"][:160]) for one in violations for node in one["nodes"]]
        assert found == []
        assert page.evaluate("document.documentElement.scrollWidth") <= screen["width"]
