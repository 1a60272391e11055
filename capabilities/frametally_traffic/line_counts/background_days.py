"""Counts a range's days in the background, because a year with a new line takes longer than a page may wait.

A request waits for part of its time and gets the days counted by then; the next request gets more.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from frametally.actions.problems import Problem
from frametally.errors import FrametallyError, Poison, Retryable
from frametally.keys import day_start_ms
from frametally.process.time_limit import seconds_left
from frametally_traffic.counting.published_days import FLOWS_FOLDER, flows_for
from frametally_traffic.flows.day_columns import FlowColumns
from frametally_web.books.context import ActionContext

_log = logging.getLogger(__name__)

_MOST_KEPT_BYTES = 256_000_000
"""Flows kept for the next request: a page asks several routes about the same days. A year of a busy camera is
about this large. The days of the last request are kept whatever their size."""
_MOST_WAIT_S = 1.0
_LEAST_LEFT_S = 3.0
"""Time reserved for the rest of an answer."""

Count = Callable[[str, int, str, Sequence[str]], Iterator[FlowColumns]]
"""Given model, base interval, source and days, yields the flows of each."""


class DaysAsked(NamedTuple):
    """The days of a source; `version` changes with its footage or its drawing."""

    model: str
    base_interval_s: int
    source: str
    days: tuple[str, ...]
    version: str


class TakenDays(NamedTuple):
    """The counts so far: flows by day, and the number of finished days.

    Attributes:
        days_counted: Finished days, with those that could not be counted.
        note: Why a day could not be counted, with the remedy; None if all could.
        unread_days: The UTC days that could not be counted.
    """

    flows: list[FlowColumns]
    days_counted: int
    note: str | None
    unread_days: tuple[str, ...] = ()


class FlowDays:
    """Counts each question's days in a thread; the oldest are given up when all hold too many bytes."""

    def __init__(self, count: Count, most_bytes: int = _MOST_KEPT_BYTES) -> None:
        self._count = count
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._tasks: OrderedDict[DaysAsked, _Task] = OrderedDict()

    def take(self, question: DaysAsked) -> TakenDays:
        """Return the counts of the days when all are finished or the time is up."""
        with self._lock:
            task = self._tasks.get(question)
            if task is None or task.error is not None:  # try again
                task = self._tasks[question] = _Task(self._count, question)
                task.start()
            self._tasks.move_to_end(question)
            while (
                len(self._tasks) > 1 and sum(other.bytes for other in self._tasks.values()) > self._most_bytes
            ):
                self._tasks.popitem(last=False)[1].is_given_up = True
        left_s = seconds_left()
        task.join(_MOST_WAIT_S if left_s is None else min(_MOST_WAIT_S, left_s / 2))
        return task.taken()

    def close(self) -> None:
        """Stop all counting."""
        with self._lock:
            tasks = [*self._tasks.values()]
            self._tasks.clear()
        for task in tasks:
            task.is_given_up = True
            task.join(timeout=5)


class _Task(threading.Thread):
    def __init__(self, count: Count, question: DaysAsked) -> None:
        super().__init__(name="frametally-flows", daemon=True)
        self._count = count
        self._question = question
        self._flows: list[FlowColumns] = []
        self._notes: dict[str, str] = {}  # by day
        self._days_done = 0
        self.bytes = 0
        self.error: FrametallyError | None = None
        self.is_given_up = False

    def taken(self) -> TakenDays:
        """Return the counts so far. Raises the exception that ended the counting."""
        if self.error is not None:
            raise self.error
        notes = [*self._notes.items()]
        return TakenDays(
            [*self._flows], self._days_done, notes[0][1] if notes else None, tuple(day for day, _ in notes)
        )

    def run(self) -> None:
        try:
            remaining = [*self._question.days]
            while remaining and not self.is_given_up:
                remaining = self._count_some(remaining)
        except FrametallyError as error:
            self.error = error
        except Exception:
            _log.exception("frametally cannot count the flows of %s", self._question.source)
            self.error = Retryable("frametally cannot count the crossings of these days")

    def _count_some(self, days: list[str]) -> list[str]:
        """Count days until one fails; return those after it."""
        question = self._question
        try:
            for flows in self._count(question.model, question.base_interval_s, question.source, days):
                self._flows.append(flows)
                self.bytes += sum(np.asarray(column).nbytes for column in flows.columns.values())
                days = [day for day in days if day_start_ms(day) > flows.day_start_ms]
                self._days_done = len(question.days) - len(days)
                if self.is_given_up:
                    return []
            days = []
        except Poison as error:
            self._notes[days[0]] = str(error)
            days = days[1:]
        self._days_done = len(question.days) - len(days)
        return days


def check_time_left(days_counted: int, days: int) -> None:
    """Check that an answer that needs all days has time to wait for more.

    Raises:
        Problem: 503 if its time is nearly up.
    """
    left_s = seconds_left()
    if left_s is not None and left_s < _LEAST_LEFT_S:
        raise Problem(
            503,
            f"Only {days_counted} of {days} days are counted for these lines so far.",
            remedy="Try again in a few seconds. Counting continues.",
        )


def flow_days(context: ActionContext) -> FlowDays:
    """Return the days of one application."""
    folder = context.settings.data_dir / FLOWS_FOLDER
    return FlowDays(partial(flows_for, context.ports.store, folder=folder))
