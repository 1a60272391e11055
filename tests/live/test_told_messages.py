"""The server's messages are documented: every event and every message matches its description."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.web.conftest import Place, Serving
from tests.web.fixtures import unavailable
from tests.web.test_events_api import events, listen

from frametally_live.viewers import viewer_messages as live
from frametally_videos.sockets import client_sockets as clients
from frametally_web.api.asyncapi import describe_messages

ROOT = Path(__file__).resolve().parents[2]


def references(part: Any) -> Iterator[str]:
    """Yields every `$ref` in a document."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def test_the_description_is_asyncapi_3_and_its_references_resolve(place: Place) -> None:
    client = place.app().test_client()
    document: Any = client.get("/api/v1/asyncapi.json").json
    assert document == client.get("/api/asyncapi.json").json == json.loads(json.dumps(describe_messages()))
    assert document["asyncapi"] == "3.0.0"
    assert {"info", "channels", "operations", "components"} <= set(document)
    assert document["channels"]["events"]["address"] == "/api/v1/events"
    assert document["channels"]["client"]["address"] == "/ws/{client_id}"
    found = list(references(document))
    assert found
    for reference in found:
        part = document
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]
        assert part, reference


def test_the_description_is_valid_by_asyncapis_schema() -> None:
    from jsonschema_rs import validator_for

    schemas = ROOT / "simple_frontend/node_modules/@asyncapi/specs/schemas"
    if not schemas.is_dir():
        unavailable("needs @asyncapi/specs: run `make lint-page` (or `npm ci` in simple_frontend)")
    document: Any = json.loads(json.dumps(describe_messages()))
    schema = json.loads((schemas / f"{document['asyncapi']}-without-$id.json").read_text(encoding="utf-8"))
    validator_for(schema).validate(document)
    document["info"]["license"]["identifier"] = "MIT"  # in OpenAPI's form
    assert not validator_for(schema).is_valid(document)


@pytest.mark.thorough
def test_every_event_matches_its_description(place: Place, serving: Serving) -> None:
    from jsonschema_rs import validator_for

    place.film({"car": 3})
    document = describe_messages()
    kinds = set()
    with listen(serving(place.app(stream_s=3, status_s=1))) as stream:
        for kind, data in events(stream):
            payload = document["components"]["messages"][kind]["payload"]
            validator_for({**payload, "components": document["components"]}).validate(data)
            kinds.add(kind)
    assert kinds == set(document["channels"]["events"]["messages"])


@pytest.mark.parametrize(
    ("channel", "because"), [("client", clients.CLOSED_BECAUSE), ("stream", live.CLOSED_BECAUSE)]
)
def test_the_manual_has_every_message_and_close_code_of_each_socket(
    channel: str, because: dict[int, str]
) -> None:
    manual = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    document = describe_messages()
    described = document["channels"][channel]
    section = manual.partition(f"## `WS {described['address']}")[2].partition("\n## ")[0]
    for name in described["messages"]:
        assert f'{{"type": "{name}"' in section
        record = document["components"]["messages"][name]["payload"]["$ref"].rpartition("/")[2]
        for field in document["components"]["schemas"][record]["properties"].keys() - {"image"}:
            assert f'"{field}": ' in section, (name, field)
    for code, why in because.items():
        assert len(why.encode()) <= 123  # all that a closing frame can hold
        assert f"| {code} | {why} |" in section
        assert f"{code}: {why}" in described["description"]
