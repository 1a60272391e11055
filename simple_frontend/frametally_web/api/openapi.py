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
from frametally.plugins import plugins
from frametally_web.api.endpoints import ALL_ENDPOINTS
from frametally_web.endpoints.parameters import Endpoint, Parameter
from frametally_web.requests.answers import Answer
from frametally_web.requests.problems import MEANINGS, problem_type

_EXPORT = {
    "type": "object",
    "required": ["query", "rows"],
    "properties": {"query": {"type": "object"}, "rows": {"type": "array", "items": {"type": "object"}}},
}
_REFERENCE = "#/components/schemas/{name}"
_WITHOUT_CONTENT = {204, 304}
_EXAMPLES = Path(__file__).parent / "examples.json"
_FIELDS_OF = re.compile(r"(?:other )?fields are those of `(\w+)`|see `(\w+)`")

TAGS = {
    "requests": ("Catalogue", "What can be asked for: models, labels, sources."),
    "charts": ("Counts", "How many of what, per interval, hour of the week, label and source."),
    "proof": ("Proof", "The frames, boxes and objects that numbers were counted from."),
    "books": ("Books", "Whether every frame is accounted for, and what runs."),
    "exports": ("Export", "The same numbers as files."),
    "audit": ("Audit log", "Who changed what, when and from where."),
}
"""By the package that makes an answer: the name of a group of routes, and what it is."""

_PACKAGE_OF = {
    "differences": "charts",
    "frames_image": "proof",
    "events": "books",
    "export": "exports",
    "post_embed": "charts",
}

_COMMON = {
    "announced": "Frames that the log was told of.",
    "base_intervals_s": "Its stored intervals in seconds, finest first.",
    "cause": "Why, as a word for programs.",
    "cells": "By weekday, then hour.",
    "command": "What to run.",
    "committed": "How far readers have come.",
    "count": "How many.",
    "counted": "What is counted: frames, or the medium that counts there.",
    "counted_until_ms": "Event time up to which it is counted; null before it is.",
    "covered_s": "Seconds with footage, summed over sources; null where that was not noted.",
    "day": "UTC day.",
    "dead_lettered": "Frames that could not be detected.",
    "details": "Some of them, in words.",
    "detected": "Frames that were analysed.",
    "duplicates_dropped": "Frames that came twice, and count once.",
    "earlier_ms": "How much earlier the moment beside one lies; null where clocks never showed it.",
    "end_ms": "End of the interval, not included.",
    "expected": "Frames that the media have.",
    "footage_until_ms": "Event time of its newest frame; null where there is none.",
    "forgotten": "Frames that were taken out on request.",
    "frames_behind": "Frames that wait.",
    "hour": "Hour of local time, 0 to 23.",
    "indexed": "Frames whose counts can be asked for.",
    "interval_s": "Seconds of an interval.",
    "kind": "Which of the reasons it is.",
    "labels_left_out": "How many more labels there are.",
    "least": "The fewest.",
    "lines_dead": "Lines that could not be read.",
    "messages": "Messages in the log.",
    "most": "The most.",
    "models": "The newest published first.",
    "newest_captured_at_ms": "Newest event time there is; null before there is any.",
    "not_analysed": "What was filmed and is not in the counts; null where the store does not say for now.",
    "not_counted": "The medium that does not count there.",
    "of_sources": "Of so many.",
    "overlapped": "Frames that do not count, as another medium has their moment.",
    "params": "Hash of the settings.",
    "passed": "Whether it is as it should be.",
    "producing": "Whether some of it is being produced now.",
    "quality": "The report; null where the run has none.",
    "reason": "Why, in words.",
    "run_id": "Id of the run.",
    "runs": "The newest day first.",
    "runs_left_out": "How many more there are.",
    "settings": "The settings by name; null where the run did not record them.",
    "start_ms": "Start of the interval.",
    "stage": "Name of the stage.",
    "timed_by_file": "Whether some of its times are only files' dates; null where the store does not say.",
    "v": "Version of the record.",
    "weekday": "Day of the week, 1 is Monday.",
    "words": "They on one line.",
    "at_ms": "A moment of event time.",
    "base_interval_s": "The stored interval that was read, in seconds; null where there is nothing to read.",
    "box": "Left, top, width and height in pixels of the stored frame.",
    "boxes": "Those that count.",
    "captured_at_ms": "Event time of the frame.",
    "checks": "What was checked, one by one.",
    "confidence": "How sure the detector is, from 0 to 1.",
    "detections": "Boxes that count.",
    "frames": "Frames.",
    "from_ms": "Start of the range.",
    "hours": "Hours of the day that were asked for; null: all.",
    "image_path": "Key of the frame's JPEG in the store.",
    "image_url": "Where this server has it.",
    "label": "Class name.",
    "labels": "Class names.",
    "model": "Model id; null before there is any data.",
    "name": "Its name.",
    "note": "A sentence on what is not as it should be; null where all is.",
    "objects": "Unique objects, each where it was first seen; null where they are not known.",
    "objects_missing": "Why objects are not known; null where they are.",
    "source": "Slug of the source.",
    "sources": "The sources.",
    "timezone": "IANA name of the time zone.",
    "to_ms": "Its end, not included.",
    "weekdays": "Days of the week that were asked for, 1 is Monday; null: all.",
}
"""Fields that mean the same wherever a record does not say more."""


