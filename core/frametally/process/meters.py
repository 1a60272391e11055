"""Measures what a process has done and how long it took, as growing sums; `frametally.telemetry` shows them.

A child process writes its sums into the folder that its parent names in the environment, so that the sums of
a whole family are in one place. Measuring costs a lock and some additions; it never fails or waits.
"""

from __future__ import annotations

import atexit
import json
import os
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

BOUNDS_S = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0),
)
"""Upper bounds of the histograms' buckets in seconds; one more bucket has anything longer."""
FOLDER_VARIABLE = "FRAMETALLY_METERS_FOLDER"
OTHERS = "other"
MOST_NAMES = 50
"""How many stages, reasons or parts keep their own name; later ones are added to `OTHERS`."""
_WRITE_EVERY_S = 0.5


class Figures:
    """The sums of one or more processes.

    Attributes:
        seconds: Durations by stage: the number in each bucket of `BOUNDS_S` and in one more, not cumulative,
            followed by the sum in seconds.
        frames: Frames processed, by stage.
        dead: Frames set aside, by reason.
        outages: Number of outages, by part.
        outage_s: Total length of outages in seconds, by part.
        away: Number of processes that cannot reach a part now, by part; unlike the others, it also falls.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        self.frames: dict[str, float] = {}
        self.dead: dict[str, float] = {}
        self.outages: dict[str, float] = {}
        self.outage_s: dict[str, float] = {}
        self.away: dict[str, float] = {}

    def observe(self, stage: str, seconds: float) -> None:
        """Add a duration of a stage."""
        stage = bounded(self.seconds, stage)
        buckets = self.seconds.setdefault(stage, [0] * (len(BOUNDS_S) + 1) + [0.0])
        buckets[bisect_left(BOUNDS_S, seconds)] += 1
        buckets[-1] += seconds

    def add(self, other: Figures) -> None:
        """Add the sums of other figures."""
        for stage, buckets in other.seconds.items():
            name = bounded(self.seconds, stage)
            own_buckets = self.seconds.get(name) or [0.0] * len(buckets)
            self.seconds[name] = [
                own_count + other_count for own_count, other_count in zip(own_buckets, buckets, strict=True)
            ]
        for sums, more in zip(self._sums(), other._sums(), strict=True):
            for name, number in more.items():
                name = bounded(sums, name)
                sums[name] = sums.get(name, 0) + number

    def _sums(self) -> tuple[dict[str, float], ...]:
        return self.frames, self.dead, self.outages, self.outage_s, self.away

    def as_json(self) -> bytes:
        """Return the figures as JSON for `figures_of`."""
        return json.dumps(vars(self)).encode()


def bounded(sums: Mapping[str, object], name: str) -> str:
    """Return the name to add to: itself, or `OTHERS` if there are too many names."""
    return name if name in sums or len(sums) < MOST_NAMES else OTHERS


def figures_of(data: bytes) -> Figures:
    """Return the figures in the JSON of `as_json`.

    Raises:
        ValueError: The data is something else.
    """
    figures = Figures()
    fields: Any = json.loads(data)
    if not isinstance(fields, dict):
        raise ValueError("no figures")
    for name, sums in vars(figures).items():
        sums_there = fields.get(name, {})
        if not isinstance(sums_there, dict) or len(sums_there) > MOST_NAMES + 1:
            raise ValueError(f"{name}: no sums")
        for key, value in sums_there.items():
            numbers = value if name == "seconds" else [value]
            if not isinstance(numbers, list) or not all(
                isinstance(number, int | float) and 0 <= number < float("inf") for number in numbers
            ):
                raise ValueError(f"{name}: {key!r} is not a sum")
            if name == "seconds" and len(numbers) != len(BOUNDS_S) + 2:
                raise ValueError(f"{name}: {key!r} has other buckets")
            sums[key] = value
    return figures


class Absence(NamedTuple):
    """The last outage of a part, as calls to it have shown.

    Attributes:
        away_since_ms: When the first call failed.
        seen_by: The actions whose calls failed and have not succeeded since.
        back_since_ms: When one of these actions succeeded again; None while the part is away.
    """

    away_since_ms: int
    seen_by: frozenset[str]
    back_since_ms: int | None


class Meters:
    """The figures of this process; its threads share them."""

    def __init__(self) -> None:
        """Start without sums; they are written only if the environment names a folder."""
        self._figures = Figures()
        self._lock = threading.Lock()
        self._absences: dict[str, Absence] = {}
        self._measured_until_s: dict[str, float] = {}
        self._has_news = False
        self._writer: threading.Thread | None = None
        self._file: Path | None = None

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Measure a stage unless it raises."""
        began_s = time.monotonic()
        yield
        self.took(stage, time.monotonic() - began_s)

    def took(self, stage: str, seconds: float, *, frames: int = 0) -> None:
        """Add a duration of a stage, and its frames."""
        with self._changing() as figures:
            figures.observe(stage, max(seconds, 0.0))
            if frames:
                name = bounded(figures.frames, stage)
                figures.frames[name] = figures.frames.get(name, 0) + frames

    def set_aside(self, reason: str) -> None:
        """Add a frame that became a dead letter."""
        with self._changing() as figures:
            name = bounded(figures.dead, reason)
            figures.dead[name] = figures.dead.get(name, 0) + 1

    def away(self, part: str, seen_by: str) -> None:
        """Record that a call to a part failed, in the action `seen_by`; one outage lasts until `back`."""
        with self._changing() as figures:
            part = bounded(figures.outages, part)
            now_s, absence = time.monotonic(), self._absences.get(part)
            if absence is None or absence.back_since_ms is not None:
                figures.outages[part] = figures.outages.get(part, 0) + 1
                figures.away[part] = 1
                self._measured_until_s[part] = now_s
                absence = Absence(_now_ms(), absence.seen_by if absence else frozenset(), None)
            self._absences[part] = absence._replace(seen_by=absence.seen_by | {seen_by})
            self._measure_outage(figures, part, now_s)

    def back(self, seen_by: str) -> None:
        """Record that the action `seen_by` succeeded: the parts that it saw away have answered it."""
        parts = [part for part, absence in [*self._absences.items()] if seen_by in absence.seen_by]
        if not parts:  # called after each success
            return
        with self._changing() as figures:
            for part in parts:
                absence = self._absences[part]
                if absence.back_since_ms is None:
                    self._measure_outage(figures, part, time.monotonic())
                    absence, figures.away[part] = absence._replace(back_since_ms=_now_ms()), 0
                self._absences[part] = absence._replace(seen_by=absence.seen_by - {seen_by})

    def absence(self, part: str) -> Absence | None:
        """Return the last outage of a part, or None if no call to it has failed."""
        return self._absences.get(part)

    def _measure_outage(self, figures: Figures, part: str, now_s: float) -> None:
        lasted_s = now_s - self._measured_until_s[part]
        figures.outage_s[part] = figures.outage_s.get(part, 0.0) + lasted_s
        self._measured_until_s[part] = now_s

    def figures(self) -> Figures:
        """Return a copy of the current figures."""
        copy = Figures()
        with self._lock:
            copy.add(self._figures)
        return copy

    def write(self) -> None:
        """Write the figures into the family's folder, if there is one and they have changed."""
        folder = os.environ.get(FOLDER_VARIABLE)
        if not folder or not self._has_news:
            return
        with self._lock:
            data, self._has_news = self._figures.as_json(), False
            file = Path(folder, f"{os.getpid()}-{time.time_ns()}.json") if self._file is None else self._file
            self._file = file
            fresh = file.with_suffix(".new")
            try:
                fresh.write_bytes(data)
                fresh.replace(file)
            except OSError:
                pass  # the family is gone or its disk is full; measuring is no reason to stop

    @property
    def file_name(self) -> str | None:
        """The file with this process's figures in the family's folder."""
        return self._file.name if self._file is not None else None

    @contextmanager
    def _changing(self) -> Iterator[Figures]:
        with self._lock:
            yield self._figures
            self._has_news = True
            if self._writer is None and os.environ.get(FOLDER_VARIABLE):
                self._writer = threading.Thread(target=self._write_on, name="meters", daemon=True)
                self._writer.start()
                atexit.register(self.write)

    def _write_on(self) -> None:
        while True:
            time.sleep(_WRITE_EVERY_S)
            self.write()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


METERS = Meters()
"""The meters of this process."""
