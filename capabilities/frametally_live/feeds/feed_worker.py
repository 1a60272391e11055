"""`frametally live work`: runs each camera and stream in its own process.

The worker claims each feed by a lease, and renews it several times a second. Its processes end with it; once
the leases have expired, other workers continue the feeds.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from frametally.errors import Retryable
from frametally.process.retrying import Backoff, GivenUp, Patience
from frametally.settings.loading import Settings
from frametally.work.worker_process import (
    END_WITHIN_S,
    KILLED_FROM_OUTSIDE,
    WorkerProcess,
    environment_for_child,
)
from frametally_live.feed_records import CAPTURE_FIELDS, Feed, FeedTold, FeedWanted
from frametally_live.feeds.feed_messages import KINDS, LAST_WORDS, FeedWish, is_news
from frametally_live.feeds.left_behind import LeftBehind

if TYPE_CHECKING:
    from frametally_live.book import LiveBook


_LOOK_S, _LOOK_UP_EVERY_S, _RENEW_EVERY_S = 0.1, 0.2, 1.0
_GONE_WITHIN_S = 2.0
"""Time after which the process of a stopped stream is killed; a removal waits a little longer."""
_LAST_WITHIN_S = 60.0
"""Time after which a process for the last frames of a camera is killed: it has to load first."""
_FIRST_RESTART_S, _LONGEST_RESTART_S = 0.5, 60.0
"""Pauses before a new process; `camera_capture.py` has the pauses before a camera is opened again."""
_MOST_DEATHS, _MOST_DEATHS_FROM_OUTSIDE = 3, 10
"""Consecutive deaths without a frame; a kill by a person, or for lack of memory, may be chance."""
# Created once, before any thread starts: see `records.decode`.
_report_decoder = msgspec.json.Decoder(FeedTold)


class HeldFeed:
    """A claimed feed, run by one process after another until it has ended, is lost, or is left to another."""

    def __init__(
        self, feed: Feed, *, settings: Settings, book: LiveBook, say: Callable[[str], None], packs: bool
    ) -> None:
        """Start nothing yet; `say` gets messages for people, `packs` is as for `work`."""
        self._feed = feed
        self._settings = settings
        self._lease_s = settings.lease_s
        self._book = book
        self._say = say
        self._arguments = ["--packs"] if packs else []
        self._report = feed.told
        self._last_word: FeedTold | None = None
        self._last_line = ""
        self._kept_at_s = self._looked_at_s = time.monotonic()
        self._kept = feed.told
        self._process: WorkerProcess | None = None

    def run(self, should_stop: Callable[[], bool]) -> None:
        """Run the feed, in a separate thread; once `should_stop`, leave it to another worker."""
        backoff = Backoff(_FIRST_RESTART_S, _LONGEST_RESTART_S)
        deaths = 0
        while True:
            frames_before = self._report.frames_announced, self._report.captured_at_ms
            code = self._run_process(should_stop)
            if code is None:
                return
            if self._last_word is None and self._is_left(should_stop):
                self._last_word = self._report._replace(
                    state="requested", reason=""
                )  # a stopped feed has ended
            if self._last_word is not None:
                self._release(self._last_word, should_stop)
                return
            is_further = (self._report.frames_announced, self._report.captured_at_ms) != frames_before
            deaths = 1 if is_further else deaths + 1
            if is_further:
                backoff.reset()
            reason = self._why_it_died(code)
            if deaths >= (_MOST_DEATHS_FROM_OUTSIDE if code in KILLED_FROM_OUTSIDE else _MOST_DEATHS):
                reason = f"{reason.removesuffix('.')}, {deaths} times in a row."
                self._release(self._report._replace(state="failed", reason=reason), should_stop)
                return
            pause_s = 0.0 if self._feed.wanted == "stop" else backoff.next_s()
            self._say(f"{self._feed.name}: {reason} It starts again in {pause_s:.1f} s.")
            self._report = self._report._replace(state="starting", reason=reason)
            if not self._pause(pause_s, should_stop):
                return

    def _run_process(self, should_stop: Callable[[], bool]) -> int | None:
        """Run the feed in a process until it ends; return the exit code, or None if another has the feed."""
        environment = environment_for_child(self._settings)
        with WorkerProcess(
            "frametally_live.feeds", environment, *self._arguments, hear=self._hear, say=self._say_of_it
        ) as process:
            self._process = process
            try:
                self._write(self._feed._replace(told=self._report, seek_s=None))
                is_ours = self._look_after(process, should_stop)
            finally:
                self._process = None
        self._last_line = process.last_line
        return process.code if is_ours else None

    def _look_after(self, process: WorkerProcess, should_stop: Callable[[], bool]) -> bool:
        """Wait for the end of a process; return whether the feed stayed ours until then."""
        stopped_within_s = _GONE_WITHIN_S if self._feed.kind == "video" else END_WITHIN_S
        if self._feed.wanted == "stop":
            stopped_within_s = _LAST_WITHIN_S
        while not process.has_ended(_LOOK_S):
            if not self._keep():
                return False
            if should_stop():
                process.end_within(END_WITHIN_S)
            if self._feed.wanted == "stop":
                process.kill_within(stopped_within_s)
        return True

    def _pause(self, seconds: float, should_stop: Callable[[], bool]) -> bool:
        """Wait, and renew the lease; return whether to run the feed again."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            if not self._keep():
                return False
            if self._is_left(should_stop):
                self._release(self._report._replace(state="requested", reason=""), should_stop)
                return False
            if self._feed.wanted == "stop":
                return True
            time.sleep(_LOOK_S)
        return True

    def _is_left(self, should_stop: Callable[[], bool]) -> bool:
        """Return whether a dead process needs no successor.

        A stopped camera gets one more, which sends the captured frames and completes their minutes.
        """
        return should_stop() or (self._feed.wanted == "stop" and self._feed.kind == "video")

    def _keep(self) -> bool:
        """Renew the lease if it is time, or if there is news; return False if another worker has the feed."""
        now_s, report = time.monotonic(), self._report
        is_due = now_s - self._kept_at_s >= min(_RENEW_EVERY_S, self._lease_s / 3)
        try:
            if not is_due and not is_news(self._kept, report) and not self._is_asked(now_s):
                return True
            feed = self._book.renew_feed(self._feed, report, lease_s=self._lease_s)
        except Retryable:  # no other worker gets it either
            self._kept_at_s = now_s
            self._write(FeedWish(self._feed.wanted))
            return True
        if feed is None:
            return False
        self._kept_at_s, self._kept = now_s, report
        # A new address or rate needs a new capture: this process ends, and the feed is claimed again.
        request: FeedWanted = "stop" if self._is_moved(feed) else feed.wanted
        self._feed = self._feed._replace(wanted=request)
        if feed.seek_s is not None:
            self._report = self._report._replace(position_s=feed.seek_s, due_at_ms=None)
        self._write(FeedWish(request, feed.seek_s))
        return True

    def _is_moved(self, current: Feed) -> bool:
        return any(getattr(current, name) != getattr(self._feed, name) for name in CAPTURE_FIELDS)

    def _is_asked(self, now_s: float) -> bool:
        """Return whether the request for the feed has changed."""
        if now_s - self._looked_at_s < _LOOK_UP_EVERY_S:
            return False
        self._looked_at_s = now_s
        current = self._book.feed(self._feed.id)
        if current is None or self._is_moved(current):
            return current is None or self._feed.wanted != "stop"
        return current.wanted != self._feed.wanted or current.seek_s is not None

    def _release(self, report: FeedTold, should_stop: Callable[[], bool]) -> None:
        patience = Patience(self._say, should_stop)
        try:
            patience.until_done("jobs", lambda: self._book.release_feed(self._feed, report))
        except GivenUp:
            return  # another worker gets it when the lease has expired
        if report.state == "failed":
            self._say(f"{self._feed.name}: {report.reason}")

    def _write(self, word: Feed | FeedWish) -> None:
        if self._process is not None:
            self._process.write(word)

    def _hear(self, line: bytes) -> None:
        report = _report_decoder.decode(line)
        if report.state in LAST_WORDS:
            self._last_word = report
        else:
            self._report = report

    def _say_of_it(self, line: str) -> None:
        self._say(f"{self._feed.name}: {line}")

    def _why_it_died(self, code: int) -> str:
        if code < 0:
            return f"Its process was killed ({signal.Signals(-code).name})."
        return f"Its process ended: {self._last_line or code}."


