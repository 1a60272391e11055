"""Pages of an allowed site may use every route of the API, with any answer; those of others none."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest
from tests.accounts.people import give_accounts
from tests.web.conftest import Place, Serving

from frametally_web.api.endpoints import RIGHTS

SITE = "https://intranet.example"
ELSEWHERE = "https://elsewhere.example"
OUR_OWN = {
    *(
        "/",
        "/accounts",
        "/accuracy",
        "/alerts",
        "/audit",
        "/books",
        "/data",
        "/data-protection",
        "/dead-letters",
        "/footage",
        "/history",
        "/embed",
        "/jobs",
        "/lines",
        "/lines/edit",
        "/live",
        "/models",
        "/retention",
    ),
    *("/traffic", "/videos", "/docs", "/redoc", "/healthz", "/metrics", "/static/{}", "/sign-out"),
    *("/sign-in", "/sign-in/once/{}", "/sign-in/password", "/sign-in/sessions"),
}
"""Pages with their assets, and requests of our machines."""

NOT_VERSIONED = {"/api/docs", "/api/asyncapi.json", "/api/postman.json"}


def api_routes() -> list[tuple[str, str]]:
    """Each method and path of the API, in both of its versions, with missing ids."""
    routes = []
    for route in RIGHTS.by_route:
        method, path = route.split(" ")
        if method == "WS" or path in OUR_OWN:
            continue
        named = path.replace("{}", "00000000-0000-4000-8000-000000000000")
        routes += [(method, named)] + [(method, named.replace("/api/", "/api/v1/"))] * (
            "/api/" in named and path not in NOT_VERSIONED
        )
    return routes


def answered(url: str, method: str, path: str, **headers: str) -> tuple[int, dict[str, str]]:
    """The status and headers of an answer, which is not read: one of them is endless."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, None, named)
    answer = connection.getresponse()
    told = {name.lower(): value for name, value in answer.getheaders()}
    connection.close()
    return answer.status, told


@pytest.mark.thorough
@pytest.mark.parametrize("has_accounts", [False, True], ids=["open", "with-accounts"])
def test_an_allowed_site_may_read_every_api_answer_and_another_site_none(
    place: Place, serving: Serving, has_accounts: bool
) -> None:
    if has_accounts:
        give_accounts(place)
    url = serving(place.app(web_uploads=True, web_allowed_origins=SITE))
    routes = api_routes()
    assert ("POST", "/upload") in routes
    assert len(routes) > 100
    statuses = set()
    for method, path in routes:
        preflight = {
            "Access_Control_Request_Method": method,
            "Access_Control_Request_Headers": "content-type",
        }
        asked = [(method, {})] if method == "OPTIONS" else [(method, {}), ("OPTIONS", preflight)]
        for how, sent in asked:
            status, told = answered(url, how, path, Origin=SITE, **sent)
            statuses.add(status)
            assert told.get("access-control-allow-origin") == SITE, (how, path, status)
            assert "origin" in told["vary"].lower(), (how, path)
            assert not sent or status in (200, 204), (path, status)
            _, told = answered(url, how, path, Origin=ELSEWHERE, **sent)
            assert not [name for name in told if name.startswith("access-control")], (how, path)
    assert {401, 200} <= statuses if has_accounts else {404, 200} <= statuses


@pytest.mark.thorough
def test_a_route_that_is_not_a_page_belongs_to_the_api(place: Place, serving: Serving) -> None:
    url = serving(place.app(web_allowed_origins=SITE))
    for path in sorted(OUR_OWN):
        _, told = answered(url, "GET", path.replace("{}", "none"), Origin=SITE)
        assert "access-control-allow-origin" not in told, path


@pytest.mark.parametrize("path", ["/upload", "/api/videos/upload"])
def test_an_uploads_preflight_names_its_method(place: Place, serving: Serving, path: str) -> None:
    url = serving(place.app(web_uploads=True, web_allowed_origins=SITE))
    _, told = answered(url, "OPTIONS", path, Origin=SITE, Access_Control_Request_Method="POST")
    assert "POST" in told["access-control-allow-methods"]
