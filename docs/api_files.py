"""Writes the API's documents from the code, and its examples from the manual: `python docs/api_files.py`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from frametally_web.api import openapi
from frametally_web.api.asyncapi import describe_messages
from frametally_web.api.description import collection
from frametally_web.api.endpoints import ALL_ENDPOINTS
from frametally_web.api.openapi import describe

DOCS = Path(__file__).resolve().parent
EXAMPLES = Path(openapi.__file__).parent / "examples.json"


def first_block(manual: str, heading: str) -> slice | None:
    """Return the position in the manual of the first JSON below a route's heading; None if there is none."""
    section = re.search(rf"^## `{re.escape(heading)}[?`].*?(?=^## |\Z)", manual, re.DOTALL | re.MULTILINE)
    block = section and re.search(r"```json\n(.*?)```", section[0], re.DOTALL)
    return slice(*(section.start() + end for end in block.span(1))) if section and block else None


def examples() -> dict[str, Any]:
    """Return the first JSON block below each route's heading, by the endpoint's name."""
    manual = (DOCS / "api.md").read_text(encoding="utf-8")
    answers_by_name = {}
    for endpoint in ALL_ENDPOINTS:
        place = first_block(manual, f"{endpoint.method} {endpoint.address}")
        if place and endpoint.answer:
            answers_by_name[endpoint.name] = json.loads(manual[place])
    for endpoint in ALL_ENDPOINTS:  # a route that answers like another needs no separate example
        alike = [
            other_endpoint.name
            for other_endpoint in ALL_ENDPOINTS
            if other_endpoint.answer is endpoint.answer and other_endpoint.name in answers_by_name
        ]
        if endpoint.answer and alike:
            answers_by_name.setdefault(endpoint.name, answers_by_name[alike[0]])
    return answers_by_name


def documents() -> dict[Path, str]:
    """Return the text of each document, by its file; all use the stored examples."""
    return {
        DOCS / "api-reference" / "openapi.json": _json(describe()),
        DOCS / "api-reference" / "asyncapi.json": _json(describe_messages()),
        DOCS / "frametally.postman_collection.json": _json(collection(), indent=2),
    }


def example_text() -> str:
    """Return the examples in their written form."""
    return _json(examples())


def _json(document: dict[str, Any], *, indent: int = 1) -> str:
    return json.dumps(document, indent=indent, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    EXAMPLES.write_text(example_text(), encoding="utf-8")
    for file, text in documents().items():
        file.write_text(text, encoding="utf-8")
