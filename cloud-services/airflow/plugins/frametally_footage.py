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
    """Fires once there are runs to start, with what `TriggerDagRunOperator` takes of each, one per event day.

    A run's id names the day and what a count of it depends on: the same footage starts one run, however often
    it is seen, and late footage of the same day starts another. Where that run failed it is followed by an
    attempt with a number in its id, which waits for longer each time.
    """

    def __init__(self, command: str, poll_s: float) -> None:
        """Ask `command` every `poll_s` seconds."""
        super().__init__()
        self.command = command
        self.poll_s = poll_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return how the triggerer makes it again."""
        return "frametally_footage.NewFootage", {"command": self.command, "poll_s": self.poll_s}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait; one event, then it is done."""
        while True:
            # Before each look, not after it: a new trigger follows each event, and must not look at once.
            await asyncio.sleep(self.poll_s)
            if await _count_runs(states=["running"]):
                continue  # footage that comes while a run counts is one run after it, not one per look
            runs = await self._runs_to_start()
            if runs:
                yield TriggerEvent(runs)
                return

    async def _runs_to_start(self) -> list[dict[str, Any]]:
        states = defaultdict(list)
        for day in await self._stale_days():  # of several models, perhaps
            states[day["day"]].append(day["state"])
        runs = []
        for day, segments in sorted(states.items()):
            digest = hashlib.sha256(" ".join(sorted(segments)).encode()).hexdigest()[:16]
            first = f"footage__{day}__{digest}"
            ids = [first, *(f"{first}__{attempt}" for attempt in range(2, MOST_ATTEMPTS + 1))]
            failed = await _count_runs(run_ids=ids, states=["failed"])
            if failed == len(ids) or failed < await _count_runs(run_ids=ids):
                continue  # one is there that waits, or that has done what can be done
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
        except ValueError:  # the store is away, say: it will come back
            log.warning("%s, exit code %s", complaint.decode(errors="replace").strip(), process.returncode)
            return []
        return days


class WaitForFootage(BaseOperator):
    """Defers until there are days to count; returns, for each, the run that has to be started."""

    def __init__(self, *, command: str, poll_s: float, **kwargs: Any) -> None:
        """Ask `command` every `poll_s` seconds."""
        super().__init__(**kwargs)
        self.command = command
        self.poll_s = poll_s

    def execute(self, context: Any) -> None:
        """Free the worker."""
        self.defer(trigger=NewFootage(self.command, self.poll_s), method_name="start_runs")

    def start_runs(self, context: Any, event: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return what `TriggerDagRunOperator` takes, one per event day."""
        return event


async def _count_runs(**which: Any) -> int:
    """Return how many runs of `frametally_count` are of these `run_ids` and `states`."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance  # as Airflow's own triggers do

    count: int = await sync_to_async(RuntimeTaskInstance.get_dr_count)(dag_id=COUNT_DAG, **which)
    return count
