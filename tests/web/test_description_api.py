"""The API matches its description: checked by schemathesis, by OpenAPI's own schema, and by hand."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import schemathesis
import urllib3
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.examples import examples
from tests.family.footage import SETTINGS, make_video
from tests.family.running import Running
from tests.web.conftest import Place, Serving
from tests.web.counted_footage import make_lines, publish_lines

from frametally.actions.parameters import Args
from frametally.adapters_by_url import open_object_store
from frametally_traffic.drawings.revisions import change_drawing, with_shapes
from frametally_traffic.records import DrawnLine
from frametally_web.api import description, openapi
from frametally_web.api.asyncapi import describe_messages
from frametally_web.api.description import listed_endpoints
from frametally_web.api.endpoints import ALL_ENDPOINTS, ENDPOINTS
from frametally_web.api.openapi import describe
from frametally_web.app import parts_of
from frametally_web.asgi import Application
from frametally_web.requests.problems import MEANINGS

UNDESCRIBED = {
    ("GET", "/metrics"),  # for Prometheus: docs/metrics.md
    ("OPTIONS", "/api/v1/uploads/{}"),  # like that of all uploads
    ("POST", "/api/v1/uploads/{}"),  # replaces PATCH and DELETE where a proxy knows neither
}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory, make_place: Any) -> Any:
    """The description of a dashboard with some footage, for generated requests."""
    place: Place = make_place(tmp_path_factory.mktemp("described"))
    publish_lines(place, make_lines("gate", frames=120), objects=1, analysed_fps=5.0)
    app = place.app(stream_s=0.05, max_streams=100, web_hosts="testserver")
    for _ in range(100):  # the first reading of the books may take longer than a request waits
        if app.test_client().get("/api/v1/status").status_code == 200:
            break
        time.sleep(0.1)
    application = Application(app, threads=4)
    yield schemathesis.openapi.from_asgi("/api/v1/openapi.json", application)
    application.close()
    place.close()


@pytest.mark.thorough
@pytest.mark.parametrize(("path", "method"), [(f"/{one.path}", one.method) for one in ENDPOINTS])
@settings(max_examples=examples(10), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_answer_matches_the_description(
    described: Any, path: str, method: str, data: st.DataObject
) -> None:
    case = data.draw(described[path][method].as_strategy())
    case.call_and_validate(checks=CHECKS)


def test_the_description_is_openapi_3_1(tmp_path: Path) -> None:
    from jsonschema_rs import validator_for
    from schemathesis.specs.openapi import definitions

    document = describe()
    assert document["openapi"] == "3.1.0"
    validator_for(definitions.OPENAPI_31).validate(document)


def test_exactly_the_existing_routes_and_parameters_are_described(place: Place) -> None:
    routes = {
        rule.rule.removeprefix("/api/v1").replace("<", "{").replace(">", "}")
        for rule in place.app().url_map.iter_rules()
        if rule.rule.startswith("/api/v1/")
    }
    elsewhere = {
        f"/{endpoint.path}"
        for endpoint in ALL_ENDPOINTS
        if endpoint.streams or endpoint.native or endpoint.at_root
    }
    assert routes - {"/openapi.json", "/asyncapi.json"} | elsewhere == set(describe()["paths"])
    for endpoint in ALL_ENDPOINTS:
        operation = describe()["paths"][f"/{endpoint.path}"][endpoint.method.lower()]
        assert [one["name"] for one in operation["parameters"]] == [one.name for one in endpoint.parameters]
    page = place.app().test_client().get("/api/docs")
    assert page.mimetype == "text/html"
    for endpoint in ALL_ENDPOINTS:
        assert f"{endpoint.method} {endpoint.address}" in page.text  # also without JavaScript


def test_exactly_the_methods_of_every_native_route_are_described(place: Place) -> None:
    def place_of(path: str) -> str:
        return re.sub(r"\{\w+\}", "{}", re.sub("^/api/(v1/)?", "/api/v1/", path))

    routes = parts_of(place.app()).native
    there = {(method, place_of(route.path)) for route in routes for method in route.methods}
    described = {(one.method, place_of(one.address)) for one in ALL_ENDPOINTS if one.native or one.streams}
    assert there - described == UNDESCRIBED
    assert described - there == set()


def test_every_field_and_every_parameter_is_explained() -> None:
    document = describe()
    for name, record in document["components"]["schemas"].items():
        unexplained = [
            field for field, of_field in record["properties"].items() if not of_field.get("description")
        ]
        assert not unexplained, f"{name}: give them words in its docstring, below Attributes:"
        assert "Attributes:" not in record["description"]
        for field, of_field in record["properties"].items():
            if field.endswith("_ms") and of_field.get("type") == "integer":
                assert of_field["format"] == "int64"
    named = {tag["name"] for tag in document["tags"]}
    for path, item in document["paths"].items():
        for operation in item.values():
            assert set(operation["tags"]) <= named
            assert "405" in operation["responses"], path
            for parameter in operation["parameters"]:
                assert parameter["description"]


@pytest.mark.thorough
def test_each_example_in_the_manual_is_an_answer_of_its_route() -> None:
    shown = json.loads(json.dumps(openapi.examples()))
    for endpoint in ALL_ENDPOINTS:
        if endpoint.answer is not None:
            today = msgspec.convert(shown[endpoint.name], endpoint.answer, strict=True)
            fields = json.loads(msgspec.json.encode(today))
            assert shown[endpoint.name] == fields, f"{endpoint.name}: docs/api.md is of other fields"


def test_a_pages_number_of_entries_matches_the_description_of_its_limit() -> None:
    limits = [one for endpoint in ALL_ENDPOINTS for one in endpoint.parameters if one.name == "limit"]
    assert len({limit.description for limit in limits}) > 5
    for limit in limits:
        assert limit.description.endswith(f"default: {limit.read(Args())}.")


def test_every_error_type_links_to_its_explanation(client: FlaskClient) -> None:
    page = client.get("/api/docs").text
    for answer in (
        client.get("/api/v1/counts?intervall=1"),
        client.get("/api/v1/x"),
        client.post("/api/v1/counts"),
    ):
        problem = answer.json
        assert problem["status"] == answer.status_code
        address, _, anchor = problem["type"].partition("#")
        assert address == "/api/docs"
        assert f'id="{anchor}"' in page
    assert "GET" in problem["remedy"]


@pytest.mark.thorough
def test_the_manual_covers_every_route_and_every_field() -> None:
    manual = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for endpoint in ALL_ENDPOINTS:
        assert f"`{endpoint.path}`" in manual
        for parameter in endpoint.parameters:
            assert f"`{parameter.name}`" in manual
    for name, record in describe()["components"]["schemas"].items():
        if name != "ProblemDocument":
            assert set(record["properties"]) <= set(manual.replace('"', " ").replace("`", " ").split()), name


def test_nothing_that_a_viewer_reads_names_a_setting(client: FlaskClient) -> None:
    assert "FRAMETALLY_" not in json.dumps(describe())
    for path in ("/", "/books", "/data", "/embed", "/history", "/alerts", "/audit", "/api/docs", "/nowhere"):
        assert "FRAMETALLY_" not in client.get(path, headers={"Accept": "text/html"}).text, path
    strange = client.get("/", headers={"Host": "elsewhere.example"})
    assert strange.status_code == 421
    assert "FRAMETALLY_" not in strange.text


@pytest.mark.thorough
def test_a_release_contains_the_api_documents_as_files(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(ROOT / "docs" / "api_files.py"), str(tmp_path)], check=True)
    of_files = {path.name: json.loads(path.read_text("utf-8")) for path in tmp_path.iterdir()}
    assert of_files == {
        "openapi.json": json.loads(json.dumps(describe())),
        "asyncapi.json": describe_messages(),
        "frametally.postman_collection.json": description.collection(),
    }


def test_the_postman_collection_has_every_route_that_a_run_can_try() -> None:
    collection = description.collection()
    sockets, *requests = collection["item"]
    assert (sockets["name"], sockets["item"]) == ("WebSocket", [])
    assert "ws://127.0.0.1:5001/ws/my-client" in sockets["description"]
    names = [item["name"] for item in requests]
    # What never ends would hold up a run; a worker makes the pictures; for tus there are clients; without
    # accounts no chart is signed, the first account closes the dashboard, and there is no camera to try or
    # find; the test of a channel sends people a message, and to add one takes a key; an accuracy check needs
    # counted frames, and a person; footage is not changed.
    left_out = {one.path for one in ALL_ENDPOINTS} - set(names)
    pictures = {f"videos/{{video_id}}/{what}" for what in ("poster", "sprite", "sprite.vtt")}
    checks = {one.path for one in ALL_ENDPOINTS if one.path.startswith("accuracy/")}
    changes = {one.path for one in ALL_ENDPOINTS if one.path.split("/")[-1] in ("plan", "changes")} - {
        "changes"
    }
    people = {one.path for one in ALL_ENDPOINTS if one.path.split("/")[0] in ("accounts", "tokens")}
    assert (
        left_out
        == {"cameras/preview", "cameras/search", "changes/finish", "embeds", "events", "footage"}
        | {"presets/measure"}  # it would run a network for each preset
        | {"uploads", "uploads/{upload_id}"}
        | {"alerts/channels", "alerts/channels/{name}", "alerts/channels/{name}/test"}
        | {"retention/rules", "retention/holds", "retention/holds/release"}
        | pictures
        | checks
        | people
        | changes
    )
    asked = [
        one
        for one in ALL_ENDPOINTS
        if one.path not in left_out and one.name not in ("post_accuracy", "change_camera")
    ]
    assert len(names) == len(asked)
    assert names[-1] == "videos/{video_id}"
    assert collection["item"][-1]["request"]["method"] == "DELETE"


def test_a_downloaded_collection_calls_the_server_it_came_from(place: Place, serving: Serving) -> None:
    url = serving(place.app())
    collection = urllib3.request("GET", f"{url}/api/postman.json").json()
    values = {one["key"]: one["value"] for one in collection["variable"]}
    assert values == {"baseUrl": f"{url}/api/v1", "rootUrl": url}
    client = place.app(web_url="https://counts.example.org/").test_client()
    collection = client.get("/api/postman.json").json
    assert collection["variable"][1]["value"] == "https://counts.example.org"


@pytest.mark.thorough
@pytest.mark.parametrize("command_line", ["up", "serve --alone"])
def test_a_run_of_the_postman_collection_has_no_failures(tmp_path: Path, command_line: str) -> None:
    """Also with nothing set up except footage: no channel, and no leg of a junction."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node.js")
    counted = make_video(tmp_path / "gate.mp4", frames=20)
    uploaded = make_video(tmp_path / "yard.mp4", frames=10)
    command = [sys.executable, "-m", "frametally", "run", str(counted), "--no-serve"]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, **SETTINGS}, capture_output=True, check=True)
    leg = DrawnLine(
        name="stop line", points=((1, 9), (90, 9)), width_px=320, height_px=240, inward="to_right"
    )
    channels = {"FRAMETALLY_ALERT_CHANNELS": '{"ops": "https://hooks.example.org"}'}
    settings = SETTINGS | ({} if command_line == "up" else channels)
    with Running(tmp_path, *command_line.split(), settings=settings) as dashboard:
        with closing(open_object_store((dashboard.data_dir / "store").as_uri())) as store:
            if command_line != "up":
                change_drawing(store, "gate", lambda drawing: with_shapes(drawing, [leg]))
        command = [node, str(ROOT / "simple_frontend" / "tests" / "run_collection.mjs")]
        collection = tmp_path / "collection.json"
        collection.write_text(json.dumps(description.collection()), encoding="utf-8")
        command += [str(collection), f"{dashboard.url}/api/v1"]
        done = subprocess.run(
            [*command, str(uploaded)], capture_output=True, text=True, check=False, timeout=240
        )
    assert done.returncode == 0, done.stderr
    assert f"{len(listed_endpoints())} requests" in done.stdout
    assert "0 failures" in done.stdout


def test_each_refusal_table_in_the_manual_has_the_statuses_of_the_description() -> None:
    manual = (ROOT / "docs" / "api.md").read_text("utf-8")
    endpoints = {f"`{one.method} {one.address}`": one for one in ALL_ENDPOINTS}
    compared = 0
    for section in re.split("^## ", manual, flags=re.MULTILINE)[1:]:
        told = re.findall(r"^\| (\d{3}) \|", section, re.MULTILINE)
        if "| status | when |" in section:
            assert told == [str(status) for status in sorted(MEANINGS)]
        elif "| refused | why |" in section:
            endpoint = endpoints[section.partition("\n")[0]]
            operation = describe()["paths"][f"/{endpoint.path}"][endpoint.method.lower()]
            assert told == [status for status in sorted(operation["responses"]) if status >= "400"]
        else:
            continue
        compared += 1
    assert compared == 2
