"""Runs the plugin's trigger through made-up looks, in Airflow's own Python: test_dags.py starts it.

Its standard input is a list of looks. Each has `days`, the state of each day that is listed, and may have
`runs`, what has become by then of the run that was started last. It prints what the trigger did: `wait`,
`look` and `start`, each with what goes with it.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import sys
from types import SimpleNamespace
from typing import Any

import frametally_footage

NOON = datetime.datetime(2026, 1, 3, 12, tzinfo=datetime.UTC)


class Made:
    """Footage, runs and time, all made up."""

    def __init__(self, looks: list[dict[str, Any]]) -> None:
        self.looks = looks
        self.days: dict[str, str] = {}
        self.runs: dict[str, str] = {}
        self.seen: list[tuple[str, object]] = []

    async def sleep(self, seconds: float) -> None:
        self.seen.append(("wait", seconds))
        if not self.looks:
            raise EOFError
        look = self.looks.pop(0)
        self.days = look["days"]
        if "runs" in look:
            self.runs[list(self.runs)[-1]] = look["runs"]

    async def count(self, run_ids: list[str] | None = None, states: list[str] | None = None) -> int:
        return sum(
            (run_ids is None or run_id in run_ids) and (states is None or state in states)
            for run_id, state in self.runs.items()
        )

    async def stale_days(self) -> list[dict[str, str]]:
        self.seen.append(("look", None))
        return [{"day": day, "state": state} for day, state in self.days.items()]

    async def watch(self) -> None:
        while True:
            async for event in frametally_footage.NewFootage("frametally", 15.0).run():
                for run in event.payload:
                    self.runs[run["trigger_run_id"]] = "queued"
                    if after := run.pop("run_after", None):
                        run["wait_s"] = (datetime.datetime.fromisoformat(after) - NOON).total_seconds()
                self.seen.append(("start", event.payload))


made = Made(json.load(sys.stdin))
frametally_footage.asyncio = SimpleNamespace(sleep=made.sleep)
frametally_footage.datetime = SimpleNamespace(
    datetime=SimpleNamespace(now=lambda _zone: NOON), timedelta=datetime.timedelta, UTC=datetime.UTC
)
frametally_footage._count_runs = made.count
frametally_footage.NewFootage._stale_days = made.stale_days
try:
    asyncio.run(made.watch())
except EOFError:
    print(json.dumps(made.seen))
