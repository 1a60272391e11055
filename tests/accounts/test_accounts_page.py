"""Administrators add, change and remove accounts and tokens by the API and on a page, without a shell."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from tests.accounts.people import KEPT, Asks, asking_as
from tests.accounts.test_signing_charts import log_in
from tests.accounts.test_signing_in_in_browser import faults_of
from tests.web.conftest import Place, Serving, Visit

from frametally_accounts.audit.book import AuditBook
from frametally_accounts.book import AccessBook
from frametally_accounts.rights import UserAccount

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROUTES = (
    ("GET", "accounts"),
    ("POST", "accounts"),
    ("PATCH", "accounts/lukas"),
    ("POST", "accounts/lukas/link"),
    ("DELETE", "accounts/lukas"),
    ("POST", "tokens"),
    ("DELETE", "tokens/lukas/nightly"),
)


@pytest.fixture
def people(people: Place) -> AccessBook:
    assert people.access is not None
    return people.access


@pytest.fixture
def url(place: Place, people: AccessBook, serving: Serving) -> str:
    return serving(place.app())


def change(ask: Asks, method: str, path: str, **body: Any) -> Any:
    return ask(method, f"/api/v1/{path}", json.dumps(body), Content_Type="application/json")


@pytest.mark.thorough
def test_an_account_and_a_token_are_added_changed_and_removed_and_audited_without_secrets(
    place: Place, url: str, people: AccessBook
) -> None:
    with asking_as(url, "runa") as ask:
        added = change(ask, "POST", "accounts", name="Anna", role="correct", sources=["Gate 1"])
        assert (added.status, added.json["name"]) == (201, "anna")
        assert added.json["link"].startswith(f"{url}/sign-in/once/")
        assert "Gate 1" in added.json["notes"][0]
        assert people.account("anna").sources == ("gate-1",)
        codes = change(ask, "PATCH", "accounts/anna", codes=True).json["codes"]
        assert codes.startswith("otpauth://totp/frametally:anna?secret=")
        assert change(ask, "PATCH", "accounts/anna", role="look", sources=[]).status == 200
        anna = people.account("anna")
        assert (anna.role, anna.sources, anna.has_codes) == ("look", (), True)
        assert change(ask, "PATCH", "accounts/anna", codes=False).json["codes"] == ""
        again = change(ask, "POST", "accounts/anna/link").json["link"]
        assert again != added.json["link"]
        with asking_as(url, "") as nobody:
            assert nobody("GET", added.json["link"].removeprefix(url)).status == 404
            assert nobody("GET", again.removeprefix(url)).status == 200
        token = change(ask, "POST", "tokens", account="anna", name="nightly", days=7)
        assert token.status == 201
        bearer = {"Authorization": f"Bearer {token.json['secret']}"}
        with asking_as(url, "") as program:
            assert program("GET", "/api/v1/labels", **bearer).status == 200
        told = ask("GET", "/api/v1/accounts")
        assert [one["name"] for one in told.json["accounts"]] == ["anna", "clara", "lukas", "runa"]
        kept = told.json["tokens"][0]
        assert kept["ends_at_ms"] - kept["created_at_ms"] == 7 * 86_400_000
        for secret in (token.json["secret"], "password_hash", "otpauth", "token_hash"):
            assert secret not in json.dumps(told.json)
        assert change(ask, "DELETE", "tokens/anna/nightly").status == 204
        with asking_as(url, "") as program:
            assert program("GET", "/api/v1/labels", **bearer).status == 401
        assert change(ask, "DELETE", "accounts/anna").status == 204
    assert people.account("anna") is None
    with closing(AuditBook(place.settings.catalogue_url)) as book:
        changes, _ = book.changes(50)
    said = [f"{one.entry.who} {one.entry.what} {one.entry.target} {one.entry.status}" for one in changes]
    assert any(
        "runa POST /api/accounts " in one and "name=Anna" in one and one.endswith(" 201") for one in said
    )
    assert any("PATCH /api/accounts/{} name=anna" in one and "codes=on 200" in one for one in said)
    assert any("POST /api/tokens" in one and "account=anna" in one and "name=nightly" in one for one in said)
    for secret in (codes, again, token.json["secret"]):
        assert secret not in "\n".join(said)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["", "lukas", "clara", "sara"])
def test_only_an_administrator_of_all_sources_sees_or_changes_accounts(
    url: str, people: AccessBook, name: str
) -> None:
    people.add_account(UserAccount("sara", "run", ("gate",)))
    people.set_password("sara", KEPT)
    before = people.accounts()
    with asking_as(url, name) as ask:
        assert ask("GET", "/accounts").status == (403 if name else 401)
        for method, path in ROUTES:
            refused = change(ask, method, path, name="eve", role="run", account="lukas")
            assert refused.status == (403 if name else 401), path
            assert "accounts" not in refused.json
    assert people.accounts() == before
    assert people.tokens() == []


REFUSED: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("POST", "accounts", {"name": "no name"}, 400, "is not a valid name for an account"),
    ("POST", "accounts", {"name": "lukas"}, 409, "Account lukas already exists."),
    ("POST", "accounts", {"name": "eve", "role": "king"}, 400, "king"),
    ("POST", "accounts", {"name": "eve", "sources": [""]}, 400, "sources"),
    ("POST", "accounts", {"name": "eve", "password": "x"}, 400, "password"),
    ("PATCH", "accounts/eve", {"role": "run"}, 404, "Account eve does not exist."),
    ("PATCH", "accounts/runa", {"role": "look"}, 409, "runa is the last account with the Admin role."),
    ("PATCH", "accounts/runa", {"sources": ["gate"]}, 409, "runa is the last account with the Admin role."),
    ("DELETE", "accounts/runa", {}, 409, "runa is the last account with the Admin role."),
    ("DELETE", "accounts/eve", {}, 404, "Account eve does not exist."),
    ("POST", "accounts/eve/link", {}, 404, "Account eve does not exist."),
    ("POST", "tokens", {"account": "eve", "name": "x"}, 404, "Account eve does not exist."),
    (
        "POST",
        "tokens",
        {"account": "lukas", "name": "x", "role": "run"},
        400,
        "lukas is Viewer of all sources",
    ),
    ("POST", "tokens", {"account": "lukas", "name": "x y"}, 400, "is not a valid name for a token"),
    ("POST", "tokens", {"account": "lukas", "name": "x", "days": 367}, 400, "days"),
    ("DELETE", "tokens/lukas/x", {}, 404, "lukas has no token named x."),
]


def test_a_forbidden_change_is_refused_in_plain_words_and_changes_nothing(
    url: str, people: AccessBook
) -> None:
    before = people.accounts()
    with asking_as(url, "runa") as ask:
        for method, path, body, status, detail in REFUSED:
            refused = change(ask, method, path, **body)
            assert refused.status == status, refused.json
            assert detail.lower() in refused.json["detail"].lower()
            assert refused.json["remedy"]
            assert "frametally " not in f"{refused.json['detail']} {refused.json['remedy']}"
            assert people.accounts() == before, (method, path, body)
            assert people.tokens() == []


def test_the_first_account_can_do_everything_and_closes_the_dashboard(place: Place) -> None:
    place.access = AccessBook(place.settings.catalogue_url)
    client = place.app().test_client()
    assert client.get("/api/v1/accounts").json == {"accounts": [], "tokens": []}
    for role, sources in (("look", []), ("run", ["gate"])):
        refused = client.post("/api/v1/accounts", json={"name": "anna", "role": role, "sources": sources})
        assert refused.status_code == 409, role
    assert place.access.is_empty()
    assert client.post("/api/v1/accounts", json={"name": "anna", "role": "run"}).status_code == 201
    assert client.get("/api/v1/accounts").status_code == 401


@pytest.mark.thorough
@pytest.mark.parametrize("has_book", [True, False])
def test_without_accounts_the_page_names_the_command_that_adds_the_first(
    place: Place, visit: Callable[..., Visit], axe: str, picture: Callable[[Page, str], None], has_book: bool
) -> None:
    expect = pytest.importorskip("playwright.sync_api", reason="needs playwright").expect
    place.access = AccessBook(place.settings.catalogue_url) if has_book else None
    page = visit(place, bypass_csp=True).open("accounts", "#accounts-page[data-state=ready]")
    expect(page.locator("#people code")).to_have_text("frametally users add NAME --role run")
    expect(page.locator("#problem")).to_be_hidden()
    expect(page.locator("#new-account")).to_be_visible(visible=has_book)
    assert faults_of(page, axe) == []
    picture(page, f"no-accounts-{has_book}")
    if place.access is not None:
        page.get_by_label("Name", exact=True).fill("anna")
        page.get_by_role("button", name="Add a person").click()
        expect(page.locator("#secret-title")).to_have_text("Link for anna")
        expect(page.locator("#notes")).to_contain_text("You must now sign in too")
        expect(page.locator("#people")).to_be_empty()
        expect(page.locator("#new-account")).to_be_hidden()


@pytest.mark.thorough
def test_accounts_can_be_managed_in_browser(browser: Browser, url: str, people: AccessBook, axe: str) -> None:
    expect = pytest.importorskip("playwright.sync_api", reason="needs playwright").expect
    page = browser.new_page()
    log_in(page, url, "runa", "accounts")
    expect(page.locator("#people .entry")).to_have_count(3)
    page.get_by_label("Name", exact=True).fill("anna")
    page.locator("#account-sources").fill("nowhere")
    page.get_by_role("button", name="Add a person").click()
    expect(page.locator("#secret-title")).to_have_text("Link for anna")
    expect(page.locator("#notes")).to_contain_text("anna was added, but there is no source named 'nowhere'")
    link = page.locator("#secret-text").text_content()
    expect(page.locator("#people .entry")).to_have_count(4)
    assert faults_of(page, axe) == []
    page.get_by_role("button", name="Done").click()
    page.get_by_label("Role and sources of anna").click()
    page.get_by_label("Role of anna").select_option("correct")
    page.get_by_role("button", name="Save").locator("visible=true").click()
    expect(page.locator("#people .entry").first).to_contain_text("anna · Editor · nowhere")
    page.get_by_label("Codes on for anna").click()
    expect(page.locator("#secret-text")).to_contain_text("otpauth://totp/frametally:anna")
    page.get_by_label("Account").select_option("anna")
    page.get_by_label("Name of the token").fill("nightly")
    page.get_by_role("button", name="Add a token").click()
    expect(page.locator("#secret-title")).to_have_text("Token nightly of anna")
    expect(page.locator("#tokens .entry")).to_have_count(1)
    page.get_by_label("Delete runa").click()
    page.get_by_role("button", name="Yes, delete runa").click()
    expect(page.locator("#problem")).to_contain_text("Runa is the last account with the Admin role.")
    assert faults_of(page, axe) == []
    page.get_by_label("Delete anna", exact=True).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator("#people .entry")).to_have_count(3)
    expect(page.locator("#tokens .entry")).to_have_count(0)
    page.goto(str(link))
    expect(page.locator("body")).to_contain_text("Ask for a new link")
    page.close()
    assert people.account("anna") is None
