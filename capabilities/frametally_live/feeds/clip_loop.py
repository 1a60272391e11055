"""A simulated camera: shows a stored video with its detections in a loop, as if it were filmed now.

Nothing is stored, detected or counted: its frames are the video's own, and only viewers get them.
"""

from __future__ import annotations

import time
from functools import partial

import msgspec

from frametally.errors import Poison
from frametally.media.manifests import find_manifest
from frametally.process.retrying import GivenUp
from frametally.records import FrameDetections
from frametally.segments.results import make_results_topic, result_message
from frametally_live.feed_records import LOOP, Feed
from frametally_live.feeds.feed_messages import FeedRun, Wishes
from frametally_live.feeds.segment_results import stored_results

_LOOK_S = 0.1


class ClipLoop:
    """One session of a simulated camera; `feed.address` names the video (`feed_records.LOOP`)."""

    def __init__(self, feed: Feed, run: FeedRun, wishes: Wishes) -> None:
        """Read nothing yet."""
        self._feed = feed
        self._run = run
        self._wishes = wishes

    def run(self) -> None:
        """Show the video again and again until a stop.

        Raises:
            GivenUp: It was stopped.
            Poison: The video is gone, or has no detections.
            Retryable: A server is unavailable.
            Misconfigured: The log cannot be written.
        """
        lines = self._lines()
        first_ms, last_ms = lines[0].captured_at_ms, lines[-1].captured_at_ms
        length_ms = last_ms - first_ms + max(1, round((last_ms - first_ms) / max(1, len(lines) - 1)))
        make_results_topic(self._run.log, self._run.settings)
        begin_ms = 0
        while True:
            begin_ms = max(begin_ms, round(time.time() * 1000))  # nobody saw the loops of a machine asleep
            for line in lines:
                self._show(line, begin_ms + line.captured_at_ms - first_ms)
            begin_ms += length_ms

    def _lines(self) -> list[FrameDetections]:
        patience, store = self._run.patience, self._run.store
        sha256 = self._feed.address.removeprefix(LOOP)
        manifest = patience.until_done("the object store", partial(find_manifest, store, sha256))
        if manifest is None:
            raise Poison("its video was deleted: delete this camera")
        with stored_results(self._run, self._feed.model) as results:
            results.await_fresh()
            lines = list(results.since(manifest, manifest.first_captured_at_ms or 0))
        if not lines:
            raise Poison("its video has no detections: run `frametally consume`, then start this camera")
        return lines

    def _show(self, line: FrameDetections, at_ms: int) -> None:
        """Send a frame to viewers at its time, in ms since the epoch; a late one at once."""
        while True:
            if self._wishes.is_end_wanted:
                raise GivenUp("stopped")
            left_s = at_ms / 1000 - time.time()
            if left_s <= 0:
                break
            self._wishes.wait(min(left_s, _LOOK_S))
        # Not the video's own time and name: its viewers and its counts are not of this camera.
        shown = msgspec.structs.replace(
            line, source=self._feed.source, media=self._feed.id, captured_at_ms=at_ms
        )
        self._run.patience.until_done(
            "the log",
            partial(self._run.log.publish, self._run.settings.results_topic, [result_message(shown)]),
        )
        self._run.teller.tell_frame(
            captured_at_ms=at_ms, image_path=line.image_path, is_announced=False, lag_ms=0
        )
