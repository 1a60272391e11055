#!/usr/bin/env python3
"""Writes the API's Postman collection (v2.1) from its endpoints: `python simple_frontend/postman.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from frametally_web.api.endpoints import ENDPOINTS, Endpoint
from frametally_web.api.openapi import describe

COLLECTION = Path(__file__).resolve().parents[1] / "docs" / "frametally.postman_collection.json"
_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"


def collection() -> dict[str, Any]:
    """Return the collection: a request for each route, its parameters there and switched off."""
    info = describe()["info"]
    return {
        "info": {"name": info["title"], "description": info["summary"], "schema": _SCHEMA},
        "variable": [{"key": "baseUrl", "value": "http://127.0.0.1:5001/api/v1"}],
        "item": [_request(endpoint) for endpoint in ENDPOINTS],
    }


def _request(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "name": endpoint.path,
        "request": {
            "method": "GET",
            "description": endpoint.summary,
            "header": [{"key": "Accept", "value": endpoint.media_types[0]}],
            "url": {
                "raw": f"{{{{baseUrl}}}}/{endpoint.path}",
                "host": ["{{baseUrl}}"],
                "path": endpoint.path.split("/"),
                "query": [
                    {
                        "key": parameter.name,
                        "value": parameter.example,
                        "description": parameter.description,
                        "disabled": not parameter.required,
                    }
                    for parameter in endpoint.parameters
                ],
            },
        },
    }


def text() -> str:
    """Return the collection as it is written."""
    return json.dumps(collection(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    COLLECTION.write_text(text(), encoding="utf-8")
    print(COLLECTION)
