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

_COMMON = {
    "announced": "Frames announced on the log.",
    "base_intervals_s": "Its stored intervals in seconds, shortest first.",
    "cause": "The reason, as a code for programs.",
    "cells": "By day of the week, then by hour.",
    "command": "The command to run.",
    "committed": "How far consumers have read.",
    "count": "The number.",
    "counted": "Counted frames, or the medium that counts at that time.",
    "counted_until_ms": "Event time up to which footage is counted; null before the first count.",
    "covered_s": "Seconds with footage, summed over sources; null if not recorded.",
    "day": "UTC day.",
    "dead_lettered": "Frames that could not be analysed.",
    "details": "Some of them, as text.",
    "detected": "Frames analysed.",
    "duplicates_dropped": "Duplicate frames, counted only once.",
    "earlier_ms": "How much earlier the compared moment is; null for local times that do not exist there.",
    "end_ms": "End of the interval, not included.",
    "expected": "Frames expected from the media.",
    "footage_until_ms": "Event time of its newest frame; null without frames.",
    "forgotten": "Frames deleted on request.",
    "frames_behind": "Frames that are waiting.",
    "hour": "Hour of local time, 0 to 23.",
    "indexed": "Frames in the count index.",
    "interval_s": "Length of an interval in seconds.",
    "kind": "The reason.",
    "labels_left_out": "Number of further labels.",
    "least": "The minimum.",
    "lines_dead": "Lines that could not be read.",
    "messages": "Messages in the log.",
    "most": "The maximum.",
    "models": "Newest published first.",
    "newest_captured_at_ms": "Newest event time; null without data.",
    "not_analysed": "Footage missing from the counts; null while the store is unavailable.",
    "not_counted": "The medium that does not count at that time.",
    "of_sources": "The total that this is out of.",
    "overlapped": "Frames that do not count, because another medium covers their time.",
    "params": "Hash of the settings.",
    "passed": "Whether it is correct.",
    "producing": "Whether part of it is being produced now.",
    "quality": "The report; null if there is none.",
    "reason": "The reason, as text.",
    "run_id": "ID of the run.",
    "runs": "Newest day first.",
    "runs_left_out": "Number of further entries.",
    "settings": "The settings by name; null if the run did not record them.",
    "shows_nothing_s": "Seconds of indexed footage that show nothing, by reason.",
    "shows_nothing": "Footage that is black, of one colour or frozen: it is in no number.",
    "not_within": "Footage that is counted, but not within the zone.",
    "start_ms": "Start of the interval.",
    "stage": "Name of the stage.",
    "timed_by_file": "Whether some of its times are only files' dates; null while the store is unavailable.",
    "v": "Version of the record.",
    "weekday": "Day of the week, 1 is Monday.",
    "words": "All of it on one line.",
    "at_ms": "A moment of event time.",
    "base_interval_s": "The interval used, in seconds: a stored one, or 1 for seconds counted from "
    "frames; null without data.",
    "box": "Left, top, width and height in pixels of the stored frame.",
    "boxes": "Boxes that count.",
    "captured_at_ms": "Event time of the frame.",
    "checks": "The individual checks.",
    "confidence": "The detector's confidence, from 0 to 1.",
    "detections": "Boxes that count.",
    "frames": "Frames.",
    "from_ms": "Start of the range.",
    "hours": "The chosen hours of the day; if null, all.",
    "image_path": "Key of the frame's JPEG in the store.",
    "image_url": "Its address on this server.",
    "label": "Class name.",
    "labels": "Class names.",
    "model": "Model ID; null without data.",
    "name": "Its name.",
    "note": "A warning in one sentence; null if all is well.",
    "objects": "Unique objects, each counted when it was first seen; null if unknown.",
    "objects_missing": "Why objects are unknown; null if they are known.",
    "source": "Slug of the source.",
    "sources": "The sources.",
    "timezone": "IANA name of the time zone.",
    "to_ms": "End of the range, not included.",
    "weekdays": "The chosen days of the week, 1 is Monday; if null, all.",
}
"""Descriptions of fields for all records that do not describe them."""


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
    _describe_fields(components, {name: _attributes(base.__doc__ or "") for name, base in bases.items()})
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
    meanings = {name: _attributes(schema.get("description", "")) for name, schema in components.items()}
    meanings = {**told_by_bases, **meanings}
    for name, schema in components.items():
        text = inspect.cleandoc(schema.get("description", ""))
        for record in _FIELDS_OF.findall(text):
            meanings[name] = {**meanings.get(record[0] or record[1], {}), **meanings[name]}
        schema["description"] = _NAMES_RECORD.sub("", text.partition("\n\nAttributes:")[0])
        for field, of_field in schema.get("properties", {}).items():
            words = meanings[name].get(field) or _COMMON.get(field)
            if words:
                of_field["description"] = words
            if field.endswith("_ms") and of_field.get("type") == "integer":
                of_field["format"] = "int64"


def field_words(record: type[msgspec.Struct]) -> dict[str, str]:
    """Return the descriptions of a record's fields, from the docstrings of its bases and its own."""
    words = dict(_COMMON)
    for base in reversed(record.__mro__):
        words |= _attributes(base.__doc__ or "")
    return words


def _attributes(text: str) -> dict[str, str]:
    """Return the descriptions in a docstring's "Attributes:", by field."""
    _, _, listed = inspect.cleandoc(text).partition("Attributes:\n")
    attributes = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", listed, re.MULTILINE)
    return {name: " ".join(words.split()) for name, words in attributes}


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
