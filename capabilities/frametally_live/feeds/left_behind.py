"""Sends frames that wait on this machine's disk without a session of their camera; completes their minutes.

A camera left them that was removed or stopped after a kill, or that another machine captures now.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from frametally.adapters_by_url import open_object_store
from frametally.errors import FrametallyError
from frametally.media.manifests import ManifestReader
from frametally.process.reports import plural
from frametally.process.retrying import Backoff
from frametally.settings.loading import Settings
from frametally.work.worker_process import END_WITHIN_S, WorkerProcess, environment_for_child
from frametally_live.cameras.spool import spooled_sources, waiting_frames
from frametally_live.feed_records import Feed, FeedTold
from frametally_live.feeds.feed_messages import FeedWish

if TYPE_CHECKING:
    from frametally_live.book import LiveBook

_LOOK_S = 0.1
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 10.0, 600.0


def frames_waiting(settings: Settings, source: str) -> int:
    """Return how many frames of a source wait on this machine's disk."""
    return sum(frame.path.suffix == ".jpg" for frame in waiting_frames(settings.data_dir, source))


def send_left_behind(
    settings: Settings,
    source: str,
    *,
    worker: str = "",
    packs: bool = False,
    say: Callable[[str], object],
    should_stop: Callable[[], bool] = lambda: False,
) -> str:
    """Send the frames of a source that wait here, in a process; return why some still wait, or "".

    `worker` captures the camera now, on another machine; empty if nothing does. `say` gets lines for people.
    """
    reports: list[FeedTold] = []
    feed = Feed("", "camera", source, name="", wanted="stop", worker=worker)
    with WorkerProcess(
        "frametally_live.feeds",
        environment_for_child(settings),
        *(["--packs"] if packs else []),
        hear=lambda line: reports.append(msgspec.json.decode(line, type=FeedTold)),
        say=say,
    ) as process:
        process.write(feed)
        while not process.has_ended(_LOOK_S):
            process.write(FeedWish("stop"))
            if should_stop():
                process.end_within(END_WITHIN_S)
    if not spooled_sources(settings.data_dir, source):
        return ""
    reasons = [report.reason for report in reports if report.reason]
    return reasons[-1] if reasons else process.last_line or "Another process is sending them."


class LeftBehind:
    """Sends waiting frames, again and again, one source at a time; a worker's thread runs it."""

    def __init__(
        self,
        settings: Settings,
        book: LiveBook,
        *,
        held: Callable[[], Collection[str]],
        packs: bool,
        say: Callable[[str], object],
    ) -> None:
        """Send nothing yet; `held` returns the sources whose cameras this worker captures."""
        self._settings, self._book, self._held = settings, book, held
        self._packs, self._say = packs, say
        self._has_looked = False

    def start(self, should_stop: Callable[[], bool]) -> threading.Thread:
        """Begin, and return the thread, which ends once `should_stop`."""
        thread = threading.Thread(target=self._run, args=(should_stop,), name="left-behind")
        thread.start()
        return thread

    def _run(self, should_stop: Callable[[], bool]) -> None:
        backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        while not should_stop():
            try:
                if self._send_all(should_stop):
                    backoff.reset()
            except FrametallyError as error:
                self._say(str(error))
            until_s = time.monotonic() + backoff.next_s()
            while time.monotonic() < until_s and not should_stop():
                time.sleep(_LOOK_S)

    def _send_all(self, should_stop: Callable[[], bool]) -> bool:
        """Send all waiting frames; return whether nothing is left. Raises as the book does."""
        feeds = {feed.source: feed for feed in self._book.feeds("camera")}
        is_done = True
        spooled = spooled_sources(self._settings.data_dir)
        for source in sorted({*spooled, *self._with_open_minutes()}):
            feed = feeds.get(source)
            is_over = feed is None or feed.wanted == "stop" or feed.is_over
            is_elsewhere = feed is not None and bool(feed.worker)
            if source in self._held() or should_stop():
                continue
            if not is_over and not (is_elsewhere and source in spooled):  # its own session does it
                continue
            number = frames_waiting(self._settings, source)
            if reason := send_left_behind(
                self._settings,
                source,
                worker="" if feed is None or feed.is_over else feed.worker,
                packs=self._packs,
                say=self._say,
                should_stop=partial(self._must_end, source, should_stop),
            ):
                is_done = False
                self._say(
                    f"{source}: {plural(number, 'frame')} still waiting on this machine's disk: {reason}"
                )
        return is_done

    def _must_end(self, source: str, should_stop: Callable[[], bool]) -> bool:
        """Return whether to stop sending: a session that begins here waits for it, and sends the rest."""
        return should_stop() or source in self._held()

    def _with_open_minutes(self) -> set[str]:
        """Return the sources with a minute that is not complete, once: a worker that was killed left it."""
        if self._has_looked:
            return set()
        with closing(open_object_store(self._settings.store_url, self._settings.store_access)) as store:
            minutes, _ = ManifestReader(store, self._settings.data_dir).read()
        self._has_looked = True
        return {minute.source for minute in minutes if minute.live and minute.state == "producing"}
