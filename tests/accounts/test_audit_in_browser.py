"""The audit log by the API and on its page: who changed what, all as text, for administrators."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from flask.testing import FlaskClient
from tests.accounts.people import asking_as, give_accounts
from tests.web.conftest import Place, Serving, Visit

from frametally_accounts.audit.book import AuditBook
from frametally_accounts.audit_records import AuditEntry

if TYPE_CHECKING:
    from playwright.sync_api import Page

MARKUP = '<script>alert(1)</script>"><b>\u202e'


@pytest.fixture
def book(place: Place) -> Iterator[AuditBook]:
    with closing(AuditBook(place.settings.catalogue_url)) as opened:
        yield opened


def fill(book: AuditBook, number: int = 60) -> None:
    for at in range(number):
        book.write(AuditEntry("anna", "DELETE /api/videos/{}", f"video_id=v{at}", "192.0.2.7", status=204))
    book.write(AuditEntry("(nobody)", "POST /sign-in", "account=anna", "203.0.113.9", status=401))
    book.write(AuditEntry("(command) ops", "users add", 'name="ben" role="run"', "command line", status=0))
    book.write(AuditEntry("clara", f"PUT {MARKUP}", f"source={MARKUP}" * 40, "n" * 10_000_000))


def test_the_api_returns_changes_in_pages_and_by_person_action_and_time(
    client: FlaskClient, book: AuditBook
) -> None:
    fill(book)
    page = client.get("/api/v1/audit").json
    assert (len(page["changes"]), page["changes"][0]["who"]) == (50, "clara")
    assert page["changes"][0]["status"] is None
    rest = client.get(f"/api/audit?before={page['next']}").json
    assert (len(rest["changes"]), rest["next"]) == (13, 0)
    asked = client.get("/api/audit?who=anna&what=V59&from=2020-01-01&to=2999-01-01T00:00Z").json
    assert [one["target"] for one in asked["changes"]] == ["video_id=v59"]
    assert client.get("/api/audit?from=2999-01-01").json["changes"] == []
    for wrong in ("from=noon", "to=noon", "before=x", "who=a&who=b", "by=anna"):
        refused = client.get(f"/api/audit?{wrong}")
        assert (refused.status_code, bool(refused.json["remedy"])) == (400, True)


@pytest.mark.thorough
def test_only_administrators_see_the_audit_log(place: Place, serving: Serving, book: AuditBook) -> None:
    give_accounts(place)
    url = serving(place.app())
    for name, status in (("", 401), ("lukas", 403), ("clara", 403), ("runa", 200)):
        with asking_as(url, name) as ask:
            assert [ask("GET", path).status for path in ("/audit", "/api/audit")] == [status] * 2


@pytest.mark.thorough
def test_the_page_shows_and_finds_who_changed_what_as_text(
    place: Place, visit: Callable[..., Visit], picture: Callable[[Page, str], None], book: AuditBook
) -> None:
    expect = pytest.importorskip("playwright.sync_api", reason="needs playwright").expect
    fill(book)
    page = visit(place).open("audit", wait_for="#audit-page")
    expect(page.locator("#changes .change")).to_have_count(50)
    expect(page.locator("#changes .change").first).to_contain_text("PUT <script>alert(1)</script>")
    expect(page.locator("#changes .change").nth(2)).to_contain_text("refused (401)")
    picture(page, "audit")
    page.locator("#older").click()
    expect(page.locator("#changes .change")).to_have_count(13)
    page.get_by_label("Who").fill("(command) ops")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#changes .change")).to_have_count(1)
    expect(page.locator("#changes .change")).to_contain_text("exit code 0")
    page.get_by_label("From (UTC)").fill("2999-01-01T00:00")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#no-changes")).to_have_text("No changes match your filter.")
    page.get_by_role("link", name="All", exact=True).click()
    expect(page.locator("#changes .change")).to_have_count(50)
