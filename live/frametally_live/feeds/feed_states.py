"""Telling the worker how a feed stands, and waiting for what is away so that people see it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from frametally.errors import Retryable
from frametally.process.retrying import Patience
from frametally_live.cameras.stream_clock import RecentRate
from frametally_live.feed_records import FeedTold
from frametally_videos.looking.video_sentences import sentence

_TELL_EVERY_S = 0.5


def is_news(before: FeedTold, told: FeedTold) -> bool:
    """Return whether a change is to be told at once: of its state, or of whether its frames are due."""
    was_due, is_due = before.due_at_ms is not None, told.due_at_ms is not None
    return (before.state, before.reason, was_due) != (told.state, told.reason, is_due)


class Teller:
    """How a feed stands: news are told at once, all else twice a second; threads may share it."""

    def __init__(
        self,
        told: FeedTold,
        write: Callable[[FeedTold], object],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with what is known; lines go to `write`."""
        self._told = told
        self._write = write
        self._clock = clock
        self._told_at_s = float("-inf")
        self._shown = RecentRate()
        self._telling = threading.Lock()

    @property
    def told(self) -> FeedTold:
        """How it stands."""
        return self._told

    def tell(self, **changes: Any) -> None:
        """Note changes, and tell them if it is time."""
        with self._telling:
            self._note(changes)

    def tell_frame(self, *, captured_at_ms: int, image_path: str, is_announced: bool, **changes: Any) -> None:
        """Note a frame that has come: with its event time, its key, and whether it was announced."""
        with self._telling:
            self._shown.note(self._clock())
            self._note(
                {
                    "state": "running",
                    "reason": "",
                    "captured_at_ms": captured_at_ms,
                    "image_path": image_path,
                    "frames_per_s": self._shown.per_s,
                    "frames_announced": self._told.frames_announced + is_announced,
                    **changes,
                }
            )

    def _note(self, changes: dict[str, Any]) -> None:
        before, self._told = self._told, self._told._replace(**changes)
        now_s = self._clock()
        if is_news(before, self._told) or now_s - self._told_at_s >= _TELL_EVERY_S:
            self._told_at_s = now_s
            self._write(self._told)


class TellingPatience(Patience):
    """Waits for what is away, and tells that the feed does."""

    def __init__(self, teller: Teller, say: Callable[[str], None], should_stop: Callable[[], bool]) -> None:
        """Tell it by `teller`; else as `Patience`."""
        super().__init__(say, should_stop)
        self._teller = teller

    def tell(self, what: str, error: Retryable) -> None:
        """Say that `what` failed for now; see `Patience.tell`."""
        self._teller.tell(state="waiting", reason=sentence(str(error)))
        super().tell(what, error)
