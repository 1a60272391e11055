"""Runs and supervises N worker processes in one group, for `frametally consume --workers N`."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

from frametally.adapters_by_url import open_frame_log, open_object_store
from frametally.errors import FrametallyError, Retryable
from frametally.process.meters import METERS
from frametally.process.reports import Progress, write_log_lines
from frametally.settings.loading import Settings
from frametally.work.children import Restarts, how_it_ended
from frametally.work.worker_process import END_WITHIN_S
from frametally_consumer.detectors.yolo import NetworkModel
from frametally_consumer.load import cores, load_detector
from frametally_consumer.worker.first_frames import TestAgain
from frametally_consumer.worker.live_results import open_results
from frametally_consumer.worker.loop import consume
from frametally_consumer.worker.report import ConsumeReport, add_up

_LOOK_S = 0.1


class WorkersReport(NamedTuple):
    """The joint result of all workers.

    Attributes:
        failures: How many workers could not work at all; each has reported why.
    """

    report: ConsumeReport
    failures: int


def consume_with_workers(
    workers: int,
    *,
    settings: Settings,
    model: NetworkModel | None = None,
    progress: Progress,
    until_caught_up: bool,
    should_stop: Callable[[], bool] = lambda: False,
    test_again: TestAgain | None = None,
) -> WorkersReport:
    """Run worker processes until all have ended.

    A worker that dies, or finds the store or the log unavailable at its start, is started again after a
    pause, which doubles from 0.5 s to a minute. One that reports a permanent failure is not. A worker that
    loses its supervisor stops.

    Each worker loads the prepared `model` (None for the detector `pixels`), with the settings of
    `settings_of_each`, and calls `test_again` as `consume` does. `should_stop` is called several times a
    second; once it is true, all workers get a signal to stop and 9 s to end.
    """
    progress.update(0, None, f"{workers} workers")
    own = settings_of_each(settings, workers)
    team = [
        _Worker(number, (own, model, until_caught_up, test_again), progress)
        for number in range(1, workers + 1)
    ]
    told_at_s: float | None = None
    try:
        while not all(worker.ended for worker in team):
            if told_at_s is None and should_stop():
                told_at_s = time.monotonic()
                for worker in team:
                    worker.stop()
            if told_at_s is not None and time.monotonic() - told_at_s > END_WITHIN_S:
                for worker in team:
                    worker.kill()
            connections: list[Any] = [worker.connection for worker in team if worker.connection is not None]
            if connections:
                wait(connections, timeout=_LOOK_S)
            else:
                time.sleep(_LOOK_S)
            for worker in team:
                worker.look_after()
    finally:
        for worker in team:
            worker.kill()
    reports = [worker.report for worker in team if worker.report is not None]
    return WorkersReport(add_up(reports), sum(worker.failed for worker in team))


def settings_of_each(settings: Settings, workers: int) -> Settings:
    """Return the settings of one of `workers`; unless threads are set, it gets twice its share of the cores.

    Its share alone would leave cores idle whenever another worker's partitions have nothing new.
    """
    if settings.detector_threads:
        return settings
    return settings.model_copy(update={"detector_threads": max(1, min(cores(), 2 * cores() // workers))})


class _Worker:
    """One worker's process, which is replaced if it dies."""

    def __init__(self, number: int, work: tuple[object, ...], progress: Progress) -> None:
        self.ended = False
        self.failed = False
        self.report: ConsumeReport | None = None
        self.connection: Connection | None = None
        self._number = number
        self._work = work
        self._progress = progress
        self._process: BaseProcess | None = None
        self._stopping = False
        self._restarts = Restarts()

    def look_after(self) -> None:
        """Start the worker if it is due, read its messages, and handle its end."""
        if self.ended:
            return
        if self._process is None:
            if self._stopping:
                self.ended = True
            elif self._restarts.is_due:
                self._start()
            return
        if not self._hear():
            self._after_its_end()

    def stop(self) -> None:
        """Ask the worker to finish its current work and end."""
        self._stopping = True
        if self._process is not None and self._process.is_alive():
            self._process.terminate()

    def kill(self) -> None:
        """Kill the worker, whatever it is doing."""
        if self._process is not None and self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _start(self) -> None:
        # Spawn instead of forking: neither open SQLite files nor threads survive a fork.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_work, args=(*self._work, theirs), name=f"worker-{self._number}"
        )
        self._process.start()
        theirs.close()
        self._restarts.begin()

    def _hear(self) -> bool:
        """Pass on the worker's messages; return False once it has closed its end."""
        if self.connection is None:
            return False
        try:
            while self.connection.poll():
                kind, *values = self.connection.recv()
                if kind == "update":
                    self._progress.update(*values)
                elif kind == "report":
                    self.report = values[0]
                else:
                    self._progress.say(f"worker {self._number}: {values[0]}")
                    self.failed = self.failed or kind == "failed"
        except (EOFError, OSError):
            return False
        return True

    def _after_its_end(self) -> None:
        if self._process is None or self.connection is None:
            return
        self._process.join()
        code, self._process = self._process.exitcode, None
        self.connection.close()
        self.connection = None
        if self.report is not None or self.failed or self._stopping:
            self.ended = True
            return
        pause_s = self._restarts.put_off()
        self._progress.say(
            f"worker {self._number} {how_it_ended(code)}: it starts again in {pause_s:.1f} s, and the log "
            "sends its unfinished messages again"
        )


class _Line:
    """A worker's connection to its supervisor; `lost` once that is gone."""

    def __init__(self, connection: Connection) -> None:
        self.lost = False
        self._connection = connection
        self._lock = threading.Lock()

    def update(self, done: int, total: int | None, note: str = "") -> None:
        self.tell("update", done, total, note)

    def say(self, line: str) -> None:
        self.tell("say", line)

    def tell(self, *message: object) -> None:
        with self._lock:
            try:
                self._connection.send(message)
            except OSError:
                self.lost = True


def _work(
    settings: Settings,
    model: NetworkModel | None,
    until_caught_up: bool,
    test_again: TestAgain | None,
    connection: Connection,
) -> None:
    """Run one worker process from start to end."""
    write_log_lines(settings.log_lines)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    line = _Line(connection)
    unfinished, code = False, 0
    try:
        detector = load_detector(settings, model)
        with (
            closing(open_object_store(settings.store_url, settings.store_access)) as store,
            closing(open_frame_log(settings.log_url, settings.log_access, lease_s=settings.lease_s)) as log,
            open_results(settings) as results,
        ):
            report = consume(
                settings=settings,
                store=store,
                log=log,
                detector=detector,
                progress=line,
                until_caught_up=until_caught_up,
                should_stop=lambda: stopped.is_set() or line.lost,
                results=results,
                test_again=test_again,
            )
        unfinished = report.unfinished
        line.tell("report", report)
    except Retryable as error:
        # The store or the log was unavailable before `consume` could wait for it; the next start may work.
        line.say(str(error))
        code = 1
    except FrametallyError as error:
        line.tell("failed", str(error))
    METERS.write()
    with suppress(OSError):
        connection.close()
    if code:
        sys.exit(code)
    if unfinished:
        os._exit(0)  # do not wait for threads in the detector or in calls of the store
