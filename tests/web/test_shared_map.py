"""The tests' applications with the same rules share one map, which leads where each one's own would."""

from __future__ import annotations

import pytest
from flask import Flask, url_for
from tests.web.conftest import Place
from werkzeug.routing import Map, Rule


def test_only_the_first_of_several_applications_binds_the_shared_rules(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = place.app()
    first.url_map.update()
    bound: list[str] = []
    monkeypatch.setattr(Rule, "bind", lambda rule, _map, rebind=False: bound.append(rule.rule))
    second = place.app()
    for method, path in (("PUT", "/api/v1/sources/gate a/drawing"), ("GET", "/static/built/page.css")):
        routes = [app.url_map.bind("gate").match(path, method) for app in (first, second)]
        assert routes[0] == routes[1]
        assert routes[0][1].keys() <= {"source", "filename"}
    with second.test_request_context():
        # "rule" is a parameter of the address here, not the router's.
        image = url_for("api.frames_image", path="a/b c.jpg", rule=3)
    assert image == "/api/frames/image?path=a/b+c.jpg&rule=3"
    assert bound == []


def test_a_rule_added_to_one_application_does_not_exist_in_another(place: Place) -> None:
    first, second = place.app(), place.app()
    for app in (first, second):
        assert app.test_client().get("/more").status_code == 404
    first.url_map.add(Rule("/more", endpoint="pages.more"))
    assert first.url_map.bind("gate").match("/more") == ("pages.more", {})
    assert second.test_client().get("/more").status_code == 404


def test_the_shared_map_has_the_same_rules_as_a_separate_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = place.app()
    monkeypatch.setattr(Flask, "url_map_class", Map)
    own = place.app()
    rules = [
        [
            (str(rule), rule.methods, vars(rule)["provide_automatic_options"])
            for rule in app.url_map.iter_rules()
        ]
        for app in (shared, own)
    ]
    assert rules[0] == rules[1]
    assert own.test_client().options("/api/v1/differences").status_code == 200
    assert shared.test_client().options("/api/v1/differences").status_code == 200
