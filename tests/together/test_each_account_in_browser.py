"""Each account's pages in Chromium: no link and no request to anything that the account may not see."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from tests.accounts.people import KEPT, PASSWORD, give_accounts
from tests.traffic.zoned_footage import LEFT, draw
from tests.videos.test_video_in_browser import Stored
from tests.web.conftest import Place, Serving, Visit

from frametally_accounts.rights import Role, UserAccount

pytestmark = pytest.mark.thorough

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PARTLY: dict[str, Role] = {"peter": "look", "paula": "correct", "petra": "run"}
"""Users who see only one source, by role."""
PAGES = {"/", "/videos", "/live", "/lines", "/traffic", "/books", "/data", "/jobs", "/alerts", "/lines/edit"}
PAGES |= {"/accuracy", "/footage"}
FILES = {"/openapi.json"} | {f"/api/{name}.json" for name in ("openapi", "asyncapi", "postman")}
OPEN = {*FILES, "/api/docs", "/redoc", "/sign-in", "/sign-in/password", "/sign-in/sessions"}
RUN = {"/audit", "/accounts", "/data-protection", "/models", "/retention"}
OF_SOME = {"/", "/data", "/lines", "/traffic"}
PAGES_OF = {
    **{"lukas": PAGES - {"/lines/edit"}, "clara": PAGES, "runa": {*PAGES, *RUN}},
    **{"peter": OF_SOME, "paula": {*OF_SOME, "/lines/edit"}, "petra": {*OF_SOME, "/lines/edit"}},
}


@pytest.fixture
def url(place: Place, serving: Serving) -> str:
    Stored(place)
    draw(place, ("left side", LEFT))
    give_accounts(place)
    for name, role in PARTLY.items():
        assert place.access.add_account(UserAccount(name, role, ("gate",)))
        assert place.access.set_password(name, KEPT)
    return serving(place.app())


def links_of(page: Page) -> list[str]:
    """Targets on this server of the page's visible links."""
    found: list[str] = page.locator("a[href]:visible").evaluate_all("(all) => all.map((one) => one.href)")
    return [one.partition("#")[0] for one in found if urlsplit(one).netloc == urlsplit(page.url).netloc]


@pytest.mark.timeout(900)  # it opens up to twenty pages, on a busy machine
@pytest.mark.parametrize("name", PAGES_OF)
def test_an_account_sees_only_links_that_it_may_open_and_requests_nothing_else(
    browser: Browser, url: str, name: str
) -> None:
    visit = Visit(browser, url)
    page = visit.page
    refused: list[str] = []
    page.on("response", lambda one: refused.append(one.url) if one.status in (401, 403) else None)
    page.goto(f"{url}/sign-in")
    page.locator("#name").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("#dashboard[data-state=ready][aria-busy=false]").wait_for()
    opened: set[str] = set()
    left = deque([f"{url}/"])
    while left:
        address = left.popleft()
        path = urlsplit(address).path
        if path in opened:
            continue
        opened.add(path)
        if path in FILES or path.startswith("/api/v1/"):
            assert visit.context.request.get(address).status < 400, address
        else:
            page.goto(address)
            page.locator("main:not([data-state=loading]):not([aria-busy=true])").wait_for()
            page.wait_for_timeout(500)  # the page's requests after its first answers
            left.extend(links_of(page))
        assert refused == [], path
    assert {one for one in opened - OPEN if not one.startswith("/api/v1/")} == PAGES_OF[name]
    assert visit.complaints == []
    visit.context.close()