_LOOK_EVERY_S = 0.2


def work(
    *,
    settings: Settings,
    book: LiveBook,
    say: Callable[[str], None],
    should_stop: Callable[[], bool],
    packs: bool = False,
) -> None:
    """Run the requested feeds until `should_stop`; leave running feeds to another worker.

    Waits for an unavailable catalogue, store or log. Threads share the `book` of feeds. `say` gets reasons
    for waiting and failures. `packs`: whether the frames of cameras are stored in packs.
    """
    name = f"{socket.gethostname()}-{os.getpid()}"
    patience = Patience(say, should_stop)
    threads: dict[threading.Thread, str] = {}  # with the sources that they hold

    def held() -> set[str]:
        return {source for thread, source in list(threads.items()) if thread.is_alive()}

    sending = LeftBehind(settings, book, held=held, packs=packs, say=say).start(should_stop)
    while not patience.stopping:
        threads = {thread: source for thread, source in threads.items() if thread.is_alive()}
        try:
            feed = book.claim_feed(name, KINDS, lease_s=settings.lease_s)
            patience.answered("feeds")
        except Retryable as error:
            patience.tell("feeds", error)
            feed = None
        if feed is None:
            patience.pause(_LOOK_EVERY_S)
            continue
        held_feed = HeldFeed(feed, settings=settings, book=book, say=say, packs=packs)
        thread = threading.Thread(target=held_feed.run, args=(should_stop,), name=f"feed-{feed.id}")
        thread.start()
        threads[thread] = feed.source if feed.kind == "camera" else ""
    for thread in (*threads, sending):
        thread.join()
