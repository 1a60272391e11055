"""Charts are signed by the API and by a button on Data & API, as `frametally embed` signs them."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from tests.accounts.people import KEPT, PASSWORD, Asks, asking_as
from tests.accounts.test_signed_charts import SITE, people, url
from tests.web.conftest import MODEL, Place, Visit
from tests.web.test_other_sites import OtherSite, other_site

from frametally_accounts.audit.book import AuditBook
from frametally_accounts.embeds.signed_selection import read_chart
from frametally_accounts.rights import UserAccount

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["other_site", "people", "url"]

WANTED: dict[str, Any] = {"sites": [SITE], "days": 7}
QUERY = (
    "label=car&source=junction-east&from=2024-05-01T08:00:00Z&to=2024-05-01T08:00:30Z&interval=5"
    "&timezone=Europe/Berlin&hours=10:00-11:00&weekdays=1,2,3"
)


def sign(ask: Asks, query: str = QUERY, **wanted: Any) -> Any:
    body = json.dumps({**WANTED, **wanted})
    return ask("POST", f"/api/v1/embeds?{query}", body, Content_Type="application/json")


def query_of(code: str) -> str:
    found = re.fullmatch('<iframe src="[^"?]+/embed[?]([^"]+)" title="Counts" .*></iframe>', code)
    return html.unescape(found[1])


@pytest.mark.thorough
def test_a_signed_chart_needs_no_sign_in_until_it_expires_and_is_in_the_audit_log(
    people: Place, url: str
) -> None:
    with asking_as(url, "runa") as ask:
        answer = sign(ask)
    assert answer.status == 200
    signed = query_of(answer.json["code"])
    chart = read_chart(signed, people.access.signing_key())
    assert list(chart.sites) == [SITE]
    assert chart.ends_at_ms - chart.made_at_ms == 7 * 86_400_000
    assert answer.json["ends_at_ms"] == chart.ends_at_ms
    assert dict(chart.selection) == {
        "label": "car",
        "source": "junction-east",
        "from": "1714550400000",
        "to": "1714550430000",
        "hours": "10:00-11:00",
        "weekdays": "1,2,3",
        "timezone": "Europe/Berlin",
        "interval": "5",
        "metric": "mean_per_frame",
        "model": MODEL,
    }
    with asking_as(url, "") as ask:
        page = ask("GET", f"/embed?{signed}", Accept="text/html")
        assert f"frame-ancestors 'self' {SITE};" in page.headers["content-security-policy"]
        counts = f"/api/v1/counts?{signed.partition('&site=')[0]}&top=12"
        assert ask("GET", counts, Frametally_Chart=signed).json["labels"] == ["car"]
    with closing(AuditBook(people.settings.catalogue_url)) as book:
        changes, _ = book.changes(10)
    change = next(one.entry for one in changes if one.entry.what == "POST /api/embeds")
    assert (change.who, change.status) == ("runa", 200)
    assert f"sites={SITE}" in change.target
    assert "signature" not in change.target


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["", "lukas", "clara", "sara"])
def test_only_an_administrator_who_sees_all_sources_can_sign(people: Place, url: str, name: str) -> None:
    people.access.add_account(UserAccount("sara", "run", ("junction-east",)))
    people.access.set_password("sara", KEPT)
    with asking_as(url, name) as ask:
        refused = sign(ask)
    assert refused.status == (403 if name else 401)
    assert "code" not in refused.json


def test_where_nobody_signs_in_nothing_is_signed_and_the_plain_address_is_named(place: Place) -> None:
    place.film({"car": 6})
    client = place.app().test_client()
    refused = client.post("/api/v1/embeds?label=car", json=WANTED)
    assert refused.status_code == 409
    assert "/embed" in refused.json["remedy"]
    page = client.get("/data?label=car").text
    assert "&lt;iframe" in page
    assert 'id="signing"' not in page


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("query", "wanted", "told"),
    [
        (QUERY, {"sites": []}, "$.sites"),
        (QUERY, {"sites": ["intranet.example"]}, "is not an origin"),
        (QUERY, {"sites": [f"{SITE}; script-src *"]}, "is not an origin"),
        (QUERY, {"days": 0}, "$.days"),
        (QUERY, {"days": 367}, "$.days"),
        (QUERY, {"ends": 1}, "ends"),
        ("label=crab", {}, "crab"),
        ("source=nowhere", {}, "nowhere"),
        ("zone=none", {}, "none"),
        ("by=source", {}, "by"),
        ("interval=7", {}, "7"),
        (QUERY, {"sites": [f"https://{'a' * 200}.example"] * 50}, "too long"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_invalid_signing_request_is_refused_with_one_line(
    url: str, query: str, wanted: dict[str, Any], told: str
) -> None:
    with asking_as(url, "runa") as ask:
        refused = sign(ask, query, **wanted)
    assert refused.status == 400
    assert told in refused.json["detail"]
    assert refused.json["remedy"]


def log_in(page: Page, url: str, name: str, path: str) -> None:
    page.goto(f"{url}/sign-in?next={quote(f'/{path}')}")
    page.locator("#name").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/{path}")


@pytest.mark.thorough
@pytest.mark.parametrize("size", [(1280, 900), (360, 780)], ids=["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_button_signs_and_copies_a_chart_that_another_sites_page_shows(
    browser: Browser,
    visit: Callable[..., Visit],
    other_site: OtherSite,
    url: str,
    axe: str,
    picture: Callable[[Page, str], None],
    size: tuple[int, int],
    scheme: str,
) -> None:
    page = visit(
        None,
        url=url,
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        bypass_csp=True,
        permissions=["clipboard-read", "clipboard-write"],
    ).page
    log_in(page, url, "runa", "data?label=car&interval=5&timezone=Europe/Berlin&view=table")
    assert page.locator("#signed").is_hidden()
    page.locator("#sites").fill("intranet.example")
    page.keyboard.press("Enter")
    page.get_by_text("is not an origin").wait_for()
    page.locator("#sites").fill(f"{SITE}, {other_site.origin}")
    page.locator("#days").fill("7")
    page.get_by_role("button", name="Create a signed link").click()
    page.locator("#signed").wait_for()
    assert "It shows 1 May 2024, 10:00" in page.locator("#signed-words").inner_text()
    assert not page.locator("#signing-problem").is_visible()
    page.evaluate(axe)
    assert page.evaluate("axe.run().then((found) => found.violations.map((one) => one.id))") == []
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    picture(page, f"signed-chart-{size[0]}-{scheme}")
    page.locator("#signed button").click()
    page.get_by_role("button", name="Copied").wait_for()
    code = page.evaluate("navigator.clipboard.readText()")
    assert code.startswith(f'<iframe src="{url}/embed?')
    other_site.page = f"<!doctype html><title>Other</title>{code}"
    elsewhere = browser.new_page()  # no one has signed in there
    elsewhere.goto(other_site.origin)
    frame = elsewhere.frame_locator("iframe")
    frame.locator("#embed[data-state=ready]").wait_for()
    assert "car" in frame.locator("#legend").inner_text()
    elsewhere.close()


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["lukas", "clara"])
def test_people_who_cannot_sign_learn_who_can_and_see_no_button(
    visit: Callable[..., Visit], url: str, name: str
) -> None:
    page = visit(None, url=url).page
    log_in(page, url, name, "data")
    page.locator("#who-signs").wait_for()
    assert page.locator("#signing").count() == 0
    assert page.locator("#code-embed").count() == 0
