"""A chart request passes through few modules, so that a reader can follow it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from tests.web.conftest import Place

MOST_OF_A_CHART = 27
"""Two of them measure the answer and log it."""


def modules_entered(ask: Callable[[], Any]) -> set[str]:
    """The modules of the core and the dashboard whose functions run in this thread."""
    entered: set[str] = set()

    def watch(frame: FrameType, event: str, _: object) -> None:
        name = frame.f_globals.get("__name__", "")
        if event == "call" and name.startswith(("frametally.", "frametally_web.")):
            entered.add(name)

    sys.setprofile(watch)
    try:
        ask()
    finally:
        sys.setprofile(None)
    return entered


def modules_of_a_chart(place: Place, question: str) -> set[str]:
    """The modules of a chart request with warm caches that is not among the kept answers."""
    client = place.app().test_client()
    for zone in ("UTC", "Asia/Tokyo"):
        assert client.get(f"/api/v1/counts?{question}&timezone={zone}").status_code == 200
    return modules_entered(lambda: client.get(f"/api/v1/counts?{question}&timezone=Europe/Berlin"))


@pytest.mark.thorough
def test_a_chart_request_enters_few_modules(place: Place) -> None:
    place.film({"car": 2.0, "person": 1.0}, intervals=2000)
    for question in ("", "top=1&metric=auto", "label=car&interval=3600", "by=source"):
        entered = modules_of_a_chart(place, question)
        assert len(entered) <= MOST_OF_A_CHART, sorted(entered)
