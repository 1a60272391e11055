"""A feed that this worker holds: its process, its lease, and what is wanted of it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from frametally.errors import Retryable
from frametally.process.retrying import Backoff, GivenUp, Patience
from frametally.settings.loading import Settings
from frametally_live.feed_records import Feed, FeedTold
from frametally_live.feeds.feed_messages import LAST_WORDS, FeedWish
from frametally_live.feeds.feed_states import is_news
from frametally_live.settings import LiveSettings
from frametally_producer.child import environment_for_child, start_child

if TYPE_CHECKING:
    from frametally_live.book import LiveBook

_LOOK_S, _LOOK_UP_EVERY_S, _RENEW_EVERY_S = 0.1, 0.2, 1.0
_END_WITHIN_S = 9.0
"""A process that was told to leave its feed to another is killed after that: commands end within 10 s."""
_GONE_WITHIN_S = 2.0
"""One whose stream was stopped, after that: a removal waits a little longer for what it writes."""
_LAST_WITHIN_S = 60.0
"""One that was started for the last of a camera, after that: it has yet to load."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 60.0
_MOST_DEATHS, _MOST_DEATHS_FROM_OUTSIDE = 3, 10
"""In a row, without a frame in between; by a person, or for want of memory, it may be an accident."""
_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)
_LONGEST_LINE = 1 << 16
# Made once, before there are threads: see `records.decode`.
_told = msgspec.json.Decoder(FeedTold)


