"""The routes that describe the API: OpenAPI and AsyncAPI documents, and a page served from our own host."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from flask import Blueprint, Response, render_template, request

from frametally.actions.endpoints import Endpoint
from frametally.actions.parameters import Parameter
from frametally.settings.loading import Settings
from frametally_web.api.asyncapi import describe_messages
from frametally_web.api.endpoints import ALL_ENDPOINTS
from frametally_web.api.openapi import describe
from frametally_web.requests.problems import MEANINGS, problem_type

_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_LEFT_OUT = (
    "events",
    *("video_poster", "video_sprite", "video_sprite_vtt"),
    *(
        "post_embed",
        "preview_camera",
        "change_camera",
        "search_for_cameras",
        "post_test",
        "post_channel",
        "put_channel",
        "delete_channel",
    ),
    *(
        "accounts",
        "post_account",
        "patch_account",
        "post_link",
        "delete_account",
        "post_token",
        "delete_token",
    ),
    *("post_accuracy", "accuracy_check", "accuracy_next", "post_accuracy_answer", "accuracy_certificate"),
    *("plan_letters", "change_letters", "plan_footage", "change_footage", "finish_changes", "footage"),
    *("plan_timezones", "change_timezones", "measure_presets", "plan_preset", "change_preset"),
    *("post_retention_plan", "retention_plan", "post_retention_rule", "post_hold", "release_hold"),
)
"""Routes that a run cannot try: one does not end, one tries a camera, one sends people a message, some need
a key, some wait for a worker, some answer only where people sign in or would close the dashboard, some need
counted frames and a person, some change footage, some run models, and some change what is removed."""
_REFUSALS = {
    **dict.fromkeys(("video_enhanced", "video_metadata", "video_quality", "metadata_of_file"), 404),
    **dict.fromkeys(("traffic", "traffic_file", "post_alert_rule", "put_alert_rule"), 400),
    **dict.fromkeys(("put_mute", "delete_alert_rule"), 404),
    **dict.fromkeys(("post_camera", "delete_camera", "cancel_job", "retry_job"), 409),
}
"""Refusals that a run also accepts: a worker has not finished yet; no legs of a junction are drawn; alerts
have no channel; an earlier run has left its camera; a worker still has it, or has ended a job."""
_SOCKETS = """\
A collection of this format (v2.1) holds HTTP requests only. In Postman, choose New, then WebSocket:

1. Connect to `{sockets}/ws/my-client`. A client ID has 1 to 64 letters, digits, `-` and `_`.
   The server sends `hello`.
2. Run `POST /videos/upload` with the form field `client_id` set to `my-client`.
   The socket shows each step of the video.
3. To watch a video with its boxes, run `POST /streams`.
   Then connect to `{sockets}/ws/stream?video_id=` with the ID of the video.

