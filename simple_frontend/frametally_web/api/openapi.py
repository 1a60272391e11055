"""The API's description in OpenAPI 3.1, made from its endpoints and the records of their answers."""

from __future__ import annotations

import functools
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

import frametally_web
from frametally.actions.answers import Answer
from frametally.actions.endpoints import Endpoint
from frametally.actions.parameters import Parameter
from frametally.plugins import plugins
from frametally_web.api.endpoints import ALL_ENDPOINTS
from frametally_web.api.field_words import COMMON, attributes_in
from frametally_web.requests.problems import MEANINGS, problem_type

_EXPORT = {
    "type": "object",
    "required": ["query", "rows"],
    "properties": {"query": {"type": "object"}, "rows": {"type": "array", "items": {"type": "object"}}},
}
_REFERENCE = "#/components/schemas/{name}"
_WITHOUT_CONTENT = {204, 304}
_MANUALS = (Path(__file__).parent / "manual.md", Path(frametally_web.__file__).parents[2] / "docs" / "api.md")
"""The manual of the API: a wheel has it beside this module (`hatch_build.py`), a checkout among its docs."""
_FIELDS_OF = re.compile(r"(?:other )?fields are those of `(\w+)`|see `(\w+)`")
_NAMES_RECORD = re.compile(r"; its other fields are those of `\w+`")

TAGS = (
    ("Catalogue", "The available models, labels and sources."),
    ("Counts", "Counts per interval, hour of the week, label and source."),
    ("Proof", "The frames, boxes and objects behind the numbers."),
    ("Books", "Whether every frame is accounted for, and what is running."),
    ("Changes", "Changes of footage: what each would do, and its progress."),
    ("Export", "The same numbers as files."),
    ("Audit log", "Who changed what, when and from where."),
)
"""Groups of routes, and their descriptions."""


class ProblemDocument(Answer, frozen=True, kw_only=True):
    """An error (RFC 9457).

    Attributes:
        type: The kind of error: the address of its explanation on the page of the API.
        title: The kind in two words.
        status: The HTTP status.
        detail: The problem, and the thing that has it.
        remedy: What to do about it.
        parameter: The wrong query parameter; absent if the error is elsewhere.
        value: The wrong value of the parameter, if it may have several.
        instead: Values that would do, the nearest first.
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
    records = [
        form for endpoint in ALL_ENDPOINTS for form in (endpoint.answer, endpoint.body) if form is not None
    ]
    _, components = msgspec.json.schema_components([*records, ProblemDocument], ref_template=_REFERENCE)
    bases = {base.__name__: base for base in _subclasses(msgspec.Struct) if base.__doc__}
    _describe_fields(components, {name: attributes_in(base.__doc__ or "") for name, base in bases.items()})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "frametally",
            "version": frametally_web.API_VERSION,
            "summary": "Counts of objects per label, source and time interval, and the frames behind them.",
            "description": "Routes use GET unless they accept a drawing or an upload. Times are "
            "milliseconds since 1970-01-01T00:00:00Z of event time. A route answers "
            "with an error if it does not know a parameter.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/api/v1"}],
        "tags": [
            {"name": name, "description": text}
            for name, text in (*TAGS, *(tag for plugin in plugins() for tag in plugin.tags.items()))
        ],
        "paths": _paths(),
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token from `frametally tokens add`, if the dashboard has accounts.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "frametally",
                    "description": "The cookie of a sign-in at `/sign-in`; over TLS its name is "
                    "`__Host-frametally`.",
                },
            },
        },
        "security": [{"token": []}, {"session": []}, {}],
    }


def _subclasses(base: type[Any]) -> Iterator[type[Any]]:
    for subclass in base.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _paths() -> dict[str, dict[str, Any]]:
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ALL_ENDPOINTS:
        paths.setdefault(f"/{endpoint.path}", {})[endpoint.method.lower()] = _operation(endpoint)
    return paths


@functools.cache
def examples() -> Mapping[str, Any]:
    """Return an example answer for each route, by the endpoint's name.

    It is the first JSON below the route's heading in the manual; a route without one takes that of a route
    that gives the same answer.
    """
    manual = next(path for path in _MANUALS if path.is_file()).read_text(encoding="utf-8")
    answers_by_name: dict[str, Any] = {}
    for endpoint in ALL_ENDPOINTS:
        if example := endpoint.answer and example_below(manual, f"{endpoint.method} {endpoint.address}"):
            answers_by_name[endpoint.name] = json.loads(manual[example])
    names_by_answer = {one.answer: one.name for one in reversed(ALL_ENDPOINTS) if one.name in answers_by_name}
    for endpoint in ALL_ENDPOINTS:
        if endpoint.answer in names_by_answer:
            answers_by_name.setdefault(endpoint.name, answers_by_name[names_by_answer[endpoint.answer]])
    return answers_by_name


def example_below(manual: str, heading: str) -> slice | None:
    """Return the position in the manual of the first JSON below a route's heading; None if there is none."""
    section = re.search(rf"^## `{re.escape(heading)}[?`].*?(?=^## |\Z)", manual, re.DOTALL | re.MULTILINE)
    block = section and re.search(r"```json\n(.*?)```", section[0], re.DOTALL)
    return slice(*(section.start() + end for end in block.span(1))) if section and block else None


