"""Queries the dashboard's API over a place, without a server."""

from __future__ import annotations

from typing import Any

from tests.web.conftest import Place


def get(place: Place, path: str, *, status: int = 200, **settings: Any) -> Any:
    """Return the JSON of an answer of this status; `path` is below `/api/v1/`, or begins with a slash."""
    address = path if path.startswith("/") else f"/api/v1/{path}"
    answer = place.app(**settings).test_client().get(address)
    assert answer.status_code == status, answer.text
    return answer.json


def refusal(answer: Any, status: int = 400) -> str:
    """Return why an answer refuses, which it does with this status."""
    assert answer.status_code == status, answer.text
    reason: str = answer.get_json()["detail"]
    return reason
