"""The API's description in OpenAPI 3.1, made from its endpoints and the records of their answers."""

from __future__ import annotations

import functools
from typing import Any

import msgspec

import frametally_web
from frametally_web.api.endpoints import ENDPOINTS, Endpoint, Parameter
from frametally_web.requests.answers import Answer

_EXPORT = {
    "type": "object",
    "required": ["query", "rows"],
    "properties": {"query": {"type": "object"}, "rows": {"type": "array", "items": {"type": "object"}}},
}
_REFERENCE = "#/components/schemas/{name}"


class ProblemDocument(Answer, frozen=True, kw_only=True):
    """An error (RFC 9457), with the query parameter at fault, if it is one, and the remedy.

    `value` is the one of the parameter's values that is at fault, where it may have several; `instead` has
    values that would do, the nearest first.
    """

    type: str
    title: str
    status: int
    detail: str
    remedy: str
    parameter: str | msgspec.UnsetType = msgspec.UNSET
    value: str | msgspec.UnsetType = msgspec.UNSET
    instead: list[str] | msgspec.UnsetType = msgspec.UNSET


@functools.cache
def describe() -> dict[str, Any]:
    """Return the OpenAPI document, ready to be written as JSON."""
    records = [endpoint.answer for endpoint in ENDPOINTS if endpoint.answer is not None]
    _, components = msgspec.json.schema_components([*records, ProblemDocument], ref_template=_REFERENCE)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "frametally",
            "version": frametally_web.API_VERSION,
            "summary": "Counts of objects per label, source and time interval, and the frames behind them.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/api/v1"}],
        "paths": {f"/{endpoint.path}": {"get": _operation(endpoint)} for endpoint in ENDPOINTS},
        "components": {"schemas": dict(sorted(components.items()))},
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    problem = _content(ProblemDocument, ("application/problem+json",))
    responses = {
        "200": {"description": endpoint.summary, "content": _content(endpoint.answer, endpoint.media_types)},
        "400": {"description": "A parameter cannot be, or asks for too much.", "content": problem},
        "503": {"description": "The index or the store does not answer for now.", "content": problem},
    }
    if endpoint.name == "frames_image":
        responses["304"] = {"description": "The browser has it already."}
        responses["404"] = {"description": "The store has no such frame.", "content": problem}
    return {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": [_parameter(parameter) for parameter in endpoint.parameters],
        "responses": dict(sorted(responses.items())),
    }


def _content(answer: type[Answer] | None, media_types: tuple[str, ...]) -> dict[str, Any]:
    if answer is not None:
        return {media_types[0]: {"schema": {"$ref": _REFERENCE.format(name=answer.__name__)}}}
    # A picture, a file or a stream has no JSON Schema; an export as JSON is an object.
    return {
        media_type: {"schema": _EXPORT} if media_type == "application/json" else {}
        for media_type in media_types
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema = {"type": "array", "items": parameter.schema} if parameter.many else parameter.schema
    found: dict[str, Any] = {
        "name": parameter.name,
        "in": "query",
        "description": parameter.description,
        "required": parameter.required,
        "schema": schema,
    }
    if parameter.many:
        found |= {"style": "form", "explode": True}
    return found
