"""Launching a stream that the dashboard has booked for Airflow, by the process of its run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from frametally import keys
from frametally.errors import Misconfigured
from frametally.settings.loading import Settings
from frametally_live.feeds.stream_form import StartedStream
from frametally_live.settings import LiveSettings

if TYPE_CHECKING:
    from frametally_live.book import LiveBook

_LEASES = 2
"""A launcher's lease is that many of a stream's: longer than it waits for a catalogue that comes back."""
_ENDED = "Its run in Airflow was ended: see there why, then start it again."


class Launch:
    """A booked stream, and this process as its launcher."""

    def __init__(self, book: LiveBook, stream_id: str, *, settings: Settings) -> None:
        """Do nothing yet; an empty `stream_id` is no stream, and nothing is ever done about it."""
        self.stream_id = stream_id
        self._book = book
        self._lease_s = _LEASES * settings.part(LiveSettings).stream_lease_s
        self._said_at_s = 0.0

    def begin(self, video_id: str) -> StartedStream:
        """Let workers claim it; return it, which may be over by now.

        Raises:
            Misconfigured: No such stream of that video is booked.
            Retryable: The catalogue is away.
        """
        self._said_at_s = time.monotonic()
        found = self._book.feed(self.stream_id) if keys.is_video_id(self.stream_id) else None
        is_of_video = found is not None and found.video_id == video_id
        feed = self._book.launch_feed(self.stream_id, lease_s=self._lease_s) if is_of_video else None
        if feed is None:
            raise Misconfigured(
                f"--booked: no stream {self.stream_id[:80]} of video {video_id[:80]} is booked; start it "
                "anew on the video's page"
            )
        return StartedStream(feed, is_new=True)

    def keep(self) -> None:
        """Say again that its launcher is there, if it is time to. Raises `Retryable`."""
        if self.stream_id and time.monotonic() - self._said_at_s > self._lease_s / 8:
            self._book.launch_feed(self.stream_id, lease_s=self._lease_s)
            self._said_at_s = time.monotonic()

    def end(self) -> bool:
        """Have it fail, for its run was ended; return that it is over. Raises `Retryable`."""
        self._book.fail_launch(self.stream_id, _ENDED)
        return True
