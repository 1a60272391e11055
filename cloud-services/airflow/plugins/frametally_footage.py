"""Waits for new footage without keeping a worker busy: an Airflow trigger and the operator that defers to it.

It is a plugin, not part of a DAG file: the triggerer imports it by name.
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

from airflow.sdk import BaseOperator
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

log = logging.getLogger(__name__)

COUNT_DAG = "frametally_count"
MOST_ATTEMPTS = 1000
MOST_WAIT_S = 3600.0


class NewFootage(BaseTrigger):
    """Fires once there are runs to start, with `TriggerDagRunOperator`'s arguments for each event day's run.

    A run's id contains the day and a digest of the day's inputs: the same footage starts one run, however
    often it is seen, and late footage of the same day starts another. A failed run is followed by a numbered
    attempt, each after a longer wait.
    """

    def __init__(self, command: str, poll_s: float) -> None:
        """Run `command` every `poll_s` seconds."""
        super().__init__()
        self.command = command
        self.poll_s = poll_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and arguments from which the triggerer recreates it."""
        return "frametally_footage.NewFootage", {"command": self.command, "poll_s": self.poll_s}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield a single event."""
        while True:
            # Sleep before each check: a new trigger follows each event, and must not check at once.
            await asyncio.sleep(self.poll_s)
            if await _count_runs(states=["running"]):
                continue  # footage that arrives during a count gets one run after it, not one per check
            runs = await self._runs_to_start()
            if runs:
                yield TriggerEvent(runs)
                return

    async def _runs_to_start(self) -> list[dict[str, Any]]:
        states = defaultdict(list)
        for day in await self._stale_days():  # possibly of several models
            states[day["day"]].append(day["state"])
        runs = []
        for day, segments in sorted(states.items()):
            digest = hashlib.sha256(" ".join(sorted(segments)).encode()).hexdigest()[:16]
            first = f"footage__{day}__{digest}"
            ids = [first, *(f"{first}__{attempt}" for attempt in range(2, MOST_ATTEMPTS + 1))]
            failed = await _count_runs(run_ids=ids, states=["failed"])
            if failed == len(ids) or failed < await _count_runs(run_ids=ids):
                continue  # a run is waiting, or all attempts have been made
            run: dict[str, Any] = {"trigger_run_id": ids[failed], "conf": {"day": day}}
            if failed:
                wait_s = min(self.poll_s * 2 ** min(failed, 20), MOST_WAIT_S)
                run_after = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=wait_s)
                run["run_after"] = run_after.isoformat()
            runs.append(run)
        return runs

    async def _stale_days(self) -> list[dict[str, Any]]:
        process = await asyncio.create_subprocess_exec(
            self.command,
            "aggregate",
            "--dry-run",
            "--json",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, complaint = await process.communicate()
        try:
            days: list[dict[str, Any]] = json.loads(output)["days"]
        except ValueError:  # the store may be unavailable for now
            log.warning("%s, exit code %s", complaint.decode(errors="replace").strip(), process.returncode)
            return []
        return days


class WaitForFootage(BaseOperator):
    """Defers until there are days to count; returns the runs to start, one per day."""

    def __init__(self, *, command: str, poll_s: float, **kwargs: Any) -> None:
        """Run `command` every `poll_s` seconds."""
        super().__init__(**kwargs)
        self.command = command
        self.poll_s = poll_s

    def execute(self, context: Any) -> None:
        """Free the worker."""
        self.defer(trigger=NewFootage(self.command, self.poll_s), method_name="start_runs")

    def start_runs(self, context: Any, event: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the arguments of `TriggerDagRunOperator`, one set per event day."""
        return event


async def _count_runs(**which: Any) -> int:
    """Return the number of runs of `frametally_count` with these `run_ids` and `states`."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance  # as Airflow's own triggers do

    count: int = await sync_to_async(RuntimeTaskInstance.get_dr_count)(dag_id=COUNT_DAG, **which)
    return count
