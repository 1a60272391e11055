"""The description of the events is that of the events: every one that comes is in it, as it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from flask import Flask
from tests.web.test_events_api import events, listen

from frametally_web.books.told_events import describe_events

if TYPE_CHECKING:
    from tests.web.conftest import Place


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


def test_it_is_asyncapi_3_whose_references_lead_somewhere(place: Place) -> None:
    client = place.app().test_client()
    document: Any = client.get("/api/v1/asyncapi.json").json
    assert document == client.get("/api/asyncapi.json").json == json.loads(json.dumps(describe_events()))
    assert document["asyncapi"] == "3.0.0"
    assert {"info", "channels", "operations", "components"} <= set(document)
    assert document["channels"]["events"]["address"] == "/api/v1/events"
    found = list(references(document))
    assert found
    for reference in found:
        part = document
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]
        assert part, reference


def test_every_event_that_comes_is_as_it_is_described(place: Place, serving: Callable[[Flask], str]) -> None:
    from jsonschema_rs import validator_for

    place.film({"car": 3})
    document = describe_events()
    kinds = set()
    with listen(serving(place.app(web_stream_s=3, web_status_s=1))) as stream:
        for kind, data in events(stream):
            payload = document["components"]["messages"][kind]["payload"]
            validator_for({**payload, "components": document["components"]}).validate(data)
            kinds.add(kind)
    assert kinds == set(document["channels"]["events"]["messages"])
