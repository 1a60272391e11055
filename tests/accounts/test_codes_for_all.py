"""Where sign-ins need codes, people without one must set it up first; nothing less lets them in."""

from __future__ import annotations

import re
import time
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from tests.accounts.people import FORM, NAMES, PASSWORD, cookie_of, sign_in
from tests.web.conftest import Place, Serving, Visit
from tests.web.raw_client import Client

from frametally_accounts.audit.book import AuditBook
from frametally_accounts.credentials import code_at, step_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ANOTHER = "a third long one"
SAME = {"Content_Type": FORM, "Sec_Fetch_Site": "same-origin"}


@pytest.fixture
def people(people: Place) -> Place:
    people.film({"car": 1.0})
    return people


def code_of(secret: str, *, later: int = 0) -> str:
    return code_at(secret, step_of(time.time()) + later)


def chosen(code: str, password: str = ANOTHER) -> str:
    return urlencode({"password": password, "again": password, "code": code})


@pytest.mark.thorough
@pytest.mark.parametrize("least", ["look", "correct", "run"])
def test_a_sign_in_requires_codes_from_the_role_in_the_setting_upwards(
    people: Place, serving: Serving, least: str
) -> None:
    client = Client(serving(people.app(web_codes=least)))
    led = {name: "/sign-in/once/" in sign_in(client, name).headers["location"] for name in NAMES}
    client.close()
    taken = {"look": [True, True, True], "correct": [False, True, True], "run": [False, False, True]}
    assert [led[name] for name in ("lukas", "clara", "runa")] == taken[least]


@pytest.mark.thorough
def test_an_account_without_codes_must_set_them_up_first(people: Place, serving: Serving) -> None:
    client = Client(serving(people.app(web_codes="look")))
    assert sign_in(client, "clara", "wrong password").status == 401
    led = sign_in(client, "clara")
    assert led.status == 303
    assert "set-cookie" not in led.headers
    address = led.headers["location"]
    page = client("GET", address).body.decode()
    found = re.search('id="secret">([A-Z2-7]{32})<', page)
    secret = found[1]
    without, wrong, short = chosen(""), chosen("000000"), chosen(code_of(secret), "short")
    for body, line in ((without, "does not match"), (wrong, "does not match"), (short, "fewer than 12")):
        refused = client("POST", address, body, **SAME)
        assert refused.status == 400
        assert line in refused.body.decode()
        assert secret in refused.body.decode()
    code = code_of(secret)
    let_in = client("POST", address, chosen(code), **SAME)
    assert let_in.status == 303
    assert client("GET", "/api/v1/counts", Cookie=cookie_of(let_in)).status == 200
    assert client("POST", address, chosen(code_of(secret, later=1)), **SAME).status == 404
    assert sign_in(client, "clara", ANOTHER).status == 401
    assert sign_in(client, "clara", ANOTHER, code=code).status == 401
    assert sign_in(client, "clara", ANOTHER, code=code_of(secret, later=1)).headers["location"] == "/"
    client.close()
    with closing(AuditBook(people.settings.catalogue_url)) as book, book.chain() as chain:
        every = [record.entry for record in chain.records]
    assert [one.target for one in every if one.status == 303] == [
        'account=clara codes="to be set up"',
        'account=clara codes="set up"',
        "account=clara",
    ]
    assert secret not in repr(every)


def test_sessions_from_before_codes_were_required_must_sign_in_again(people: Place, serving: Serving) -> None:
    before = Client(serving(people.app()))
    cookies = {name: cookie_of(sign_in(before, name)) for name in NAMES}
    before.close()
    client = Client(serving(people.app(web_codes="run")))
    told = {name: client("GET", "/api/v1/counts", Cookie=cookie).status for name, cookie in cookies.items()}
    changed = client(
        "POST",
        "/sign-in/password",
        urlencode({"current": PASSWORD, "password": ANOTHER, "again": ANOTHER}),
        Cookie=cookies["runa"],
        **SAME,
    )
    client.close()
    assert told == {"lukas": 200, "clara": 200, "runa": 401}
    assert (changed.status, changed.headers["location"]) == (303, "/sign-in")
    assert "set-cookie" not in changed.headers


@pytest.mark.thorough
@pytest.mark.parametrize("width", [1280, 320], ids=["wide", "narrow"])
def test_codes_can_be_set_up_at_the_sign_in_in_the_browser(
    browser: Browser, people: Place, serving: Serving, axe: str, width: int
) -> None:
    url = serving(people.app(web_codes="correct"))
    visit = Visit(browser, url, bypass_csp=True, viewport={"width": width, "height": 900})
    page = visit.page
    page.goto(f"{url}/sign-in")
    page.locator("#name").fill("runa")
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    secret = page.locator("#secret").inner_text()
    assert secret in (page.locator("#add-codes").get_attribute("href") or "")
    page.evaluate(axe)
    assert page.evaluate("axe.run().then((found) => found.violations.map((one) => one.id))") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for name in ("password", "again"):
        page.locator(f"#{name}").fill(ANOTHER)
    page.locator("#code").fill(code_of(secret))
    page.keyboard.press("Enter")
    page.locator("#dashboard[data-state=ready][aria-busy=false]").wait_for()
    assert page.locator(".who").inner_text() == "runa"
    assert visit.complaints == []
    visit.context.close()
