#!/usr/bin/env python3
"""Writes the API as pages that need no server: `python simple_frontend/generate_api_docs.py`."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

from frametally_web.api.asyncapi import describe_messages
from frametally_web.api.openapi import describe

PAGES = Path(__file__).resolve().parents[1] / "docs" / "api-reference"
_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:#1b1b1b;background:#fff}pre{background:#f3f3f3;padding:.8rem;overflow:auto}"
    "table{border-collapse:collapse}th,td{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0}"
)


def files() -> dict[str, str]:
    """Return the text of each file, by its name."""
    return {
        "index.html": _page(describe(), describe_messages()),
        "openapi.json": _json(describe()),
        "asyncapi.json": _json(describe_messages()),
    }


def _page(document: dict[str, Any], messages: dict[str, Any]) -> str:
    info = document["info"]
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>The API of {_text(info['title'])}</title><style>{_STYLE}</style></head><body><main>",
        f"<h1>The API of {_text(info['title'])}</h1><p>{_text(info['summary'])}</p>",
        '<p>For programs: <a href="openapi.json">OpenAPI 3.1</a>, <a href="asyncapi.json">AsyncAPI 3</a>. A '
        "dashboard has the same at <code>/docs</code>, to be tried.</p>",
    ]
    for tag in document["tags"]:
        parts.append(f"<h2>{_text(tag['name'])}</h2><p>{_text(tag['description'])}</p>")
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if tag["name"] in operation["tags"]:
                    parts += _operation(method, path, operation)
    parts.append("<h2>What the server tells by itself</h2>")
    for channel in messages["channels"].values():
        parts.append(
            f"<h3><code>{_text(channel['address'])}</code></h3><p>{_text(channel['description'])}</p>"
        )
        named = [messages["components"]["messages"][name] for name in channel["messages"]]
        parts.append(_table((one["name"], one["summary"]) for one in named))
    return "\n".join([*parts, "</main></body></html>", ""])


def _operation(method: str, path: str, operation: dict[str, Any]) -> list[str]:
    name = _text(operation["operationId"])
    parts = [f'<h3 id="{name}"><code>{method.upper()} {_text(path)}</code></h3>']
    parts.append(f"<p>{_text(operation.get('summary', ''))}</p>")
    parts.append(_table((one["name"], one["description"]) for one in operation["parameters"]))
    parts.append(
        _table((status, one.get("description", "")) for status, one in operation["responses"].items())
    )
    for status, answer in operation["responses"].items():
        for content in answer.get("content", {}).values():
            if status.startswith("2") and "example" in content:
                example = json.dumps(content["example"], indent=1, ensure_ascii=False)
                parts.append(f"<details><summary>An answer</summary><pre>{_text(example)}</pre></details>")
    return parts


def _table(rows: Any) -> str:
    lines = [f"<tr><th><code>{_text(name)}</code></th><td>{_text(what)}</td></tr>" for name, what in rows]
    return f"<table>{''.join(lines)}</table>" if lines else ""


def _text(text: str) -> str:
    return html.escape(str(text))


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PAGES.mkdir(exist_ok=True)
    for file_name, text in files().items():
        (PAGES / file_name).write_text(text, encoding="utf-8")
    print(PAGES)
