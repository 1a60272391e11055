"""Waits for new videos without keeping a worker busy: an Airflow trigger and the operator that defers to it.

It is a plugin, not part of a DAG file: the triggerer imports it by name.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

from airflow.sdk import BaseOperator
from airflow.triggers.base import BaseTrigger, TriggerEvent

log = logging.getLogger(__name__)

PLACES = re.compile(r"\d+:\d+(,\d+:\d+)*")


class NewVideos(BaseTrigger):
    """Fires once new videos wait on the log, with their ids and the log position after them.

    They stay on the log until they are taken, which happens once their runs exist.
    """

    def __init__(self, command: str, poll_s: float) -> None:
        """Run `command` every `poll_s` seconds."""
        super().__init__()
        self.command = command
        self.poll_s = poll_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and arguments from which the triggerer recreates it."""
        return "frametally_new_videos.NewVideos", {"command": self.command, "poll_s": self.poll_s}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield a single event."""
        while True:
            # Sleep before each check: a new trigger follows each event, and must not check at once.
            await asyncio.sleep(self.poll_s)
            waiting = await self._waiting()
            if waiting["up_to"]:
                yield TriggerEvent(waiting)
                return

    async def _waiting(self) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            *(self.command, "media", "arrivals", "--json"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, complaint = await process.communicate()
        message = complaint.decode(errors="replace").strip()
        if message:  # the log may be unavailable for now, or a message names no video
            log.warning("%s, exit code %s", message, process.returncode)
        try:
            news = json.loads(output)
        except ValueError:
            return {"videos": [], "up_to": ""}
        return {"videos": [video["video_id"] for video in news["videos"]], "up_to": news["up_to"]}


class WaitForVideos(BaseOperator):
    """Defers until new videos wait; returns the runs to start, one per video.

    The log position after them is its XCom `up_to`.
    """

    def __init__(self, *, command: str, poll_s: float, **kwargs: Any) -> None:
        """Run `command` every `poll_s` seconds."""
        super().__init__(**kwargs)
        self.command = command
        self.poll_s = poll_s

    def execute(self, context: Any) -> None:
        """Free the worker."""
        self.defer(trigger=NewVideos(self.command, self.poll_s), method_name="start_runs")

    def start_runs(self, context: Any, event: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the arguments of `TriggerDagRunOperator`, once per video despite repeated announcements."""
        if not PLACES.fullmatch(event["up_to"]):
            raise ValueError(f"no places: {event['up_to']!r}")
        context["ti"].xcom_push(key="up_to", value=event["up_to"])
        return [
            {"trigger_run_id": f"video__{video_id}", "conf": {"video_id": video_id}}
            for video_id in event["videos"]
        ]
