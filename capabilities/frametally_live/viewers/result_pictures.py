"""Reads the pictures of results from the store, once for all viewers, the newest few of each feed."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple

from frametally.books.evidence import find_line
from frametally.errors import FrametallyError, Retryable
from frametally.media.manifests import forgotten_by
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process.retrying import OnceAMinute
from frametally.records import FrameDetections
from frametally_live.feed_records import Feed
from frametally_live.viewers.viewer_messages import PicturedResult
from frametally_web.access.seen_index import DashboardPorts

_LOG = logging.getLogger("frametally_web")
_MOST_AT_ONCE = 4
_MOST_WAITING, _MOST_WAIT_S = 16, 1.0
"""Limits for the waiting results of a feed: their number, and the age of all but the newest."""
_TRY_AGAIN_S = 0.5
_STRAGGLES_S = 1.0
_AWAY = "The store is not responding."


class FeedName(NamedTuple):
    """The watched feed: a streamed video, or a camera's source; the other is empty."""

    video_id: str = ""
    source: str = ""


class _Waiting(NamedTuple):
    """A frame without its picture, and since when it has waited."""

    since_s: float
    frame: PicturedResult


class _Feed:
    """The received results of one feed."""

    def __init__(self) -> None:
        self.came = 0
        self.waiting: deque[_Waiting] = deque(maxlen=_MOST_WAITING)
        self.is_got = True
        self.captured_at_ms = 0
        self.taken_at_s = float("-inf")
        self.stragglers: dict[int | None, FrameDetections] = {}  # results of the last second by event time
        self.is_sought = False  # whether the stored result of its position is being read


@dataclass(eq=False)
class Pictures:
    """Passes pictures to `show`; calls `tell` with the reason while there are none, or "" (in threads)."""

    store: ObjectStore
    show: Callable[[FeedName, PicturedResult], None]
    tell: Callable[[str], None]
    _: KW_ONLY
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._once_a_minute = OnceAMinute(_LOG.warning)
        self._lock = threading.Lock()
        self._feeds: dict[FeedName, _Feed] = {}
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="live-pictures")

    def watch(self, names: Iterable[FeedName]) -> None:
        """Get the pictures of these feeds from now on, and of no others."""
        with self._lock:
            self._feeds = {name: self._feeds.get(name) or _Feed() for name in names}

    def take(self, name: FeedName, result: FrameDetections) -> None:
        """Record the newest result of a feed; set an older one aside if the last is less than a second old.

        Results of one feed come from several partitions, so older ones are out of date. But after a jump back
        in a video, they are the newest; see `stand`.
        """
        with self._lock:
            feed = self._feeds.get(name)
            if feed is None or self._ended.is_set():
                return
            feed.came += 1
            is_earlier = result.captured_at_ms < feed.captured_at_ms
            if is_earlier and self.clock() - feed.taken_at_s < _STRAGGLES_S:
                feed.stragglers[result.captured_at_ms] = result
            else:
                self._take(name, feed, result)

    def begin(self, name: FeedName, find: Callable[[], FrameDetections | None]) -> None:
        """Record the result at a feed's position from `find`, run in a thread, unless a result came first."""
        with self._lock:
            feed = self._feeds.get(name)
            if feed is None or feed.came or feed.is_sought or self._ended.is_set():
                return
            feed.is_sought = True
            self._pool.submit(self._begin, name, feed, find)

    def _begin(self, name: FeedName, feed: _Feed, find: Callable[[], FrameDetections | None]) -> None:
        try:
            result = find()
        except FrametallyError as error:
            self._once_a_minute("standing", f"frametally cannot read the picture of a paused stream: {error}")
            result = None
        with self._lock:
            feed.is_sought = False
            if result is not None and not feed.came and not self._ended.is_set():
                feed.came = 1
                self._take(name, feed, result)

    def stand(self, name: FeedName, captured_at_ms: int | None) -> None:
        """Record that a feed is paused at a position: its skipped results are not late."""
        with self._lock:
            feed = self._feeds.get(name)
            if feed is None or self._ended.is_set():
                return
            if (straggler := feed.stragglers.get(captured_at_ms)) is not None:
                self._take(name, feed, straggler)

    def _take(self, name: FeedName, feed: _Feed, result: FrameDetections) -> None:
        feed.captured_at_ms, feed.taken_at_s, feed.stragglers = result.captured_at_ms, self.clock(), {}
        feed.waiting.append(_Waiting(feed.taken_at_s, PicturedResult(feed.came, result, b"")))
        if feed.is_got:
            feed.is_got = False
            self._pool.submit(self._get, name, feed)

    def close(self) -> None:
        """Stop without waiting."""
        self._ended.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _get(self, name: FeedName, feed: _Feed) -> None:
        try:
            while (frame := self._next(feed)) is not None:
                self._get_one(name, feed, frame)
        except FrametallyError as error:
            self._once_a_minute("picture", f"frametally cannot read a live picture: {error}")
            with self._lock:
                feed.is_got = True

    def _next(self, feed: _Feed) -> PicturedResult | None:
        """Return the next result that needs a picture, or None if there is none or no one watches."""
        with self._lock:
            old_s = self.clock() - _MOST_WAIT_S
            while len(feed.waiting) > 1 and feed.waiting[0].since_s < old_s:
                feed.waiting.popleft()
            feed.is_got = not feed.waiting
            return None if feed.is_got or self._ended.is_set() else feed.waiting.popleft().frame

    def _get_one(self, name: FeedName, feed: _Feed, frame: PicturedResult) -> None:
        while self._feeds.get(name) is feed and not self._ended.is_set():
            try:
                jpeg = self.store.get(frame.result.image_path)
            except ObjectMissing:  # deleted in the meantime
                return
            except Retryable as error:
                self.tell(_AWAY)
                self._once_a_minute("store", f"frametally cannot read live pictures: {error}")
                self._ended.wait(_TRY_AGAIN_S)
                with self._lock:
                    if feed.waiting:  # older results are no longer shown
                        feed.waiting = deque([feed.waiting[-1]], _MOST_WAITING)
                        return
            else:
                self.tell("")
                self.show(name, frame._replace(jpeg=jpeg))
                return


def find_shown(ports: DashboardPorts, feed: Feed) -> FrameDetections | None:
    """Return the result of a feed's current frame from its segment, or None if no segment has it yet.

    The process that streams it updates the ledger from the store.

    Raises:
        FrametallyError: The ledger or the store is unavailable, or the segment cannot be read.
    """
    model = feed.model or next(iter(ports.ledger.models()), None)
    if model is None or feed.told.captured_at_ms is None:
        return None
    return find_line(
        ports.store,
        ports.ledger,
        model=model,
        source=feed.source,
        captured_at_ms=feed.told.captured_at_ms,
        image_path=feed.told.image_path,
        not_counted=forgotten_by(ports.ledger.tombstones()),
    )
