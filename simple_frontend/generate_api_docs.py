#!/usr/bin/env python3
"""Writes the OpenAPI and AsyncAPI documents into docs: `python simple_frontend/generate_api_docs.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from frametally_web.api.asyncapi import describe_messages
from frametally_web.api.openapi import describe

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "api-reference"


def files() -> dict[str, str]:
    """Return the text of each file, by its name."""
    return {"openapi.json": _json(describe()), "asyncapi.json": _json(describe_messages())}


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for file_name, text in files().items():
        (FOLDER / file_name).write_text(text, encoding="utf-8")
    print(FOLDER)
