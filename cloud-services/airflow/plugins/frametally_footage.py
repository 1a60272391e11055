"""Waits for new footage without keeping a worker busy: an Airflow trigger and the operator that defers to it.

It is a plugin, not part of a DAG file: the triggerer imports it by name.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

from airflow.sdk import BaseOperator
from airflow.triggers.base import BaseTrigger, TriggerEvent

log = logging.getLogger(__name__)


class NewFootage(BaseTrigger):
    """Fires once there are days to count, with what `frametally aggregate --dry-run` says of them."""

    def __init__(self, command: str, poll_s: float) -> None:
        """Ask `command` every `poll_s` seconds."""
        super().__init__()
        self.command = command
        self.poll_s = poll_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """How the triggerer makes it anew."""
        return "frametally_footage.NewFootage", {"command": self.command, "poll_s": self.poll_s}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait; one event, then it is done."""
        while True:
            days = await self._stale_days()
            if days:
                yield TriggerEvent(days)
                return
            await asyncio.sleep(self.poll_s)

    async def _stale_days(self) -> list[dict[str, Any]]:
        process = await asyncio.create_subprocess_exec(
            self.command,
            "aggregate",
            "--dry-run",
            "--json",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, complaint = await process.communicate()
        try:
            days: list[dict[str, Any]] = json.loads(said)["days"]
        except ValueError:  # the store is away, say: it will come back
            log.warning("%s, exit code %s", complaint.decode(errors="replace").strip(), process.returncode)
            return []
        return days


class WaitForFootage(BaseOperator):
    """Defers until there are days to count; returns, for each, the run that has to be started.

    A run's id names the day and what it will be counted from: the same footage starts one run, however often
    it is seen before it is counted, and late footage of the same day starts another.
    """

    def __init__(self, *, command: str, poll_s: float, **kwargs: Any) -> None:
        """Ask `command` every `poll_s` seconds."""
        super().__init__(**kwargs)
        self.command = command
        self.poll_s = poll_s

    def execute(self, context: Any) -> None:
        """Free the worker."""
        self.defer(trigger=NewFootage(self.command, self.poll_s), method_name="start_runs")

    def start_runs(self, context: Any, event: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What `TriggerDagRunOperator` takes, one per event day."""
        inputs = defaultdict(list)
        for day in event:  # of several models, perhaps
            inputs[day["day"]].append(day["inputs"])
        runs = []
        for day, found in sorted(inputs.items()):
            digest = hashlib.sha256(" ".join(sorted(found)).encode()).hexdigest()[:16]
            runs.append({"trigger_run_id": f"footage__{day}__{digest}", "conf": {"day": day}})
        return runs
