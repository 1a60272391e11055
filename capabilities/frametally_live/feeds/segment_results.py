"""Finds stored detections of a streamed video's frames, using a ledger that a thread keeps up to date."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial

from frametally.adapters_by_url import open_ledger
from frametally.books.evidence import frames_of_medium
from frametally.errors import FrametallyError, Poison, Retryable
from frametally.media.manifests import media_of
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectMissing
from frametally.process.reports import NoProgress
from frametally.process.retrying import GivenUp
from frametally.records import FrameDetections, MediaManifest
from frametally.segments.results import result_message
from frametally_live.feeds.feed_messages import FeedRun
from frametally_producer.reading.video_file import TimedFrame

_REFRESH_EVERY_S = 5.0
_WINDOW_MS = 60_000
"""Event time that one step reads."""
_LOOK_AGAIN_S = 2.0
"""Time after which a window is read again for missing frames."""
_LOOK_S = 0.1


class StoredResults:
    """Results of frames from segments; viewers get them as if from the consumer."""

    def __init__(self, ledger: Ledger, run: FeedRun, model: str) -> None:
        """Read the results of `model`; if empty, of the model with the newest segment."""
        self._ledger = ledger
        self._store, self._log, self._patience = run.store, run.log, run.patience
        self._topic = run.settings.results_topic
        self._model = model
        self._is_fresh = threading.Event()
        self._ended = threading.Event()
        self._found: dict[int, FrameDetections] = {}
        self._window = range(0)
        self._read_at_s = float("-inf")

    def has_all(self, manifest: MediaManifest) -> bool:
        """Return whether every announced frame of a medium is detected, or never will be."""
        model = self._used_model()
        if model is None or manifest.state != "complete":
            return False
        tallies = self._ledger.tally_between(
            model, manifest.source, media_of(manifest), from_ms=None, to_ms=None
        )
        return sum(tallies) >= manifest.frames_announced

    def since(self, manifest: MediaManifest, from_ms: int) -> Iterator[FrameDetections]:
        """Yield the results of a medium's frames from an event time on; waits for unavailable servers."""
        last_ms = manifest.last_captured_at_ms or 0
        while from_ms <= last_ms:
            to_ms = min(from_ms + _WINDOW_MS, last_ms + 1)
            yield from self._patience.until_done("the store", partial(self._read, manifest, from_ms, to_ms))
            from_ms = to_ms

    def find(self, manifest: MediaManifest, frame: TimedFrame) -> FrameDetections | None:
        """Return a frame's result, or None if it must be detected again."""
        now_s, at_ms = time.monotonic(), (manifest.start_ms or 0) + frame.offset_ms
        is_old = frame.frame_index not in self._found and now_s - self._read_at_s > _LOOK_AGAIN_S
        if at_ms not in self._window or is_old:
            self._window, self._read_at_s = range(at_ms, at_ms + _WINDOW_MS), now_s
            try:
                lines = self._read(manifest, self._window.start, self._window.stop)
            except (Retryable, Poison):
                lines = []
            self._found = {line.frame_index: line for line in lines}
        return self._found.get(frame.frame_index)

    def publish(self, line: FrameDetections) -> None:
        """Publish a result to viewers, in the bytes of its segment's line; wait for the log."""
        self._patience.until_done("the log", lambda: self._log.publish(self._topic, [result_message(line)]))

    def await_fresh(self) -> None:
        """Return once the ledger is up to date, or has failed; then everything is detected again.

        Raises:
            GivenUp: A stop was requested.
        """
        while not self._is_fresh.wait(_LOOK_S):
            if self._patience.stopping:
                raise GivenUp("stopped")

    def keep_fresh(self) -> None:
        """Update the ledger from the store every few seconds until `end`; run it in a separate thread."""
        while not self._ended.is_set():
            try:
                self._ledger.refresh(self._store, NoProgress())
            except FrametallyError as error:
                self._patience.say_once_a_minute("ledger", f"cannot use stored detections: {error}")
            self._is_fresh.set()
            self._ended.wait(_REFRESH_EVERY_S)

    def end(self) -> None:
        """Make `keep_fresh` end."""
        self._ended.set()

    def _used_model(self) -> str | None:
        return self._model or next(iter(self._ledger.models()), None)

    def _read(self, manifest: MediaManifest, from_ms: int, to_ms: int) -> list[FrameDetections]:
        model = self._used_model()
        if model is None:
            return []
        try:
            return list(
                frames_of_medium(
                    self._store, self._ledger, manifest, model=model, from_ms=from_ms, to_ms=to_ms
                )
            )
        except ObjectMissing as error:
            raise Retryable(f"{error}; the ledger is being updated from the store") from error


@contextmanager
def stored_results(run: FeedRun, model: str) -> Iterator[StoredResults]:
    """Open the ledger, and keep it up to date in the meantime. Raises `GivenUp`."""
    settings = run.settings
    opened_ledger = run.patience.until_done(
        "the ledger", lambda: open_ledger(settings.ledger_url, settings.ledger_access)
    )
    with closing(opened_ledger) as ledger:
        results = StoredResults(ledger, run, model)
        # Do not wait for a thread that lists a large store: all that it writes can be rebuilt.
        thread = threading.Thread(target=results.keep_fresh, name="ledger", daemon=True)
        thread.start()
        try:
            yield results
        finally:
            results.end()
            thread.join(_LOOK_S)