class HeldFeed:
    """A claimed feed, run by one process after the other until it is over, lost, or left to another."""

    def __init__(self, feed: Feed, *, settings: Settings, book: LiveBook, say: Callable[[str], None]) -> None:
        """Start nothing yet; `say` is told what people should know."""
        self._feed = feed
        self._settings = settings
        self._book = book
        self._say = say
        self._told = feed.told
        self._last_word: FeedTold | None = None
        self._last_line = ""
        self._kept_at_s = self._looked_at_s = time.monotonic()
        self._kept = feed.told
        self._process: subprocess.Popen[bytes] | None = None
        self._has_news = threading.Event()  # its process has told something, or has closed its output

    def run(self, should_stop: Callable[[], bool]) -> None:
        """Run it; once `should_stop`, it is left to another. Call it in a thread of its own."""
        backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        deaths = 0
        while True:
            frames_before = self._told.frames_announced, self._told.captured_at_ms
            code = self._run_process(should_stop)
            if code is None:
                return
            if self._last_word is None and self._is_left(should_stop):
                self._last_word = self._told._replace(state="requested", reason="")  # of a stopped one: over
            if self._last_word is not None:
                self._release(self._last_word, should_stop)
                return
            is_further = (self._told.frames_announced, self._told.captured_at_ms) != frames_before
            deaths = 1 if is_further else deaths + 1
            if is_further:
                backoff.reset()
            why = self._why_it_died(code)
            if deaths >= (_MOST_DEATHS_FROM_OUTSIDE if code in _FROM_OUTSIDE else _MOST_DEATHS):
                why = f"{why.removesuffix('.')}, {deaths} times in a row."
                self._release(self._told._replace(state="failed", reason=why), should_stop)
                return
            pause_s = 0.0 if self._feed.wanted == "stop" else backoff.next_s()
            self._say(f"{self._feed.name}: {why} It is started again in {pause_s:.1f} s.")
            self._told = self._told._replace(state="starting", reason=why)
            if not self._pause(pause_s, should_stop):
                return

    def _run_process(self, should_stop: Callable[[], bool]) -> int | None:
        """Run it in a process until that ends; return its code, None if the feed is another's by now."""
        process = start_child("frametally_live.feeds", environment_for_child(self._settings))
        with process:
            readers = [
                threading.Thread(target=self._hear, args=(process.stdout,), daemon=True),
                threading.Thread(target=self._pass_on, args=(process.stderr,), daemon=True),
            ]
            for reader in readers:
                reader.start()
            self._process = process
            try:
                self._write(msgspec.json.encode(self._feed._replace(told=self._told, seek_s=None)))
                is_ours = self._look_after(process, should_stop)
            finally:
                self._process = None
                process.kill()
            for reader in readers:
                reader.join()
        return process.returncode if is_ours else None

    def _look_after(self, process: subprocess.Popen[bytes], should_stop: Callable[[], bool]) -> bool:
        """Wait for its end; return whether the feed stayed ours until then."""
        kill_at_s = float("inf")
        stopped_within_s = _GONE_WITHIN_S if self._feed.kind == "video" else _END_WITHIN_S
        if self._feed.wanted == "stop":
            stopped_within_s = _LAST_WITHIN_S
        was_told = False
        while process.poll() is None:
            if not self._keep():
                return False
            now_s = time.monotonic()
            if should_stop() and not was_told:
                was_told = True
                process.terminate()
                kill_at_s = min(kill_at_s, now_s + _END_WITHIN_S)
            if self._feed.wanted == "stop":
                kill_at_s = min(kill_at_s, now_s + stopped_within_s)
            if now_s > kill_at_s:
                process.kill()
            self._has_news.wait(_LOOK_S)
            self._has_news.clear()
        return True

    def _pause(self, seconds: float, should_stop: Callable[[], bool]) -> bool:
        """Wait, and keep the feed; return whether it is to be run again."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            if not self._keep():
                return False
            if self._is_left(should_stop):
                self._release(self._told._replace(state="requested", reason=""), should_stop)
                return False
            if self._feed.wanted == "stop":
                return True
            time.sleep(_LOOK_S)
        return True

    def _is_left(self, should_stop: Callable[[], bool]) -> bool:
        """Whether no process is to follow one that died.

        A camera that was stopped gets one more: what was captured is sent, and its minutes are completed.
        """
        return should_stop() or (self._feed.wanted == "stop" and self._feed.kind == "video")

    def _keep(self) -> bool:
        """Renew the lease where it is time, or something is to be told or heard; False: it is another's."""
        now_s, told = time.monotonic(), self._told
        is_due = now_s - self._kept_at_s >= min(
            _RENEW_EVERY_S, self._settings.part(LiveSettings).stream_lease_s / 3
        )
        try:
            if not is_due and not is_news(self._kept, told) and not self._is_asked(now_s):
                return True
            feed = self._book.renew_feed(
                self._feed, told, lease_s=self._settings.part(LiveSettings).stream_lease_s
            )
        except Retryable:  # nobody else gets it either
            self._kept_at_s = now_s
            self._write(msgspec.json.encode(FeedWish(self._feed.wanted)))
            return True
        if feed is None:
            return False
        self._kept_at_s, self._kept = now_s, told
        self._feed = self._feed._replace(wanted=feed.wanted)
        if feed.seek_s is not None:
            self._told = self._told._replace(position_s=feed.seek_s, due_at_ms=None)
        self._write(msgspec.json.encode(FeedWish(feed.wanted, feed.seek_s)))
        return True

    def _is_asked(self, now_s: float) -> bool:
        """Return whether something else is wanted of it by now."""
        if now_s - self._looked_at_s < _LOOK_UP_EVERY_S:
            return False
        self._looked_at_s = now_s
        found = self._book.feed(self._feed.id)
        return found is None or found.wanted != self._feed.wanted or found.seek_s is not None

    def _release(self, told: FeedTold, should_stop: Callable[[], bool]) -> None:
        patience = Patience(self._say, should_stop)
        try:
            patience.until_done("jobs", lambda: self._book.release_feed(self._feed, told))
        except GivenUp:
            return  # once the lease is over, it is another's
        if told.state == "failed":
            self._say(f"{self._feed.name}: {told.reason}")

    def _write(self, line: bytes) -> None:
        process = self._process
        if process is not None and process.stdin is not None:
            with suppress(BrokenPipeError):  # it has ended
                os.write(process.stdin.fileno(), line + b"\n")

    def _hear(self, said: BinaryIO) -> None:
        while line := said.readline(_LONGEST_LINE):
            try:
                told = _told.decode(line)
            except msgspec.DecodeError:
                continue
            if told.state in LAST_WORDS:
                self._last_word = told
            else:
                self._told = told
            self._has_news.set()
        self._has_news.set()

    def _pass_on(self, said: BinaryIO) -> None:
        while line := said.readline(_LONGEST_LINE):
            text = line.decode(errors="replace").strip()
            if text:
                self._last_line = text[:300]
                self._say(f"{self._feed.name}: {text}")

    def _why_it_died(self, code: int) -> str:
        if code < 0:
            return f"What runs it was killed ({signal.Signals(-code).name})."
        return f"What runs it ended: {self._last_line or code}."
