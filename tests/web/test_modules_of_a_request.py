"""A question passes few modules, so that a reader can follow it, and reads the index in few statements."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from tests.capabilities import needs
from tests.web.conftest import Place

_SCRIPT = Path(__file__).parents[2] / "benchmarks/request_paths.py"
MOST_STATEMENTS = 4
MOST = {
    "counts, 60 s": (57, 52),
    "counts, 1 s": (30, 43),
    "frames, 60 s": (60, 30),
    "frames, 1 s": (53, 24),
    "crossings, 60 s": (65, 51),
    "crossings, 1 s": (43, 44),
}
"""The most modules, and the most returns of a walk, by route and stored interval."""

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


@needs("traffic")
@pytest.mark.thorough
def test_a_question_takes_a_short_way() -> None:
    done = subprocess.run([sys.executable, _SCRIPT], check=True, capture_output=True, text=True)
    measured = json.loads(done.stdout)
    assert {route: paths["statements"] for route, paths in measured.items()} == {
        route: min(paths["statements"], MOST_STATEMENTS) for route, paths in measured.items()
    }
    for route, (modules, returns) in MOST.items():
        assert len(measured[route]["entered"]) <= modules, (route, measured[route]["entered"])
        assert measured[route]["returns"] <= returns, (route, measured[route]["way"])
