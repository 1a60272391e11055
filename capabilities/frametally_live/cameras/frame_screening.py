"""Changes a camera's frames by the privacy policy before they reach the disk, in order, in bounded memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from frametally.errors import FrametallyError, Poison, Retryable
from frametally.live_records import NamedLoss
from frametally.media.screening import Screen, screened
from frametally.process.retrying import GivenUp
from frametally.records import TimeSource
from frametally_live.cameras.spool import Spool

MOST_FRAMES, _MOST_BYTES = 300, 64_000_000
"""Frames that wait in memory to be changed: 30 s at 10 frames/s, while other programs use the processor."""
_WORKERS, _AT_ONCE = 2, 4
_ASK_EVERY_S = 1.0
_STOP_WITHIN_S = 5.0


class _Waiting(NamedTuple):
    """A frame in memory."""

    number: int
    minute: str
    frame_index: int
    captured_at_ms: int
    time_source: TimeSource
    jpeg: bytes


class FrameScreening:
    """Passes frames on to a spool, changed by the `Screen` of their source.

    A thread asks for the screen once a second. While the store is unavailable, the last answer holds; a mark
    on this machine's disk keeps the answer "there is none" for the next process. While the answer is unknown,
    frames wait in memory. Beyond `MOST_FRAMES`, the newest frames are lost, with the reason.

    Attributes:
        failure: Why no picture may be stored any more; None if they may.
    """

    def __init__(self, spool: Spool, find: Callable[[], Screen | None], *, mark: Path) -> None:
        """Take what `find` returns: the screen of the spool's source; see `screen_of`.

        The file `mark` exists if the last answer was that there is none.
        """
        self.failure: FrametallyError | None = None
        self._spool, self._find, self._mark = spool, find, mark
        self._screen: Screen | None = None
        self._note = ""
        self._is_known = False
        self._frames: deque[_Waiting] = deque()
        self._batch: list[_Waiting] = []
        self._bytes = 0
        self._closed: list[NamedLoss] = []
        self._news = threading.Condition()
        self._end = threading.Event()
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for target, name in ((self._ask_again, "camera-policy"), (self._run, "camera-screening"))
        ]

    def start(self) -> None:
        """Ask for the screen, load its models, and begin.

        Raises:
            Misconfigured: No picture may be stored, as the policy cannot be read or followed.
        """
        try:
            self._ask()
        except Retryable:  # without the store, it films all the same
            self._is_known = self._mark.exists()
        for thread in self._threads:
            thread.start()

    def add(
        self, minute: str, frame_index: int, captured_at_ms: int, time_source: TimeSource, jpeg: bytes
    ) -> bool:
        """Pass a frame on, at once if it stays as it is; return what `Spool.add` returns, if it is known."""
        with self._news:
            if self._is_known and self._screen is None and not self._frames and not self._batch:
                return self._spool.add(minute, frame_index, captured_at_ms, time_source, jpeg)
            number = self._spool.expect(minute, captured_at_ms)
            frame = _Waiting(number, minute, frame_index, captured_at_ms, time_source, jpeg)
            if len(self._frames) < MOST_FRAMES and self._bytes + len(jpeg) <= _MOST_BYTES:
                self._frames.append(frame)
                self._bytes += len(jpeg)
                self._news.notify_all()
                return True
        return self._lose(frame, f"{self._why()}, and the memory for waiting frames was full")

    def closed_losses(self) -> list[NamedLoss]:
        """Return the frames whose minutes were removed meanwhile, each once; another minute reports them."""
        with self._news:
            losses, self._closed = self._closed, []
            return losses

    def finish(self) -> None:
        """Pass on the remaining frames, for some seconds at most; those that are left are lost."""
        with self._news:
            self._end.set()
            self._news.notify_all()
        for thread, within_s in zip(self._threads, (_STOP_WITHIN_S / 5, _STOP_WITHIN_S), strict=True):
            if thread.ident is not None:
                thread.join(within_s)
        with self._news:
            frames, self._frames = self._frames, deque()
        for frame in frames:
            self._lose(frame, f"{self._why()} when the camera was stopped")

    def _why(self) -> str:
        if self.failure is not None:
            return str(self.failure)
        if self._is_known:
            return "blurring is slower than the camera"
        return "the privacy policy is unknown, as the store is unavailable"

    def _ask(self) -> None:
        """Ask for the screen; if it is another one, also change the frames that wait on the disk."""
        screen = self._find()
        note = "" if screen is None else screen.note  # names its models, which it loads
        with self._news:
            if self._is_known and note == self._note:
                return
            self._screen, self._note, self._is_known = screen, note, True
            self._news.notify_all()
        with suppress(OSError):  # the mark is only for a process that begins without the store
            self._mark.unlink(missing_ok=True) if note else self._mark.touch()
        if screen is not None:
            threading.Thread(target=self._change_spool, args=(screen, note), daemon=True).start()

    def _change_spool(self, screen: Screen, note: str) -> None:
        def make(jpeg: bytes) -> bytes:
            if self._end.is_set() or self._note != note:
                raise GivenUp("the rule has changed, or the session ends")
            return screened(screen, jpeg)

        try:
            self._spool.change(make)
        except GivenUp:
            pass
        except FrametallyError as error:
            self.failure = error

    def _ask_again(self) -> None:
        while not self._end.wait(_ASK_EVERY_S):
            try:
                self._ask()
            except Retryable:
                continue
            except FrametallyError as error:
                self.failure = error
                return

    def _run(self) -> None:
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="camera-screening") as pool:
            while self._take_batch():
                results = [pool.submit(self._changed, frame) for frame in self._batch]
                for frame, result in zip(self._batch, results, strict=True):
                    self._pass_on(frame, result)

    def _take_batch(self) -> bool:
        """Wait for frames, and take the oldest ones; return False at the end."""
        with self._news:
            self._batch = []
            while not (self._frames and self._is_known) and not self._end.is_set():
                self._news.wait()
            while self._is_known and self._frames and len(self._batch) < _AT_ONCE and self.failure is None:
                self._batch.append(self._frames.popleft())
            return bool(self._batch)

    def _changed(self, frame: _Waiting) -> bytes:
        screen = self._screen
        return frame.jpeg if screen is None else screen.frame(frame.jpeg)

    def _pass_on(self, frame: _Waiting, result: Future[bytes]) -> None:
        try:
            jpeg: bytes | str = result.result()
        except Poison as error:
            jpeg = str(error)
        except FrametallyError as error:
            self.failure, jpeg = error, str(error)
        is_kept = self._spool.add(*frame[1:5], jpeg, number=frame.number)
        with self._news:
            self._bytes -= len(frame.jpeg)
            if not is_kept:
                at_ms = frame.captured_at_ms
                self._closed.append(NamedLoss(at_ms, at_ms, 1, "its minute was already closed"))

    def _lose(self, frame: _Waiting, reason: str) -> bool:
        return self._spool.add(*frame[1:5], reason, number=frame.number)
