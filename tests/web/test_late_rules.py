"""The tests' applications start without compiling URL builders, and still build URLs as usual."""

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
