"""Signed charts for pages of other sites: one selection, the named sites, and an expiry date."""

from __future__ import annotations

import html
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import pytest
from tests.capabilities import needs
from tests.web.conftest import MODEL, Place, Serving
from tests.web.raw_client import Client
from tests.web.test_other_sites import OtherSite, other_site

from frametally.files.sqlite import sqlite_path
from frametally_accounts import gate
from frametally_accounts.embeds import signed_charts
from frametally_accounts.embeds.signed_selection import read_chart, sign_chart
from frametally_cli.main import main

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["other_site"]

SITE = "https://intranet.example"
RANGE = ("--from", "2024-05-01T08:00:00Z", "--to", "2024-05-01T08:00:30Z")
Sign = Callable[..., str]


@pytest.fixture
def people(people: Place) -> Place:
    people.film({"car": 6, "bus": 4})
    return people


@pytest.fixture
def url(people: Place, serving: Serving) -> str:
    return serving(people.app())


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    made = Client(url)
    yield made
    made.close()


@pytest.fixture
def sign(
    people: Place, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Sign:
    """`frametally embed`, and the query in the code that it prints."""
    monkeypatch.setenv("FRAMETALLY_CATALOGUE_URL", people.settings.catalogue_url)
    monkeypatch.setenv("FRAMETALLY_WEB_URL", url)

    def run(*arguments: str, site: str = SITE) -> str:
        assert main(["embed", *RANGE, "--site", site, *arguments]) == 0
        code = capsys.readouterr().out
        found = re.fullmatch(f'<iframe src="{re.escape(url)}/embed[?]([^"]+)" .*></iframe>\n', code)
        return html.unescape(found[1])

    return run


def counts_of(signed: str) -> str:
    return f"/api/v1/counts?{signed.partition('&site=')[0]}&top=12"


@pytest.mark.thorough
def test_where_people_sign_in_a_signed_chart_is_shown_and_nothing_else(client: Client, sign: Sign) -> None:
    signed = sign("--label", "car", "--interval", "5")
    page = client("GET", f"/embed?{signed}", Accept="text/html")
    assert page.status == 200
    assert f"frame-ancestors 'self' {SITE};" in page.headers["content-security-policy"]
    counts = client("GET", counts_of(signed), Frametally_Chart=signed)
    assert counts.status == 200
    assert counts.json["labels"] == ["car"]
    for path in ("/api/v1/labels", "/api/v1/summary", "/", "/api/v1/videos", "/api/v1/catalogue"):
        assert client("GET", path, Frametally_Chart=signed).status == 403
    assert client("POST", "/sign-out", "", Frametally_Chart=signed).status == 403
    assert client("GET", counts_of(signed)).status == 401
    assert client("GET", "/embed").status == 401
    assert client("GET", f"/api/v1/videos?{signed}").status == 401


CHANGES: dict[str, Callable[[str], str]] = {
    "range": lambda signed: signed.replace("from=1714550400000", "from=1714550399999"),
    "label": lambda signed: signed.replace("label=car", "label=bus"),
    "another": lambda signed: f"label=bus&{signed}",
    "site": lambda signed: signed.replace("intranet", "elsewhere"),
    "end": lambda signed: re.sub("ends=1", "ends=2", signed),
    "signature": lambda signed: signed[:-1] + ("0" if signed[-1] != "0" else "1"),
    "behind": lambda signed: f"{signed}&label=bus",
    "none": lambda signed: "signature=",
    "huge": lambda signed: f"label={'x' * 9000}&{signed}",
    "strange": lambda signed: f"\udce9&{signed}".encode("utf-8", "replace").decode(),
}


@pytest.mark.thorough
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_query_is_refused_with_one_line(client: Client, sign: Sign, change: str) -> None:
    signed = sign("--label", "car")
    changed = CHANGES[change](signed)
    assert changed != signed
    for asked in (
        client("GET", f"/embed?{changed}"),
        client("GET", counts_of(signed), Frametally_Chart=changed),
    ):
        assert asked.status == 403
        assert asked.json["detail"] == "This chart's address was changed, or it belongs to another server."
        assert "frame-ancestors 'none'" in asked.headers["content-security-policy"]


def test_a_running_dashboard_uses_the_key_of_a_restored_catalogue(
    client: Client, sign: Sign, people: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "_READ_KEY_EVERY_S", 0.0)
    former = sign()
    assert client("GET", f"/embed?{former}").status == 200
    file = sqlite_path(people.settings.catalogue_url, "FRAMETALLY_CATALOGUE_URL")
    with closing(sqlite3.connect(file)) as restored:
        restored.execute("UPDATE frametally_signing_keys SET signing_key = ?", ["ab" * 32])
        restored.commit()
    assert client("GET", f"/embed?{former}").status == 403
    assert client("GET", f"/embed?{sign()}").status == 200


@pytest.mark.thorough
@pytest.mark.parametrize(
    "more",
    ["&from=0", "&label=bus", "&source=gate", "&interval=1", "&by=source", "&timezone=UTC", "&model=m"],
)
def test_a_signature_gives_no_other_counts(client: Client, sign: Sign, more: str) -> None:
    signed = sign("--label", "car")
    asked = counts_of(signed)
    assert client("GET", asked, Frametally_Chart=signed).status == 200
    assert client("GET", asked + more, Frametally_Chart=signed).status == 403
    without = re.sub("(from|label)=[^&]*&?", "", asked, count=1)
    refused = client("GET", without, Frametally_Chart=signed)
    assert refused.json["detail"] == "This address opens this chart and nothing else."


def test_a_signature_expires_and_a_clock_that_is_set_back_does_not_extend_it(
    client: Client, sign: Sign, people: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = people.access.signing_key()
    chart = read_chart(sign(), key)
    assert chart.ends_at_ms - chart.made_at_ms == 30 * 86_400_000
    day_ms = 86_400_000
    over = sign_chart(chart._replace(made_at_ms=chart.made_at_ms - day_ms, ends_at_ms=chart.made_at_ms), key)
    ahead = sign_chart(chart._replace(made_at_ms=chart.made_at_ms + day_ms), key)
    for signed in (over, ahead):
        refused = client("GET", f"/embed?{signed}")
        assert refused.status == 403
        assert refused.json["detail"].startswith("This chart expired at 20")


def test_another_servers_signature_is_worthless(client: Client, sign: Sign, people: Place) -> None:
    chart = read_chart(sign(), people.access.signing_key())
    assert chart is not None
    assert client("GET", f"/embed?{sign_chart(chart, b'k' * 32)}").status == 403


@pytest.mark.thorough
@pytest.mark.parametrize("is_allowed", [True, False])
def test_in_chromium_only_a_named_sites_page_shows_the_chart(
    browser: Browser, other_site: OtherSite, sign: Sign, url: str, is_allowed: bool
) -> None:
    signed = sign("--label", "car", site=other_site.origin if is_allowed else SITE)
    other_site.page = (
        f"<!doctype html><title>Other</title><iframe src='{url}/embed?{html.escape(signed)}'></iframe>"
    )
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(other_site.origin)
    frame = page.frame_locator("iframe")
    if is_allowed:
        frame.locator("#embed[data-state=ready]").wait_for()
        assert "car" in frame.locator("#legend").inner_text()
        assert "bus" not in frame.locator("#legend").inner_text()
        assert said == []
    else:
        page.wait_for_load_state("load")
        assert frame.locator("#embed").count() == 0
        assert any("frame-ancestors" in one for one in said)
    page.close()


@pytest.mark.thorough
@pytest.mark.usefixtures("sign")
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--site", "intranet.example"], "is not an origin"),
        (["--site", f"{SITE}/page"], "is not an origin"),
        (["--site", f"{SITE}; script-src *"], "is not an origin"),
        (["--site", SITE, "--to", "2024-05-01T07:00:00Z"], "--from must be before --to"),
        (["--site", SITE, "--from", "noon"], "is not an ISO 8601 time"),
        (["--site", SITE, "--days", "400"], "is not in the range"),
        (["--site", SITE, "--label", "x" * 10_000], "address would be too long"),
        ([], "Missing option '--site'"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_invalid_signing_request_gives_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    assert main(["embed", *RANGE, *arguments]) == 2
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1
    assert len(said) < 300


@needs("videos")
def test_the_header_of_a_signed_chart_is_read_only_for_charts(client: Client, sign: Sign) -> None:
    assert signed_charts.HEADER == "Frametally-Chart"
    assert client("GET", "/api/v1/uploads/none", Frametally_Chart=sign()).status == 401


def test_an_embed_code_contains_the_whole_query_and_names_the_setting_of_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path)
    place.film({"car": 6, "bus": 2})
    place.close()
    (tmp_path / "store").mkdir()
    monkeypatch.setenv("FRAMETALLY_INDEX_URL", f"sqlite:///{tmp_path / 'index.sqlite'}")
    monkeypatch.delenv("FRAMETALLY_WEB_URL", raising=False)
    chosen = ["--hours", "10:00-11:00", "--weekdays", "1,2,3", "--timezone", "Europe/Berlin"]
    call = ["embed", *RANGE, "--site", SITE, "--data-dir", str(tmp_path), *chosen]
    assert main(call) == 0
    code, told = capsys.readouterr()
    asked = dict(parse_qsl(html.unescape(code.partition("embed?")[2].partition('"')[0])))
    assert {
        name: asked[name] for name in ("hours", "weekdays", "timezone", "interval", "metric", "model")
    } == {
        "hours": "10:00-11:00",
        "weekdays": "1,2,3",
        "timezone": "Europe/Berlin",
        "interval": "5",
        "metric": "mean_per_frame",
        "model": MODEL,
    }
    assert told.startswith("note: FRAMETALLY_WEB_URL is not set, so the code uses http://127.0.0.1:5001; ")
    assert main([*call, "--zone", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err
