"""What an answer says to the one who reads it: names of settings are for who may set them."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from flask import Flask, Response, request

from frametally_web.access.rights import Rights
from frametally_web.access.visitors import visitor, whom_to_ask

_SETTING = "FRAMETALLY_"
_ADVICE = re.compile(rf"(?:^|[;:,.]\s|\s\()(?:(?![;:,.]\s|\s\().)*{_SETTING}.*", re.DOTALL)
"""The clause that names a setting, and what follows it."""
_JSON = ("application/json", "application/problem+json")


def for_reader(text: str) -> str:
    """Return a line of an answer; of advice to set something, a visitor reads whom to ask."""
    if _SETTING not in text or visitor().may("run"):
        return text
    told = _ADVICE.sub("", text).rstrip(" ,;:.")
    ask = f"sk {whom_to_ask()}."
    return f"{told}; a{ask}" if told else f"A{ask}"


def answer_readers(app: Flask, rights: Rights) -> None:
    """Have the JSON of `app` speak to its reader; the manual, open to all, names all settings."""
    app.add_template_filter(for_reader)

    @app.after_request
    def speak(response: Response) -> Response:
        if response.is_streamed or response.mimetype not in _JSON or visitor().may("run"):
            return response
        rule = request.url_rule
        if rule is not None and rights.right_of(request.method, rule.rule) == "open":
            return response
        data = response.get_data()
        if _SETTING.encode() in data:
            response.set_data(msgspec.json.encode(_each_text(msgspec.json.decode(data))))
        return response


def _each_text(value: Any) -> Any:
    if isinstance(value, str):
        return for_reader(value)
    if isinstance(value, list):
        return [_each_text(one) for one in value]
    if isinstance(value, dict):
        return {name: _each_text(one) for name, one in value.items()}
    return value
