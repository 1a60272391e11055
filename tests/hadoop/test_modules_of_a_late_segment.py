"""A late segment passes through few modules of the job's package, so that a reader can follow it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType

from tests.hadoop.conftest import NOON_MS, Footage

from frametally.records import FrameDetections
from frametally.rules.times import HOUR_MS
from frametally_hadoop.driver import AggregateReport

MOST = 16


def modules_entered(work: Callable[[], object]) -> set[str]:
    """The modules of the package whose functions run in this process, in any thread."""
    entered: set[str] = set()

    def watch(frame: FrameType, event: str, _: object) -> None:
        name = frame.f_globals.get("__name__", "")
        if event == "call" and frame.f_code.co_name != "<module>" and name.startswith("frametally_hadoop."):
            entered.add(name)

    threading.setprofile(watch)
    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return entered


def moving_car(footage: Footage, start_ms: int) -> list[FrameDetections]:
    """Two seconds of a moving car."""
    return [
        footage.frame(start_ms + 200 * number, "car", index=number, box=(1.0 + 5 * number, 2.0, 30.5, 40.0))
        for number in range(10)
    ]


def test_a_late_segment_enters_few_modules(footage: Footage) -> None:
    footage.segments(moving_car(footage, NOON_MS + hour * HOUR_MS) for hour in range(2))
    footage.aggregate()
    footage.segment(moving_car(footage, NOON_MS + 30_000))
    reports: list[AggregateReport] = []
    entered = modules_entered(lambda: reports.append(footage.aggregate()))
    assert [report.hours_kept for report in reports] == [1]
    assert {"frametally_hadoop.job.visits", "frametally_hadoop.job.paths"} <= entered
    assert len(entered) <= MOST, sorted(entered)