def _describe_fields(
    components: dict[str, dict[str, Any]], told_by_bases: Mapping[str, dict[str, str]]
) -> None:
    """Set each field's description, from the record's docstring or from the record that it refers to."""
    meanings = {name: attributes_in(schema.get("description", "")) for name, schema in components.items()}
    meanings = {**told_by_bases, **meanings}
    for name, schema in components.items():
        text = inspect.cleandoc(schema.get("description", ""))
        for record in _FIELDS_OF.findall(text):
            meanings[name] = {**meanings.get(record[0] or record[1], {}), **meanings[name]}
        schema["description"] = _NAMES_RECORD.sub("", text.partition("\n\nAttributes:")[0])
        for field, of_field in schema.get("properties", {}).items():
            words = meanings[name].get(field) or COMMON.get(field)
            if words:
                of_field["description"] = words
            if field.endswith("_ms") and of_field.get("type") == "integer":
                of_field["format"] = "int64"


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    success = endpoint.success or {200: endpoint.summary}
    responses: dict[str, dict[str, Any]] = {
        str(status): {"description": words} for status, words in success.items()
    }
    for status in success.keys() - _WITHOUT_CONTENT:
        example = examples().get(endpoint.name)
        responses[str(status)]["content"] = _content(endpoint.answer, endpoint.media_types, example)
    for status in endpoint.problems:
        responses[str(status)] = _problem(status)
    if endpoint.name == "frames_image":
        responses["304"] = {"description": "The browser has the current version."}
    operation = {
        "operationId": endpoint.name,
        "tags": [endpoint.tag],
        "summary": endpoint.summary,
        "parameters": [_parameter(parameter) for parameter in endpoint.parameters],
        "responses": dict(sorted(responses.items())),
    }
    if endpoint.at_root:
        operation["servers"] = [{"url": "/"}]
    if endpoint.body is not None:
        schema = {"$ref": _REFERENCE.format(name=endpoint.body.__name__)}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    elif endpoint.form:
        operation["requestBody"] = {
            "required": True,
            "content": {"multipart/form-data": {"schema": _form(endpoint.form)}},
        }
    elif endpoint.sends:
        operation["requestBody"] = {"content": {endpoint.sends: {}}}
    return operation


def _form(parts: tuple[Parameter[Any], ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [part.name for part in parts if part.required],
        "properties": {part.name: part.schema | {"description": part.description} for part in parts},
    }


def _problem(status: int) -> dict[str, Any]:
    content = _content(ProblemDocument, ("application/problem+json",))
    if status == 400:
        content["application/problem+json"]["example"] = {
            "type": problem_type(400),
            "title": "Bad Request",
            "status": 400,
            "detail": "interval=90 is not a multiple of a stored interval.",
            "remedy": "Choose a multiple of one of these (seconds): 60, 900.",
            "parameter": "interval",
        }
    return {"description": MEANINGS[status], "content": content}


def _content(
    answer: type[msgspec.Struct] | None, media_types: tuple[str, ...], example: Any = None
) -> dict[str, Any]:
    if answer is not None:
        content: dict[str, Any] = {"schema": {"$ref": _REFERENCE.format(name=answer.__name__)}}
        return {media_types[0]: content | ({} if example is None else {"example": example})}
    # A picture, a file or a stream has no JSON Schema; an export as JSON is an object.
    return {
        media_type: {"schema": _EXPORT} if media_type == "application/json" else {}
        for media_type in media_types
    }


def _parameter(parameter: Parameter[Any]) -> dict[str, Any]:
    schema = {"type": "array", "items": parameter.schema} if parameter.many else parameter.schema
    description: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "required": parameter.required,
        "schema": schema,
    }
    if parameter.many:
        description |= {"style": "form", "explode": True}
    if parameter.example:
        example: Any = int(parameter.example) if parameter.schema["type"] == "integer" else parameter.example
        description["example"] = [example] if parameter.many else example
    return description
