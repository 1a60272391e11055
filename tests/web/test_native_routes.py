"""Routes that Starlette answers: matched by path, and refused like all routes."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from tests.web.conftest import Place, Serving
from tests.web.raw_client import Client
from werkzeug.exceptions import MethodNotAllowed, NotFound

from frametally.actions.problems import Problem
from frametally.errors import FrametallyError, Retryable
from frametally_web import connections
from frametally_web.api.endpoints import ENDPOINTS
from frametally_web.app import parts_of
from frametally_web.requests.native import NativeRoute

SITE = "https://intranet.example"
ELSEWHERE = "https://elsewhere.example"


async def count(request: Request) -> Response:
    """Receives a body piece by piece."""
    total = 0
    async for piece in request.stream():
        total += len(piece)
    return JSONResponse({"bytes": total, **request.path_params})


async def fail(request: Request) -> Response:
    errors = {
        "problem": Problem(410, "It is over.", remedy="Begin anew."),
        "away": Retryable("the database at db.internal is away"),
        "broken": FrametallyError("/var/lib/frametally/x.json: it is broken"),
        "strange": ValueError("a secret"),
    }
    raise errors[request.path_params["how"]]


async def refuse(_: Request) -> Response:
    raise Problem(415, "It is no video.", remedy="Send one.")


ROUTES = [
    NativeRoute("/api/v1/tests/{thing}", ("GET",), count),
    NativeRoute("/api/v1/tests/{thing}", ("PATCH",), count, writes=True),
    NativeRoute("/api/tests/plain", ("GET",), refuse),
    NativeRoute("/api/refused", ("POST",), refuse, writes=True),
    NativeRoute("/api/failing/{how}", ("GET",), fail),
    NativeRoute("/processed_videos/tests/{thing}", ("GET",), count),
]


def with_routes(app: Flask) -> Flask:
    parts = parts_of(app)
    app.extensions["frametally"] = dataclasses.replace(parts, native=[*parts.native, *ROUTES])
    return app


@pytest.fixture
def asking(place: Place, serving: Serving) -> Iterator[Callable[..., Client]]:
    """Makes clients of a dashboard with these settings."""
    clients: list[Client] = []

    def make(**settings: Any) -> Client:
        clients.append(Client(serving(with_routes(place.app(**settings)))))
        return clients[-1]

    yield make
    for one in clients:
        one.close()


@pytest.fixture
def ask(asking: Callable[..., Client]) -> Client:
    return asking(web_allowed_origins=SITE)


@pytest.mark.thorough
def test_api_paths_also_work_under_their_version_and_a_plain_path_takes_precedence(ask: Client) -> None:
    for path in ("/api/tests/x%20y", "/api/v1/tests/x%20y"):
        assert ask("GET", path).json == {"bytes": 0, "thing": "x y"}
        assert ask("GET", path.replace("x%20y", "plain")).status == 415
        assert ask("GET", f"{path}/deeper").status == 404
    assert ask("GET", "/processed_videos/tests/1").status == 200
    assert ask("GET", "/api/v1/processed_videos/tests/1").status == 404


def test_a_path_accepts_only_its_methods_and_head_where_it_accepts_get(ask: Client) -> None:
    assert ask("HEAD", "/api/tests/1").status == 200
    for asked, allowed in (
        ("/api/tests/1", "GET, HEAD, OPTIONS, PATCH"),
        ("/processed_videos/tests/1", "GET, HEAD, OPTIONS"),
    ):
        refused = ask("DELETE", asked)
        assert (refused.status, refused.headers["allow"], refused.json["status"]) == (405, allowed, 405)
        assert ask("OPTIONS", asked).status == 200
        assert ask("OPTIONS", asked).headers["allow"] == allowed


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("how", "status", "said"),
    [
        ("problem", 410, "It is over."),
        ("away", 503, "is not responding at the moment"),
        ("broken", 503, "x.json: it is broken"),
        ("strange", 500, "The dashboard failed."),
    ],
)
def test_a_native_routes_error_looks_like_those_of_all_others(
    ask: Client, how: str, status: int, said: str
) -> None:
    answered, headers, body = ask("GET", f"/api/failing/{how}")
    problem = json.loads(body)
    assert (answered, headers["content-type"]) == (status, "application/problem+json")
    assert said in problem["detail"]
    assert "default-src 'none'" in headers["content-security-policy"]
    for inside in ("secret", "db.internal", "/var"):
        assert inside not in str(problem)


FOREIGN = [
    {"Origin": ELSEWHERE},
    {"Origin": "null"},
    {"Origin": "http://localhost:1"},
    {"Origin": f"{SITE}.evil.example"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Origin": ELSEWHERE, "Sec_Fetch_Site": "cross-site"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_change_requested_by_another_sites_page_is_refused(ask: Client, headers: dict[str, str]) -> None:
    refused = ask("PATCH", "/api/tests/1", b"x" * 10, **headers)
    assert refused.status == 403
    assert "another site" in refused.json["detail"]
    assert refused.json["remedy"]
    assert ask("POST", "/api/v1/calibrations/try", b"{}", **headers).status == 403  # also those of Flask
    assert ask("GET", "/api/tests/1", **headers).status == 200


def test_the_dashboards_own_pages_programs_and_allowed_sites_may_change_things(ask: Client) -> None:
    own = f"http://{ask.connection.host}:{ask.connection.port}"
    for headers in (
        {},
        {"Origin": own},
        {"Origin": own, "Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
        {"Origin": SITE},
        {"Origin": SITE, "Sec_Fetch_Site": "cross-site"},
    ):
        assert ask("PATCH", "/api/tests/1", b"x" * 10, **headers).json["bytes"] == 10


def test_an_allowed_sites_preflight_gets_the_routes_own_methods_and_headers(ask: Client) -> None:
    asked = {"Access_Control_Request_Method": "PATCH"}
    status, headers, _ = ask("OPTIONS", "/api/v1/tests/1", Origin=SITE, **asked)
    assert status == 200
    assert headers["access-control-allow-origin"] == SITE
    assert headers["access-control-allow-methods"] == "GET, HEAD, PATCH"
    assert {"Upload-Offset", "Tus-Resumable", "Range", "If-Range"} <= set(
        headers["access-control-allow-headers"].split(", ")
    )
    assert "access-control-allow-credentials" not in headers
    _, headers, _ = ask("OPTIONS", "/api/v1/tests/1", Origin=ELSEWHERE, **asked)
    assert not [name for name in headers if name.startswith("access-control")]


def test_an_allowed_site_may_show_media_from_the_original_players_paths(ask: Client) -> None:
    policy = "cross-origin-resource-policy"
    assert ask("GET", "/processed_videos/tests/1", Referer=f"{SITE}/page").headers[policy] == "cross-origin"
    assert (
        ask("GET", "/processed_videos/tests/1", Referer=f"{ELSEWHERE}/page").headers[policy] == "same-origin"
    )
    assert ask("GET", "/processed_videos/tests/1", Origin=SITE).headers["access-control-allow-origin"] == SITE


def test_native_routes_refuse_a_host_name_that_is_not_the_dashboards(ask: Client) -> None:
    for method in ("GET", "PATCH", "OPTIONS"):
        assert ask(method, "/api/tests/1", Host="evil.example").status == 421


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        ({}, True),
        ({"web_host": "localhost"}, True),
        ({"web_host": "::1"}, True),
        ({"web_host": "127.8.8.8"}, True),
        ({"web_uploads": False}, False),
        ({"web_host": "0.0.0.0"}, False),  # noqa: S104
        ({"web_host": "192.168.1.5"}, False),
        ({"web_host": "camera-room"}, False),
        ({"web_host": "0.0.0.0", "web_uploads": True}, True),  # noqa: S104
    ],
)
def test_video_changes_are_off_if_others_can_reach_the_dashboard_unless_allowed(
    asking: Callable[..., Client], settings: dict[str, Any], allowed: bool
) -> None:
    answer = asking(**settings)("PATCH", "/api/tests/1", b"x")
    assert answer.status == (200 if allowed else 403)
    if not allowed:
        problem = answer.json
        assert "Uploads are off" in problem["detail"]
        assert "allow uploads there" in problem["remedy"]
        assert "FRAMETALLY_" not in str(problem)


def test_no_route_that_streams_or_accepts_bodies_of_any_length_uses_a_thread(place: Place) -> None:
    app = place.app()
    routes = parts_of(app).native
    native = {route.path for route in routes}
    assert native >= {one.address for one in ENDPOINTS if one.streams}
    assert native >= {
        "/api/v1/videos/upload",
        "/api/v1/videos/{video_id}/playable",
        "/processed_videos/{file_id}",
    }
    threads = app.url_map.bind("localhost")
    for route in routes:
        address = re.sub(r"{\w+}", "0b5d8a0e-3c1f-4f57-9a55-7a3f5d1f8c11", route.path)
        for method in set(route.methods) - {"OPTIONS"}:
            with pytest.raises((NotFound, MethodNotAllowed)):
                threads.match(address, method=method)


def pieces(total: int) -> Iterator[bytes]:
    for _ in range(total // 100_000):
        yield bytes(100_000)


def test_only_a_native_route_that_writes_accepts_a_body_of_any_length(ask: Client) -> None:
    large = 40_000_000
    assert ask("PATCH", "/api/tests/1", pieces(large), Content_Length=str(large)).json["bytes"] == large
    assert ask("PATCH", "/api/tests/1", pieces(large)).json["bytes"] == large  # chunked
    ask.connection.request("GET", "/api/tests/1", headers={"Content-Length": str(large)})
    assert ask.connection.getresponse().status == 413


def test_a_client_that_keeps_sending_a_refused_body_gets_its_answer_and_is_disconnected(
    ask: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_UNWANTED_S", 0.2)
    ask.connection.putrequest("POST", "/api/refused")
    ask.connection.putheader("Content-Length", str(10**12))
    ask.connection.endheaders()
    ask.connection.send(bytes(500_000))
    assert ask.connection.getresponse().status == 415
    until_s = time.monotonic() + 60
    with pytest.raises(OSError):
        while time.monotonic() < until_s:
            ask.connection.sock.sendall(bytes(100_000))


def test_a_client_that_sent_a_refused_body_whole_can_reuse_the_connection(ask: Client) -> None:
    assert ask("POST", "/api/refused", bytes(900_000)).status == 415
    sock = ask.connection.sock
    assert ask("GET", "/api/tests/1").status == 200
    assert ask.connection.sock is sock
