"""The API as a Postman collection (v2.1), made from its endpoints: requests, and what they must answer."""

from __future__ import annotations

import json
from typing import Any

from frametally_web.api.endpoints import ENDPOINTS
from frametally_web.api.openapi import describe
from frametally_web.api.parameters import Endpoint

_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_LEFT_OUT = ("events", "delete_video")
"""Routes that a run would wait for, or that would take something away."""

_FOUND = {
    "sources": "if (answer.sources.length) {\n"
    '  pm.collectionVariables.set("source", answer.sources[0].source);\n'
    '  pm.collectionVariables.set("beforeFootage", answer.sources[0].first_interval_ms - 3600000);\n'
    "}",
    "sources_drawing": "const { lines, zones, calibrations } = answer;\n"
    'pm.collectionVariables.set("revision", answer.revision);\n'
    'pm.collectionVariables.set("drawing", JSON.stringify({ lines, zones, calibrations }));',
    "videos": 'if (answer.videos.length) pm.collectionVariables.set("video_id", answer.videos[0].id);',
    "evidence": "if (answer.frames.length) {\n"
    '  pm.collectionVariables.set("imagePath", answer.frames[0].image_path);\n'
    "}",
}
"""What later requests need of an answer, by the name of the endpoint."""

_BODIES = {
    "put_sources_drawing": "{{drawing}}",  # as it is: a run changes nothing
    "patch_video": "{}",
    "post_calibrations_try": '{"name": "ground", "width_px": 640, "height_px": 480, '
    '"points": [[100, 400], [500, 420]], "distance_m": 12.5}',
}
"""What is sent, by the name of the endpoint."""

_VALUES = {
    "path": "{{imagePath}}",
    "source": "{{source}}",
    "at": "{{beforeFootage}}",
    "compare": "previous",
    "If-Match": '"{{revision}}"',
}
"""What a required parameter is asked with."""


def collection() -> dict[str, Any]:
    """Return the collection: a request for each route that ends, its parameters there and switched off."""
    info = describe()["info"]
    return {
        "info": {
            "name": info["title"],
            "description": f"{info['summary']} A run asks each route and checks what it answers; "
            "`/events` is left out, as it does not end, and so is what removes a video.",
            "schema": _SCHEMA,
        },
        "variable": [{"key": "baseUrl", "value": "http://127.0.0.1:5001/api/v1"}],
        "item": [_request(endpoint) for endpoint in ENDPOINTS if endpoint.name not in _LEFT_OUT],
    }


def _request(endpoint: Endpoint) -> dict[str, Any]:
    asked = [
        {
            "key": one.name,
            "value": _VALUES.get(one.name, one.example) if one.required else one.example,
            "description": one.description,
            "disabled": not one.required,
        }
        for one in endpoint.parameters
        if one.place == "query"
    ]
    path = endpoint.path.replace("{", "{{").replace("}", "}}")
    body = {"mode": "raw", "raw": _BODIES[endpoint.name]} if endpoint.body else None
    headers = [("Accept", endpoint.media_types[0]), *([("Content-Type", "application/json")] if body else [])]
    headers += [
        (one.name, _VALUES[one.name]) for one in endpoint.parameters if one.place == "header" and one.required
    ]
    sent = "&".join(f"{one['key']}={one['value']}" for one in asked if not one["disabled"])
    return {
        "name": endpoint.path,
        "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": _checks(endpoint)}}],
        "request": {
            "method": endpoint.method,
            "description": endpoint.summary,
            "header": [{"key": name, "value": value} for name, value in headers],
            **({"body": body} if body else {}),
            "url": {
                "raw": f"{{{{baseUrl}}}}/{path}" + (f"?{sent}" if sent else ""),
                "host": ["{{baseUrl}}"],
                "path": path.split("/"),
                "query": asked,
            },
        },
    }


def _checks(endpoint: Endpoint) -> list[str]:
    media_type = endpoint.media_types[0]
    status = min(endpoint.success, default=200)
    lines = [
        f'pm.test("{endpoint.path} answers", () => pm.response.to.have.status({status}));',
        f'pm.test("it is {media_type}", () => {{',
        f'  pm.expect(pm.response.headers.get("Content-Type")).to.include("{media_type}");',
        "});",
    ]
    if endpoint.answer is not None:
        fields = describe()["components"]["schemas"][endpoint.answer.__name__]["required"]
        lines += [
            "const answer = pm.response.json();",
            'pm.test("it has every field", () => {',
            f"  pm.expect(answer).to.include.all.keys({json.dumps(fields)[1:-1]});",
            "});",
            *_FOUND.get(endpoint.name, "").splitlines(),
        ]
    return lines