`{{{{baseUrl}}}}/asyncapi.json` describes every message and the reason of each close code."""
_BY_TUS = "uploads"
_FIRST, _LAST = ("upload_video", "upload_file"), ("delete_video",)
"""Routes of videos: those that create the video for the others, and the one that deletes it."""

_FOUND = {
    "sources": "if (answer.sources.length) {\n"
    '  pm.collectionVariables.set("source", answer.sources[0].source);\n'
    '  pm.collectionVariables.set("beforeFootage", answer.sources[0].first_interval_ms - 3600000);\n'
    "}",
    "sources_drawing": "const { lines, zones, calibrations } = answer;\n"
    'pm.collectionVariables.set("revision", answer.revision);\n'
    'pm.collectionVariables.set("drawing", JSON.stringify({ lines, zones, calibrations }));',
    "alerts": "const names = answer.channels.slice(0, 1).map(({ name }) => name);\n"
    'pm.collectionVariables.set("channels", JSON.stringify(names));',
    "upload_video": 'pm.collectionVariables.set("video_id", answer.id);\n'
    'pm.collectionVariables.set("file_id", answer.file_id);',
    "upload_file": 'pm.collectionVariables.set("file_id", answer.file_id);',
    "ask_video_job": 'pm.collectionVariables.set("job_id", answer.id);',
    "post_alert_rule": 'pm.collectionVariables.set("name", answer.name);',
    "post_report": 'pm.collectionVariables.set("name", answer.name);',
    "post_stream": 'pm.collectionVariables.set("stream_id", answer.stream_id);',
    "video_derivatives": "const [one] = answer.derivatives;\n"
    'pm.collectionVariables.set("recipe", one ? one.recipe : "00000000");',
    "evidence": "if (answer.frames.length) {\n"
    '  pm.collectionVariables.set("imagePath", answer.frames[0].image_path);\n'
    "}",
}
"""Values of an answer that later requests need, by the name of the endpoint."""

_BODIES = {
    "put_sources_drawing": "{{drawing}}",  # unchanged: a run changes nothing
    "patch_video": '{"name": "Uploaded by Postman", "start_time": "2026-05-01T08:00:00Z"}',
    "ask_video_job": '{"kind": "previews"}',
    "stream_start": '{"video_id": "{{video_id}}"}',
    "stream_stop": '{"video_id": "{{video_id}}"}',
    "post_stream": '{"video_id": "{{video_id}}"}',
    "seek_stream": '{"position_s": 0}',
    "post_alert_rule": '{"name": "busy", "what": "count", "threshold": 1000000, "channels": {{channels}}}',
    "put_alert_rule": '{"name": "busy", "what": "count", "threshold": 2000000, "channels": {{channels}}}',
    "put_mute": '{"until_ms": null}',
    "post_trial": '{"name": "busy", "what": "count", "threshold": 10, "channels": []}',
    "post_report": '{"name": "weekly", "every": "monday", "at": "07:00", "channels": []}',
    "put_report": '{"name": "weekly", "every": "friday", "at": "07:00", "channels": []}',
    "post_camera": '{"source": "{{source}}", "address": "rtsp://10.0.0.7/stream"}',
    "post_calibrations_try": '{"name": "ground", "width_px": 640, "height_px": 480, '
    '"points": [[100, 400], [500, 420]], "distance_m": 12.5}',
}
"""Request bodies, by the name of the endpoint."""

_VALUES = {
    "path": "{{imagePath}}",
    "source": "{{source}}",
    "at": "{{beforeFootage}}",
    "compare": "previous",
    "If-Match": '"{{revision}}"',
}
"""Values of required parameters."""


def collection(root_url: str = "http://127.0.0.1:5001") -> dict[str, Any]:
    """Return the collection for the server at `root_url`: a request for each route that ends.

    Optional parameters are included, but disabled.
    """
    info = describe()["info"]
    return {
        "info": {
            "name": info["title"],
            "description": f"{info['summary']} A run calls each route and checks its answer. It leaves "
            "out `/events`, which does not end; a video's pictures, which a worker "
            "makes; uploads with tus, for which there are clients; `/embeds`, which "
            "signs charts where people sign in; the test of a channel, which sends "
            "people a message; accuracy checks, which need counted frames and a person; "
            "and changes of footage. The folder `WebSocket` says how to listen. Choose "
            "a small video for `file`: the run uploads it, and deletes it at the end.",
            "schema": _SCHEMA,
        },
        "variable": [
            {"key": "baseUrl", "value": f"{root_url}/api/v1"},
            {"key": "rootUrl", "value": root_url},
        ],
        "item": [
            {"name": "WebSocket", "description": _sockets(root_url), "item": []},
            *(_request(endpoint) for endpoint in listed_endpoints()),
        ],
    }


def _sockets(root_url: str) -> str:
    return _SOCKETS.format(sockets=root_url.replace("http", "ws", 1))


def listed_endpoints() -> list[Endpoint]:
    """Return the routes that a run requests, in order."""
    endpoints = [
        endpoint
        for endpoint in ALL_ENDPOINTS
        if endpoint.name not in _LEFT_OUT and endpoint.path.partition("/")[0] != _BY_TUS
    ]

    def turn(endpoint: Endpoint) -> int:
        if endpoint.name in _LAST:
            return 3
        if endpoint.name in _FIRST:
            return 1
        return 2 if endpoint.tag in ("Videos", "Live") else 0

    return sorted(endpoints, key=turn)


def _request(endpoint: Endpoint) -> dict[str, Any]:
    query = [
        {
            "key": parameter.name,
            "value": _VALUES.get(parameter.name, parameter.example)
            if parameter.required
            else parameter.example,
            "description": parameter.description,
            "disabled": not parameter.required,
        }
        for parameter in endpoint.parameters
        if parameter.place == "query"
    ]
    path = endpoint.path.replace("{", "{{").replace("}", "}}")
    body: dict[str, Any] | None = {"mode": "raw", "raw": _BODIES[endpoint.name]} if endpoint.body else None
    if endpoint.form:
        body = {"mode": "formdata", "formdata": [_part(part) for part in endpoint.form]}
    base = "{{rootUrl}}" if endpoint.at_root else "{{baseUrl}}"
    headers = [("Accept", media_type) for media_type in endpoint.media_types[:1]]
    headers += [("Content-Type", "application/json")] if endpoint.body else []
    headers += [
        (parameter.name, _VALUES[parameter.name])
        for parameter in endpoint.parameters
        if parameter.place == "header" and parameter.required
    ]
    query_text = "&".join(
        f"{parameter['key']}={parameter['value']}" for parameter in query if not parameter["disabled"]
    )
    return {
        "name": endpoint.path,
        "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": _checks(endpoint)}}],
        "request": {
            "method": endpoint.method,
            "description": endpoint.summary,
            "header": [{"key": name, "value": value} for name, value in headers],
            **({"body": body} if body else {}),
            "url": {
                "raw": f"{base}/{path}" + (f"?{query_text}" if query_text else ""),
                "host": [base],
                "path": path.split("/"),
                "query": query,
            },
        },
    }


def _part(part: Parameter[Any]) -> dict[str, Any]:
    """Return a part of a form; optional parts are disabled."""
    if part.required:
        return {"key": part.name, "type": "file", "src": "gate.mp4", "description": part.description}
    field = {"key": part.name, "type": "text", "value": part.example, "description": part.description}
    return field | {"disabled": True}


def _checks(endpoint: Endpoint) -> list[str]:
    codes = [status for status in endpoint.success or (200,) if status < 300]
    refusal = _REFUSALS.get(endpoint.name)
    if refusal:
        codes.append(refusal)
    answers = f"pm.expect({codes}).to.include(pm.response.code)"
    if codes == [200]:
        answers = "pm.response.to.have.status(200)"
    lines = [f'pm.test("{endpoint.path} answers", () => {answers});']
    if endpoint.answer is None and endpoint.success:
        return lines  # an uploaded video has its own type, and deletions return nothing
    media_type = endpoint.media_types[0]
    checks = [
        f'pm.test("it is {media_type}", () => {{',
        f'  pm.expect(pm.response.headers.get("Content-Type")).to.include("{media_type}");',
        "});",
    ]
    if endpoint.answer is not None:
        fields = describe()["components"]["schemas"][endpoint.answer.__name__]["required"]
        checks += [
            "const answer = pm.response.json();",
            'pm.test("it has every field", () => {',
            f"  pm.expect(answer).to.include.all.keys({json.dumps(fields)[1:-1]});",
            "});",
            *_FOUND.get(endpoint.name, "").splitlines(),
        ]
    if refusal:
        checks = [f"if (pm.response.code !== {refusal}) {{", *(f"  {line}" for line in checks), "}"]
    return [*lines, *checks]


def create_blueprint(settings: Settings) -> Blueprint:
    """Return the routes `/api/docs`, `openapi.json`, `asyncapi.json` and `postman.json`."""
    description = Blueprint("description", __name__)

    @description.get("/api/openapi.json")
    @description.get("/api/v1/openapi.json")
    @description.get("/openapi.json")
    def openapi() -> Response:
        return Response(msgspec.json.encode(describe()), mimetype="application/json")

    @description.get("/api/asyncapi.json")
    @description.get("/api/v1/asyncapi.json")
    def asyncapi() -> Response:
        return Response(msgspec.json.encode(describe_messages()), mimetype="application/json")

    @description.get("/api/docs")
    @description.get("/docs")
    @description.get("/redoc")
    def docs() -> Response:
        errors = [(problem_type(status), status, meaning) for status, meaning in MEANINGS.items()]
        page = render_template("api.html", endpoints=ALL_ENDPOINTS, errors=errors)
        response = Response(page, mimetype="text/html")
        response.headers["Cache-Control"] = "no-cache"
        return response

    @description.get("/api/postman.json")
    def postman() -> Response:
        root_url = (settings.web_url or request.url_root).rstrip("/")
        return Response(msgspec.json.encode(collection(root_url)), mimetype="application/json")

    return description
