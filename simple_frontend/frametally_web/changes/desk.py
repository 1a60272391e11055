"""The thread that changes footage: one change at a time, with its progress.

When the server stops, the change ends at its next step, as after a kill; repeating the same change finishes
it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec

from frametally.actions.problems import Problem, as_sentence, problem_of, without_folders
from frametally.errors import FrametallyError
from frametally.files.reserve import reserve_released
from frametally.process.reports import Skipped
from frametally_web.changes.answers import ChangedCounts, ChangeState, LeftAlone

_log = logging.getLogger(__name__)
_MOST_LEFT_ALONE = 20
_CLOSE_S = 5


class ChangeOutcome(NamedTuple):
    """The result of a change in sentences: its effects, the media left alone, and the changed sources."""

    lines: list[str]
    skipped: Iterable[Skipped] = ()
    changed: ChangedCounts | None = None


class _ServerStops(Exception):
    """The change ends here; the same change finishes it later."""


class ChangeSteps:
    """The progress of the current change."""

    def __init__(self, desk: ChangeDesk) -> None:
        self._desk = desk
        self.said: list[str] = []

    def update(self, done: int, total: int | None, note: str = "") -> None:
        """Record the progress of the change; see `Progress`."""
        self._desk.note(done, total)

    def say(self, line: str) -> None:
        """Keep a line for people."""
        self.said.append(line)


Work = Callable[[ChangeSteps], ChangeOutcome]


def left_alone(skipped: Iterable[Skipped]) -> list[LeftAlone]:
    """Return the first media that a change leaves alone, for the API's answers."""
    first_skipped = list(skipped)[:_MOST_LEFT_ALONE]
    return [
        LeftAlone(name=item.name, why=without_folders(as_sentence(item.reason))) for item in first_skipped
    ]


class ChangeDesk:
    """Makes changes in a separate thread."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        """Start nothing yet; `on_change` is called after each change."""
        self._changed = on_change
        self._lock = threading.Lock()
        self._last: ChangeState | None = None
        self._thread: threading.Thread | None = None
        self._stops = False

    @property
    def last(self) -> ChangeState | None:
        """The current change, or the last one."""
        with self._lock:
            return self._last

    def start(self, what: str, target: str, work: Work, *, freeing: Path | None = None) -> ChangeState:
        """Start a change, and return its first state; one that frees space may use the reserve of `freeing`.

        Raises `Problem` (409) if another change is running.
        """
        begun = ChangeState(
            what=what, target=target, state="running", done=0, total=None, lines=[], left_alone=[]
        )
        with self._lock:
            if self._last is not None and self._last.state == "running":
                raise Problem(
                    409,
                    "Another change is already running.",
                    remedy="Try again when it has finished.",
                )
            self._last = begun
            space = ExitStack()
            if freeing is not None:  # before the request leaves its own block
                space.enter_context(reserve_released(freeing))
            self._thread = threading.Thread(
                target=self._run, args=(work, space), name="frametally-change", daemon=True
            )
            self._thread.start()
        return begun

    def note(self, done: int, total: int | None) -> None:
        """Record the progress of the change; raises if the server stops."""
        if self._stops:
            raise _ServerStops
        self._set(done=done, total=total)

    def close(self) -> None:
        """End the change at its next step."""
        self._stops = True
        if self._thread is not None:
            self._thread.join(timeout=_CLOSE_S)

    def _run(self, work: Work, space: ExitStack) -> None:
        try:
            with space:
                lines, skipped, changed = work(ChangeSteps(self))
        except _ServerStops:
            return
        except Exception as error:
            is_ours = isinstance(error, FrametallyError)
            _log.error("a change failed: %s", error, exc_info=None if is_ours else error)
            problem = problem_of(error)
            self._set(state="failed", lines=[problem.detail, problem.remedy])
        else:
            self._set(state="done", lines=lines, left_alone=left_alone(skipped), changed=changed)
        self._changed()

    def _set(self, **fields: object) -> None:
        with self._lock:
            if self._last is not None:
                self._last = msgspec.structs.replace(self._last, **fields)
