"""Every route of the dashboard needs a right from the one table, and each role has the intended rights."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from tests.capabilities import HERE
from tests.web.conftest import Place

from frametally.actions.endpoints import route_of
from frametally.plugins import folder_of, plugins
from frametally_accounts.rights import ROLES, UserAccount
from frametally_web.api.endpoints import RIGHTS
from frametally_web.app import parts_of

WEB = Path(__file__).resolve().parents[2] / "simple_frontend/frametally_web"
SOCKETS = {"WS /ws/stream", "WS /ws/{}"} if "live" in HERE else set()


@pytest.fixture
def app(place: Place) -> Flask:
    return place.app()


def routes_of(app: Flask) -> set[str]:
    """All routes and methods, read from the routers themselves."""
    of_flask = {
        route_of(method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    native = {route_of(method, one.path) for one in parts_of(app).native for method in one.methods}
    return of_flask | native | SOCKETS


def test_every_route_has_a_right_and_every_right_a_route(app: Flask) -> None:
    assert routes_of(app) == set(RIGHTS.by_route)


def test_a_route_without_a_declared_right_is_open_to_nobody() -> None:
    assert RIGHTS.right_of("GET", "/api/new") is None
    assert RIGHTS.right_of("POST", "/api/counts") is None
    assert RIGHTS.right_of("HEAD", "/api/v1/counts") == "look"
    assert RIGHTS.right_of("DELETE", "/api/v1/accounts/<name>") == "run"
    assert RIGHTS.right_of("GET", "/static/<path:filename>") == "open"


def test_changing_anything_needs_more_than_the_viewer_role() -> None:
    changing = {route: right for route, right in RIGHTS.by_route.items() if not re.match("(GET|WS) ", route)}
    assert {route for route, right in changing.items() if right == "open"} == {
        "POST /sign-in",
        "POST /sign-in/once/{}",
        "POST /sign-in/password",
        "POST /sign-in/sessions",
        "POST /sign-out",
    }
    assert "look" not in changing.values()


def test_each_role_includes_the_lower_ones() -> None:
    may = {role: [right for right in ROLES if UserAccount("a", role).may(right)] for role in ROLES}
    assert may == {"look": ["look"], "correct": ["look", "correct"], "run": ["look", "correct", "run"]}


def test_every_socket_is_in_the_table() -> None:
    places = [WEB, *(folder_of(plugin) for plugin in plugins())]
    paths = {
        found
        for place in places
        for file in place.rglob("*.py")
        for found in re.findall(r'"(/ws/[a-z]*)', file.read_text(encoding="utf-8"))
    }
    named = {
        route.removeprefix("WS ").partition("{")[0] for route in RIGHTS.by_route if route.startswith("WS ")
    }
    assert paths == named == ({"/ws/", "/ws/stream"} if SOCKETS else set())
