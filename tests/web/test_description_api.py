"""The API is what its description says: checked by schemathesis, by OpenAPI's own schema, and by hand."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.web.counted_footage import make_lines, publish_lines

from frametally_web.api.endpoints import ENDPOINTS
from frametally_web.api.openapi import describe

if TYPE_CHECKING:
    from tests.web.conftest import Place

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory, make_place: Any) -> Any:
    """The description of a dashboard with some footage, over which requests go."""
    place: Place = make_place(tmp_path_factory.mktemp("described"))
    publish_lines(place, make_lines("gate", frames=120), objects=1, analysed_fps=5.0)
    app = place.app(web_stream_s=0.05, web_max_streams=100, web_threads=200)
    for _ in range(100):  # the first reading of the books may take longer than a request waits
        if app.test_client().get("/api/v1/status").status_code == 200:
            break
        time.sleep(0.1)
    yield schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    place.close()


@pytest.mark.parametrize("path", [f"/{endpoint.path}" for endpoint in ENDPOINTS])
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_answer_is_what_the_description_says(described: Any, path: str, data: st.DataObject) -> None:
    case = data.draw(described[path]["GET"].as_strategy())
    case.call_and_validate(checks=CHECKS)


def test_the_description_is_openapi_3_1(tmp_path: Path) -> None:
    from jsonschema_rs import validator_for
    from schemathesis.specs.openapi import definitions

    document = describe()
    assert document["openapi"] == "3.1.0"
    validator_for(definitions.OPENAPI_31).validate(document)


def test_every_route_and_every_parameter_is_described_and_nothing_else(place: Place) -> None:
    routes = {
        rule.rule.removeprefix("/api/v1")
        for rule in place.app().url_map.iter_rules()
        if rule.rule.startswith("/api/v1/")
    }
    assert routes - {"/openapi.json"} == set(describe()["paths"])
    for endpoint in ENDPOINTS:
        operation = describe()["paths"][f"/{endpoint.path}"]["get"]
        assert [one["name"] for one in operation["parameters"]] == [one.name for one in endpoint.parameters]
    page = place.app().test_client().get("/api/docs")
    assert page.mimetype == "text/html"
    for endpoint in ENDPOINTS:
        assert f"GET /api/v1/{endpoint.path}" in page.text
    assert "<script" not in page.text
    assert "style=" not in page.text


def test_the_manual_speaks_of_every_route_and_every_field() -> None:
    manual = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for endpoint in ENDPOINTS:
        assert f"`{endpoint.path}`" in manual
        for parameter in endpoint.parameters:
            assert f"`{parameter.name}`" in manual
    for name, record in describe()["components"]["schemas"].items():
        if name != "ProblemDocument":
            assert set(record["properties"]) <= set(manual.replace('"', " ").replace("`", " ").split()), name


def test_the_postman_collection_is_that_of_the_code() -> None:
    written = ROOT / "docs" / "frametally.postman_collection.json"
    made = subprocess.run(
        [sys.executable, "-c", "import postman; print(postman.text(), end='')"],
        cwd=ROOT / "simple_frontend",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert written.read_text(encoding="utf-8") == made, "run python simple_frontend/postman.py"
    collection = json.loads(made)
    assert [item["name"] for item in collection["item"]] == [endpoint.path for endpoint in ENDPOINTS]
