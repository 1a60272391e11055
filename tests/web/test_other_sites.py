"""Pages of other sites: only configured sites may read the API, show frames and embed the chart."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from tests.web.conftest import Place

from frametally.errors import Misconfigured

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SITE = "https://intranet.example"


class OtherSite:
    """A site with one page, at a separate origin."""

    def __init__(self) -> None:
        self.page = ""
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(site.page.encode())

            def log_message(self, *_: Any) -> None:
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def other_site() -> Iterator[OtherSite]:
    site = OtherSite()
    thread = threading.Thread(target=site.server.serve_forever)
    thread.start()
    yield site
    site.server.shutdown()
    thread.join()
    site.server.server_close()


@pytest.mark.parametrize("is_allowed", [True, False])
def test_only_an_allowed_site_may_embed_the_chart_read_the_api_and_show_a_frame(
    place: Place,
    serving: Callable[..., str],
    browser: Browser,
    other_site: OtherSite,
    is_allowed: bool,
) -> None:
    place.film({"car": 6, "bus": 4})
    allowed = f"{SITE}, {other_site.origin}" if is_allowed else SITE
    url = serving(place.app(web_allowed_origins=allowed))
    image = place.app().test_client().get("/api/v1/evidence").json["frames"][0]["image_url"]
    page = browser.new_page()
    page.goto(f"{url}/data?interval=5&label=car")
    code = page.locator("#code-embed").inner_text()  # as copied from there
    other_site.page = f"""<!doctype html><title>Another site</title>
      {code} <img alt="" src="{html.escape(url + image)}">"""
    page.goto(other_site.origin)
    frame = page.frame_locator("iframe")
    if is_allowed:
        frame.locator("#embed[data-state=ready]").wait_for()
        assert "car" in frame.locator("#legend").inner_text()
        assert "bus" not in frame.locator("#legend").inner_text()
    asked = page.evaluate(
        """(url) => fetch(`${url}/api/v1/labels`).then((answer) => answer.json()).catch(String)""", url
    )
    width_px = page.evaluate(
        "document.images[0].decode().then(() => document.images[0].naturalWidth, () => 0)"
    )
    shown = frame.locator("#embed").count()
    page.close()
    assert bool(shown) is is_allowed
    assert (asked["labels"][0]["label"] == "car") if is_allowed else ("Failed to fetch" in asked)
    assert (width_px > 0) is is_allowed


@pytest.mark.thorough
@pytest.mark.parametrize("path", ["/", "/data", "/api/docs", "/api/v1/openapi.json", "/healthz"])
def test_only_the_chart_may_ever_be_embedded(place: Place, path: str) -> None:
    client = place.app(web_allowed_origins=SITE).test_client()
    policy = client.get(path, headers={"Origin": SITE}).headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert SITE not in policy


@pytest.mark.thorough
@pytest.mark.parametrize("asked_from", ["https://other.example", "null", f"{SITE}.evil.example", ""])
def test_the_api_does_not_tell_other_sites_which_sites_are_allowed(place: Place, asked_from: str) -> None:
    place.film({"car": 3})
    client = place.app(web_allowed_origins=SITE).test_client()
    answer = client.get("/api/v1/labels", headers={"Origin": asked_from})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Origin" in answer.headers["Vary"]


def test_a_preflight_is_answered_and_never_asks_for_a_sign_in(place: Place) -> None:
    client = place.app(web_allowed_origins=SITE).test_client()
    asked = {"Origin": SITE, "Access-Control-Request-Method": "GET"}
    answer = client.options("/api/v1/counts", headers=asked)
    assert answer.headers["Access-Control-Allow-Origin"] == SITE
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD"
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", ["*", "intranet.example", "https://a.example/", "https://a.example/path", "HTTPS://A", "null"]
)
def test_an_invalid_origin_is_refused_at_startup_in_one_line(place: Place, origin: str) -> None:
    with pytest.raises(Misconfigured, match="FRAMETALLY_WEB_ALLOWED_ORIGINS") as refused:
        place.app(web_allowed_origins=f"{SITE},{origin}")
    assert repr(origin) in str(refused.value)
    assert "\n" not in str(refused.value)
