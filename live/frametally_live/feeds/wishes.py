"""What is wanted of this process's feed, as its worker says it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import IO

import msgspec

from frametally_live.feed_records import Feed, FeedWanted
from frametally_live.feeds.feed_messages import FeedWish

# Made once, before there are threads: see `records.decode`.
_wishes = msgspec.json.Decoder(FeedWish)


class Wishes:
    """What is wanted; a thread of its own listens, and all may ask."""

    def __init__(self, feed: Feed, *, lease_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Want what `feed` says; whoever hears nothing for `lease_s` has lost it."""
        self._wanted: FeedWanted = feed.wanted
        self._seek_s = feed.seek_s
        self._lease_s = lease_s
        self._clock = clock
        self._heard_at_s = clock()
        self._ended = False
        self._news = threading.Condition()

    def listen(self, said: IO[bytes]) -> None:
        """Hear what the worker says, in a thread, until it is gone."""
        threading.Thread(target=self._listen, args=(said,), name="hearing-wishes", daemon=True).start()

    def hear(self, wish: FeedWish) -> None:
        """Take in what is wanted."""
        with self._news:
            is_new = wish.wanted != self._wanted or wish.seek_s is not None
            self._wanted, self._heard_at_s = wish.wanted, self._clock()
            if wish.seek_s is not None:
                self._seek_s = wish.seek_s
            if is_new:
                self._news.notify_all()

    def end(self) -> None:
        """Want an end here: another may go on. A signal's handler may call this."""
        self._ended = True

    @property
    def wanted(self) -> FeedWanted:
        """What a person asked for last."""
        return self._wanted

    @property
    def is_end_wanted(self) -> bool:
        """Whether this process is to end: it was stopped, or another goes on."""
        lost = self._clock() - self._heard_at_s > self._lease_s
        return self._ended or lost or self._wanted == "stop"

    def take_seek(self) -> float | None:
        """Return where it is to go on instead, once; None: where it is."""
        with self._news:
            seek_s, self._seek_s = self._seek_s, None
            return seek_s

    def wait(self, seconds: float) -> None:
        """Wait for so long, but no longer than until something else is wanted."""
        with self._news:
            if self._seek_s is None and not self._ended:
                self._news.wait(seconds)

    def _listen(self, said: IO[bytes]) -> None:
        for line in said:
            self.hear(_wishes.decode(line))
        self.end()
        with self._news:
            self._news.notify_all()
