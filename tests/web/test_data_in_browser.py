"""Data & API, the page of the API and the chart alone: tried in the way of developers."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest
from tests.accounts.people import give_accounts
from tests.examples import THOROUGH, first_quick
from tests.web.browser import Place, Route, Visits, expect
from tests.web.conftest import MODEL

from frametally_accounts.credentials import make_api_token, token_hash
from frametally_accounts.rights import ApiToken

QUERY = "label=car&interval=5&timezone=Europe/Berlin"


def code_of(page: str, name: str) -> str:
    found = re.search(rf'id="code-{name}"[^>]*><code>(.*?)</code>', page, re.DOTALL)
    assert found
    return html.unescape(found[1])


@pytest.mark.thorough
@pytest.mark.parametrize("logs_in", [False, True])
@pytest.mark.parametrize(("name", "command"), [("python", [sys.executable, "-"]), ("javascript", ["node"])])
def test_the_code_on_the_page_runs_as_written_or_with_the_token_it_asks_for(
    place: Place, serving: Callable[..., str], name: str, command: list[str], logs_in: bool
) -> None:
    if not shutil.which(command[0]):
        pytest.skip("needs Node.js")
    if name == "javascript":
        command = [command[0], "--input-type=module"]
    place.film({"car": 6, "bus": 1}, filmed=lambda n: n != 3)
    headers, token = {}, ""
    if logs_in:
        give_accounts(place)
        token = make_api_token()
        made = ApiToken("clara", "nightly", "look", ())
        assert place.access.add_token(made, token_hash(token), lasts_s=60)
        headers = {"Authorization": f"Bearer {token}"}
    app = place.app()
    url = serving(app)
    page = app.test_client().get(f"/data?{QUERY}", base_url=url, headers=headers).text
    code = code_of(page, name)
    assert ("TOKEN" in code) == ("frametally tokens add" in page) == logs_in
    code = code.replace("TOKEN", token)
    assert len(code.splitlines()) <= 12
    done = subprocess.run(command, input=code, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "car" in done.stdout
    assert "bus" not in done.stdout


@pytest.mark.thorough
def test_the_page_offers_files_of_the_given_selection_and_nothing_that_breaks_it(place: Place) -> None:
    place.film({"car": 6})
    client = place.app().test_client()
    page = client.get(f"/data?{QUERY}&view=table").text
    links = {
        one: html.unescape(link) for one, link in re.findall(r'id="file-(\w+)" download href="([^"]*)"', page)
    }
    assert list(links) == ["xlsx", "csv", "json", "parquet"]
    for link in links.values():
        assert client.get(html.unescape(link).removeprefix("http://localhost")).status_code == 200
    hostile = client.get("/data?label=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").text
    assert "<script>alert" not in hostile


@pytest.mark.thorough
def test_an_address_without_a_time_zone_gets_the_browsers(place: Place, visit: Visits) -> None:
    place.film({"car": 6})
    page = visit(place).open("data?label=car", wait_for="#code-javascript")
    expect(page).to_have_url(re.compile(r"/data\?label=car&timezone=Europe/Berlin$"))
    expect(page.locator("#code-javascript")).to_contain_text("&timezone=Europe%2FBerlin&")


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_you_can_try_a_route_on_the_api_page_and_find_your_way_back(
    place: Place, visit: Visits, axe: str, scheme: str
) -> None:
    place.film({"car": 6})
    window = visit(place, color_scheme=scheme)
    page = window.open("api/docs", wait_for="#operations-Counts-counts")
    page.locator("#operations-Counts-counts .opblock-summary-control").click()
    page.locator("#operations-Counts-counts .execute").click()
    answered = page.locator("#operations-Counts-counts .live-responses-table .response-col_status")
    expect(answered.last).to_contain_text("200")
    page.evaluate("scrollTo(0, 0)")  # a target that the top bar happens to cover is not small
    cdp = window.context.new_cdp_session(page)
    cdp.send("Runtime.evaluate", {"expression": axe})
    found = page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})"
    )
    assert [(one["id"], one["nodes"][0]["target"]) for one in found["violations"]] == []
    page.get_by_role("link", name="Answers").click()
    window.settled()


def leave_out_most_routes(route: Route) -> None:
    """Describe only the routes of one video's jobs."""
    described = route.fetch().json()
    described["paths"] = {path: one for path, one in described["paths"].items() if "{video_id}/jobs" in path}
    route.fulfill(json=described)


@pytest.mark.parametrize("path", first_quick(["docs", "redoc", "api/docs"]))
def test_the_api_page_requests_nothing_that_its_policy_forbids(
    place: Place, visit: Visits, path: str
) -> None:
    window = visit(place)
    window.page.add_init_script(
        "window.forbidden = []; document.addEventListener('securitypolicyviolation',"
        " (event) => window.forbidden.push([event.violatedDirective, event.blockedURI, event.sourceFile]));"
    )
    if not THOROUGH:  # drawing all of some 150 routes takes seconds
        window.page.route("**/openapi.json", leave_out_most_routes)
    page = window.open(path, wait_for="#operations-Videos-ask_video_job")
    page.locator("#operations-Videos-ask_video_job .opblock-summary-control").click()
    page.locator("#operations-Videos-ask_video_job .responses-table").first.wait_for()
    expect(page.get_by_role("link", name="AsyncAPI")).to_have_attribute("href", "/api/v1/asyncapi.json")
    assert page.evaluate("window.forbidden") == []


@pytest.mark.thorough
def test_the_standalone_chart_shows_what_its_address_says_and_links_to_the_dashboard(
    place: Place, visit: Visits
) -> None:
    place.film({"car": 6, "bus": 1})
    window = visit(place)
    window.open("?interval=5&label=car")
    values = window.chart_values()
    page = window.open("embed?interval=5&label=car", wait_for="#embed[data-state=ready]")
    assert window.chart_values() == values
    expect(page.locator("#legend")).to_contain_text("car")
    assert page.locator("nav, form, #context").count() == 0
    whole = re.compile(r"^\./\?label=car&interval=5&timezone=Europe/Berlin&metric=\w+&model=[\w.-]+$")
    expect(page.locator("#open")).to_have_attribute("href", whole)
    page.locator("#chart").press("ArrowRight")
    expect(page.locator("#spoken")).to_contain_text("Press Enter to see the frames.")


@pytest.mark.thorough
def test_the_dashboard_copies_the_code_that_embeds_the_chart(place: Place, visit: Visits) -> None:
    place.film({"car": 6, "bus": 1})
    window = visit(place, permissions=["clipboard-read", "clipboard-write"])
    page = window.open("?interval=5&label=car")
    page.locator("#copy-embed").click()
    expect(page.locator("#copy-embed")).to_have_text("Code copied")
    code = page.evaluate("navigator.clipboard.readText()")
    source = re.fullmatch(r'<iframe src="([^"]+)" title="Counts" width="800" height="420"></iframe>', code)
    assert source
    address, _, asked = html.unescape(source[1]).partition("?")
    assert address == f"{window.url}/embed"
    whole = "label=car&metric=mean_per_frame&interval=5&timezone=Europe/Berlin"
    assert set(asked.split("&")) == {*whole.split("&"), f"model={MODEL}"}


@pytest.mark.thorough
def test_printed_code_is_never_cut_off_at_the_edge(place: Place, visit: Visits) -> None:
    place.film({"car": 6})
    page = visit(place, viewport={"width": 703, "height": 1031}).open("data", wait_for="#code-python")
    page.emulate_media(media="print")
    cut = "(all) => all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.id)"
    assert page.locator("pre").evaluate_all(cut) == []
