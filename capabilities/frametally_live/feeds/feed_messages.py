"""Messages between a live worker and the process of one feed: lines of JSON.

The worker first sends the `Feed`, then `FeedWish` lines; the process sends `FeedTold` lines.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import IO, Any

import msgspec

from frametally.errors import Retryable
from frametally.ports.opened import StagePorts
from frametally.process.retrying import Patience
from frametally_live.cameras.stream_clock import RecentRate
from frametally_live.feed_records import OVER, Feed, FeedKind, FeedState, FeedTold, FeedWanted
from frametally_videos.upload_refusals import sentence

KINDS: tuple[FeedKind, ...] = ("video", "camera")
"""The kinds of feeds that can run."""

LAST_WORDS: tuple[FeedState, ...] = (*OVER, "requested")
"""States with which a process ends: the feed has ended, or another process continues it."""


class FeedWish(msgspec.Struct, frozen=True, omit_defaults=True):
    """The latest request for a feed; sent at least once a second while its lease is kept."""

    wanted: FeedWanted
    seek_s: float | None = None


_TELL_EVERY_S = 0.5


def is_news(before: FeedTold, report: FeedTold) -> bool:
    """Return whether a change is urgent: a new state, or frames that are due."""
    was_due, is_due = before.due_at_ms is not None, report.due_at_ms is not None
    return (before.state, before.reason, was_due) != (report.state, report.reason, is_due)


@dataclass(eq=False)
class Teller:
    """Reports the state of a feed to its worker: urgent changes at once, others twice a second.

    Threads may share it.
    """

    told: FeedTold
    write: Callable[[FeedTold], object]
    _: KW_ONLY
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._told_at_s = float("-inf")
        self._shown = RecentRate()
        self._telling = threading.Lock()

    def tell(self, **changes: Any) -> None:
        """Record changes, and report them if it is time."""
        with self._telling:
            self._note(changes)

    def tell_frame(self, *, captured_at_ms: int, image_path: str, is_announced: bool, **changes: Any) -> None:
        """Record a new frame: its event time, its key, and whether it was announced."""
        with self._telling:
            self._shown.note(self.clock())
            self._note(
                {
                    "state": "running",
                    "reason": "",
                    "captured_at_ms": captured_at_ms,
                    "image_path": image_path,
                    "frames_per_s": self._shown.per_s,
                    "frames_announced": self.told.frames_announced + is_announced,
                    **changes,
                }
            )

    def _note(self, changes: dict[str, Any]) -> None:
        before, self.told = self.told, self.told._replace(**changes)
        now_s = self.clock()
        if is_news(before, self.told) or now_s - self._told_at_s >= _TELL_EVERY_S:
            self._told_at_s = now_s
            self.write(self.told)


class TellingPatience(Patience):
    """Waits for unavailable servers, and reports that the feed is waiting."""

    def __init__(self, teller: Teller, say: Callable[[str], None], should_stop: Callable[[], bool]) -> None:
        """Report the waiting by `teller`; otherwise as `Patience`."""
        super().__init__(say, should_stop)
        self._teller = teller

    def tell(self, topic: str, error: Retryable) -> None:
        """Report that `topic` failed for now; see `Patience.tell`."""
        self._teller.tell(state="waiting", reason=sentence(str(error)))
        super().tell(topic, error)


@dataclass(frozen=True)
class FeedRun(StagePorts):
    """The ports of a feed's process; its opener closes store and log.

    `packs`: whether a camera's frames are stored in packs.
    """

    patience: Patience
    teller: Teller
    packs: bool = False


# Created once, before any thread starts: see `records.decode`.
_wishes = msgspec.json.Decoder(FeedWish)


class Wishes:
    """The latest request; a separate thread listens, and all threads may read it."""

    def __init__(self, feed: Feed, *, lease_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Follow the request of `feed`; a process that hears nothing for `lease_s` has lost the feed."""
        self._wanted: FeedWanted = feed.wanted
        self._seek_s = feed.seek_s
        self._lease_s = lease_s
        self._clock = clock
        self._heard_at_s = clock()
        self._ended = False
        self._news = threading.Condition()

    def listen(self, stdin: IO[bytes]) -> None:
        """Read the worker's messages in a thread, until they end."""
        threading.Thread(target=self._listen, args=(stdin,), name="hearing-wishes", daemon=True).start()

    def hear(self, wish: FeedWish) -> None:
        """Store the latest request."""
        with self._news:
            is_new = wish.wanted != self._wanted or wish.seek_s is not None
            self._wanted, self._heard_at_s = wish.wanted, self._clock()
            if wish.seek_s is not None:
                self._seek_s = wish.seek_s
            if is_new:
                self._news.notify_all()

    def end(self) -> None:
        """Request the end of this process; another may continue the feed. A signal handler may call this."""
        self._ended = True

    @property
    def wanted(self) -> FeedWanted:
        """The last request of a person."""
        return self._wanted

    @property
    def is_end_wanted(self) -> bool:
        """Whether this process is to end because of a stop, or because another continues the feed."""
        is_lost = self._clock() - self._heard_at_s > self._lease_s
        return self._ended or is_lost or self._wanted == "stop"

    def take_seek(self) -> float | None:
        """Return the position to continue at, once; None if there is no seek."""
        with self._news:
            seek_s, self._seek_s = self._seek_s, None
            return seek_s

    def wait(self, seconds: float) -> None:
        """Wait for this time at most; return early when the request changes."""
        with self._news:
            if self._seek_s is None and not self._ended:
                self._news.wait(seconds)

    def _listen(self, stdin: IO[bytes]) -> None:
        for line in stdin:
            self.hear(_wishes.decode(line))
        self.end()
        with self._news:
            self._news.notify_all()
