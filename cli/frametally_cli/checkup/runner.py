"""The engine of the counting job: tried by a job of its own."""

from __future__ import annotations

import queue
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from frametally.errors import FrametallyError
from frametally.settings.loading import Settings
from frametally_cli.checkup.findings import Finding

_WITHIN_S = 300.0
"""A cluster that is busy takes a minute to begin."""


def runner_row(settings: Settings, *, within_s: float = _WITHIN_S) -> Finding:
    """Run the counting job over no segments, where `frametally aggregate` would run it."""
    runner = settings.runner
    if runner == "inline":
        return Finding("runner", runner, "counts in this process", "not tried: it needs nothing else")
    try:
        from frametally_hadoop.job.params import CountParams
        from frametally_hadoop.running.cluster import cluster_of
        from frametally_hadoop.running.engine import run_job
    except ImportError:
        return Finding("runner", runner, "not tried", "the counting job is not installed here")

    def run(temporary: Path) -> None:
        for _ in run_job(
            manifest=[""],  # a line, so that a task runs; of no segment
            params=CountParams(),
            runner=runner,
            temporary=temporary,
            spark_master=settings.spark_master,
            cluster=cluster_of(settings),
        ):
            pass

    began_s = time.monotonic()
    try:
        ended = _within(within_s, run)
    except FrametallyError as error:
        return Finding("runner", runner, "a job over no segments did not run", remedy=str(error))
    seconds = f"{time.monotonic() - began_s:.0f} s"
    if not ended:
        remedy = "look whether it has room for a job, or set FRAMETALLY_RUNNER=inline"
        return Finding("runner", runner, f"a job over no segments has not ended in {seconds}", remedy=remedy)
    return Finding("runner", runner, "a job over no segments ran from end to end", f"it took {seconds}")


def _within(seconds: float, action: Callable[[Path], None]) -> bool:
    """Return whether the action ended in that time, and raise what it raised; else it is left to itself."""
    ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def act() -> None:
        try:
            with tempfile.TemporaryDirectory(prefix="frametally-doctor-") as folder:
                action(Path(folder))
            ended.put(None)
        except BaseException as error:
            ended.put(error)

    threading.Thread(target=act, name="trial-of-the-runner", daemon=True).start()
    try:
        error = ended.get(timeout=seconds)
    except queue.Empty:
        return False
    if error is not None:
        raise error
    return True
