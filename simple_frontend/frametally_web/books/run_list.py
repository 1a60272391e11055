"""The answer of `/api/runs`: the current runs of the newest days, with their quality reports."""

from __future__ import annotations

import logging

from frametally.books.quality_reports import read_quality
from frametally.errors import Poison
from frametally.records import Run
from frametally_web.access.seen_index import DashboardPorts
from frametally_web.books import answers
from frametally_web.charts import scope

MOST_RUNS = 200

_log = logging.getLogger(__name__)


def list_runs(ports: DashboardPorts, *, model: str | None, limit: int) -> answers.Runs:
    """Return the runs of a model that queries read, the newest day first.

    Raises:
        Problem: 400, if there is no such model.
    """
    choice = scope.choose_model(ports.index, model)
    if choice is None:
        return answers.Runs(model=None, runs=[], runs_left_out=0)
    runs = [run for run in ports.index.current_runs() if run.model == choice.model]
    runs.sort(key=lambda run: (run.day, run.interval_s), reverse=True)
    return answers.Runs(
        model=choice.model,
        runs=[
            answers.RunReport(
                run_id=run.run_id,
                day=run.day,
                interval_s=run.interval_s,
                params=run.params,
                frames=run.frames,
                duplicates_dropped=run.duplicates_dropped,
                quality=_quality(ports, run),
            )
            for run in runs[:limit]
        ],
        runs_left_out=max(0, len(runs) - limit),
    )


def _quality(ports: DashboardPorts, run: Run) -> answers.Quality | None:
    try:
        report = read_quality(ports.store, run)
    except Poison as error:
        _log.warning("%s", error)
        return None
    if report is None:
        return None
    return answers.Quality(
        passed=not report.failed,
        detections=report.detections,
        lines_dead=report.lines_dead,
        checks=[
            answers.Check(name=check.name, passed=check.passed, count=check.count, details=check.details)
            for check in report.checks
        ],
    )