class ProblemDocument(Answer, frozen=True, kw_only=True):
    """An error (RFC 9457).

    Attributes:
        type: What kind of error it is: an address of the page of the API, where it is explained.
        title: The same in two words.
        status: The HTTP status.
        detail: What is wrong with what.
        remedy: What to do about it.
        parameter: The query parameter at fault; absent where it is none.
        value: Which of the parameter's values is at fault, where it may have several.
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
    records = [form for one in ALL_ENDPOINTS for form in (one.answer, one.body) if form is not None]
    _, components = msgspec.json.schema_components([*records, ProblemDocument], ref_template=_REFERENCE)
    bases = {base.__name__: base for base in _subclasses(msgspec.Struct) if base.__doc__}
    _describe_fields(components, {name: _attributes(base.__doc__ or "") for name, base in bases.items()})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "frametally",
            "version": frametally_web.API_VERSION,
            "summary": "Counts of objects per label, source and time interval, and the frames behind them.",
            "description": "Routes are GET unless they take what is drawn or uploaded. Times are "
            "milliseconds since 1970-01-01T00:00:00Z of event time. A parameter that a route does not have "
            "is an error.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/api/v1"}],
        "tags": [{"name": name, "description": text} for name, text in [*TAGS.values(), *_plugin_tags()]],
        "paths": _paths(),
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of `frametally tokens add`, where the dashboard has accounts.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "frametally",
                    "description": "Of a log-in at `/sign-in`; behind TLS it is `__Host-frametally`.",
                },
            },
        },
        "security": [{"token": []}, {"session": []}, {}],
    }


def _subclasses(of: type[Any]) -> Iterator[type[Any]]:
    for one in of.__subclasses__():
        yield one
        yield from _subclasses(one)


def _plugin_tags() -> list[tuple[str, str]]:
    return [tag for plugin in plugins() for tag in plugin.tags.items()]


def _paths() -> dict[str, dict[str, Any]]:
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ALL_ENDPOINTS:
        paths.setdefault(f"/{endpoint.path}", {})[endpoint.method.lower()] = _operation(endpoint)
    return paths


def examples() -> Mapping[str, Any]:
    """Return an answer of each route, by the endpoint's name: those of the manual."""
    found: Mapping[str, Any] = json.loads(_EXAMPLES.read_text(encoding="utf-8"))
    return found


def tag_of(endpoint: Endpoint) -> str:
    """Return the name of the group that a route is of."""
    package = _PACKAGE_OF.get(endpoint.name)
    if package is None and endpoint.answer is not None:
        package = endpoint.answer.__module__.split(".")[1]
    return endpoint.tag or TAGS[package or "requests"][0]


def _describe_fields(
    components: dict[str, dict[str, Any]], told_by_bases: Mapping[str, dict[str, str]]
) -> None:
    """Give every field its words, from the record's docstring or the record that this one names."""
    told = {name: _attributes(schema.get("description", "")) for name, schema in components.items()}
    told = {**told_by_bases, **told}
    for name, schema in components.items():
        text = inspect.cleandoc(schema.get("description", ""))
        for of in _FIELDS_OF.findall(text):
            told[name] = {**told.get(of[0] or of[1], {}), **told[name]}
        schema["description"] = text.partition("\n\nAttributes:")[0]
        for field, of_field in schema.get("properties", {}).items():
            words = told[name].get(field) or _COMMON.get(field)
            if words:
                of_field["description"] = words
            if field.endswith("_ms") and of_field.get("type") == "integer":
                of_field["format"] = "int64"


def _attributes(text: str) -> dict[str, str]:
    """Return what a docstring's "Attributes:" says, by field."""
    _, _, listed = inspect.cleandoc(text).partition("Attributes:\n")
    found = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", listed, re.MULTILINE)
    return {name: " ".join(words.split()) for name, words in found}


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    success = endpoint.success or {200: endpoint.summary}
    responses: dict[str, dict[str, Any]] = {
        str(status): {"description": words} for status, words in success.items()
    }
    for status in success.keys() - _WITHOUT_CONTENT:
        example = examples().get(endpoint.name)
        responses[str(status)]["content"] = _content(endpoint.answer, endpoint.media_types, example)
    for status in (400, 401, 403, 405, 503, *endpoint.statuses):
        responses[str(status)] = _problem(status)
    if endpoint.name == "frames_image":
        responses["304"] = {"description": "The browser has it already."}
    operation = {
        "operationId": endpoint.name,
        "tags": [tag_of(endpoint)],
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


def _form(parts: tuple[Parameter, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [one.name for one in parts if one.required],
        "properties": {one.name: one.schema | {"description": one.description} for one in parts},
    }


def _problem(status: int) -> dict[str, Any]:
    content = _content(ProblemDocument, ("application/problem+json",))
    if status == 400:
        content["application/problem+json"]["example"] = {
            "type": problem_type(400),
            "title": "Bad Request",
            "status": 400,
            "detail": "interval=90 is not a multiple of a stored interval.",
            "remedy": "Ask for a multiple of one of these (seconds): 60, 900.",
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


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema = {"type": "array", "items": parameter.schema} if parameter.many else parameter.schema
    found: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "required": parameter.required,
        "schema": schema,
    }
    if parameter.many:
        found |= {"style": "form", "explode": True}
    if parameter.example:
        example: Any = int(parameter.example) if parameter.schema["type"] == "integer" else parameter.example
        found["example"] = [example] if parameter.many else example
    return found
