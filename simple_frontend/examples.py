#!/usr/bin/env python3
"""Writes the examples of the OpenAPI document from the manual: `python simple_frontend/examples.py`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from frametally_web.api import openapi
from frametally_web.api.endpoints import ALL_ENDPOINTS

HERE = Path(__file__).resolve().parent
MANUAL = HERE.parent / "docs" / "api.md"
EXAMPLES = Path(openapi.__file__).parent / "examples.json"


def first_block(manual: str, heading: str) -> slice | None:
    """Return where in the manual the first JSON below a route's heading stands; None: there is none."""
    section = re.search(rf"^## `{re.escape(heading)}[?`].*?(?=^## |\Z)", manual, re.DOTALL | re.MULTILINE)
    block = section and re.search(r"```json\n(.*?)```", section[0], re.DOTALL)
    return slice(*(section.start() + end for end in block.span(1))) if section and block else None


def examples() -> dict[str, Any]:
    """Return the first JSON block below each route's heading, by the endpoint's name."""
    manual = MANUAL.read_text(encoding="utf-8")
    answers_by_name = {}
    for endpoint in ALL_ENDPOINTS:
        place = first_block(manual, f"{endpoint.method} {endpoint.address}")
        if place and endpoint.answer:
            answers_by_name[endpoint.name] = json.loads(manual[place])
    for endpoint in ALL_ENDPOINTS:  # what answers as another route does needs no example of its own
        alike = [
            other_endpoint.name
            for other_endpoint in ALL_ENDPOINTS
            if other_endpoint.answer is endpoint.answer and other_endpoint.name in answers_by_name
        ]
        if endpoint.answer and alike:
            answers_by_name.setdefault(endpoint.name, answers_by_name[alike[0]])
    return answers_by_name


def text() -> str:
    """Return the examples as they are written."""
    return json.dumps(examples(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    EXAMPLES.write_text(text(), encoding="utf-8")
    print(EXAMPLES)
