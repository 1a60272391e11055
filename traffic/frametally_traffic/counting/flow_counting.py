"""Runs the flows' job over a plan and takes its output apart, day by day."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import NamedTuple

from frametally import keys
from frametally.books.runs import DayKey
from frametally.ports.object_store import ObjectStore
from frametally.rules.places import FLOWS, series_model
from frametally.settings.loading import Settings
from frametally_hadoop.running.cluster import HadoopCluster
from frametally_hadoop.running.engine import run_job
from frametally_hadoop.running.spool import DaySpool
from frametally_traffic.counting.flow_plan import FlowDay
from frametally_traffic.tasks.flow_tasks import entry_of

_JOB = "frametally_traffic.counting.flows_job:CountFlows"
_HELD_DAYS = 500  # of a source; each some hundred kilobytes


class CountedFlows(NamedTuple):
    """What the job said.

    Attributes:
        lines: Its lines of flows, by day.
        failed: By day and source, why there are none.
    """

    lines: DaySpool
    failed: dict[tuple[DayKey, str], str]

    def of_day(self, day: DayKey) -> dict[str, bytes]:
        """Return the files of a day that were counted, by source."""
        found = {}
        for line in self.lines.sorted_lines(day):
            key, _, value = line.partition(b"\t")
            found[json.loads(key)[2]] = base64.b64decode(json.loads(value))
        return found


def count_days(
    *,
    store: ObjectStore,
    days: list[FlowDay],
    recount: bool,
    settings: Settings,
    runner: str,
    cluster: HadoopCluster,
    temporary: Path,
) -> CountedFlows:
    """Count what days need and the runs before them do not have; it lies in `temporary`, an empty folder.

    Raises:
        Retryable, Misconfigured: As `engine.run_job`.
    """
    wanted = [one for day in days for one in day.inputs if recount or not day.is_kept(one)]
    files = {file.key for one in wanted for file in one.paths if file}
    addresses = {key: store.address(key, ttl_s=settings.manifest_ttl_s) for key in sorted(files)}
    manifest = [entry_of(one, addresses) for one in wanted]
    job_folder, lines_folder = temporary / "job", temporary / "lines"
    for folder in (job_folder, lines_folder):
        folder.mkdir()
    counted = CountedFlows(DaySpool(lines_folder, held_lines=_HELD_DAYS), {})
    if not manifest:
        return counted
    for line in run_job(
        manifest=manifest,
        job=_JOB,
        runner=runner,
        temporary=job_folder,
        spark_master=settings.spark_master,
        cluster=cluster,
    ):
        key, _, value = line.partition(b"\t")
        kind, model, source, day_start_ms = json.loads(key)
        day_key = DayKey(series_model(model, FLOWS), days[0].key.interval_s, keys.utc_day(day_start_ms))
        if kind == "failed":
            counted.failed[day_key, source] = json.loads(value)
        else:
            counted.lines.add(day_key, line)
    return counted
