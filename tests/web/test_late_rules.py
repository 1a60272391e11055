"""The tests' applications parse each rule once, compile URL builders late, and answer as usual."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import url_for
from tests.web.conftest import Place
from werkzeug.routing import Rule


def test_what_builds_an_address_is_compiled_once_it_is_asked_for(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []
    compile_builder = Rule._compile_builder

    def compile_and_note(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled.append(rule.rule)
        return compile_builder(rule, append_unknown)

    monkeypatch.setattr(Rule, "_compile_builder", compile_and_note)
    app = place.app()
    assert compiled == []
    with app.test_request_context():
        for _ in range(2):
            # "rule" is a parameter of the address here, not the router's.
            image = url_for("api.frames_image", path="a/b c.jpg", rule=3)
            assert image == "/api/frames/image?path=a/b+c.jpg&rule=3"
    assert compiled == ["/api/frames/image"]


def test_an_application_whose_rules_are_parsed_already_leads_where_the_first_does(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = place.app()
    parsed: list[str] = []
    monkeypatch.setattr(Rule, "_parse_rule", lambda rule, text: parsed.append(text))
    second = place.app()
    assert parsed == []
    for method, path in (("PUT", "/api/v1/sources/gate a/drawing"), ("GET", "/static/built/page.css")):
        routes = [app.url_map.bind("gate").match(path, method) for app in (first, second)]
        assert routes[0] == routes[1]
        assert routes[0][1].keys() <= {"source", "filename"}
