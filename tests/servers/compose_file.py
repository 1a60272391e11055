"""The stack's compose file, as docker-compose reads it: with variables and merges."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

STACK = Path(__file__).resolve().parents[2] / "cloud-services"
_VARIABLE = re.compile(
    r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Z_][A-Z0-9_]*)(?:(?P<how>:[-?]|-)(?P<word>[^}]*))?\})"
)


def compose_file(variables: Mapping[str, str]) -> dict[str, Any]:
    """The whole file with the values of `variables`.

    Raises:
        KeyError: A required one is missing or empty; the message is the file's.
    """
    text = yaml.safe_load((STACK / "docker-compose.yml").read_text(encoding="utf-8"))
    with_values: dict[str, Any] = _put_in(text, variables)
    return with_values


def required_variables() -> list[str]:
    """Names of the variables without which docker-compose refuses the file."""
    text = (STACK / "docker-compose.yml").read_text(encoding="utf-8")
    return sorted({found["name"] for found in _VARIABLE.finditer(text) if found["how"] == ":?"})


def _put_in(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _put_in(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_put_in(item, variables) for item in value]
    if not isinstance(value, str):
        return value

    def one(found: re.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        known = variables.get(found["name"], "")
        if not known and found["how"] == ":?":
            raise KeyError(found["word"])
        if found["how"] == "-":
            return variables.get(found["name"], found["word"])
        return known or (found["word"] or "" if found["how"] == ":-" else "")

    return _VARIABLE.sub(one, value)
