"""Frames on disk between camera and store: in order, within a bound, and there again after a crash.

Each minute has a folder, with its manifest as far as this machine knows it and a file for each frame that is
not noted in the store's manifest yet. A frame is removed once it is: who is killed announces a few of them
twice, which changes nothing, and forgets none.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, cast

import msgspec

from frametally.errors import Poison
from frametally.files.replacing import replace_file
from frametally.live_records import NamedLoss
from frametally.records import MediaManifest, TimeSource, decode, encode

_MB = 1_000_000
_MANIFEST = "minute.json"
_FRAME = re.compile(r"(\d{1,10})\.(-?\d{1,15})\.([a-z_]{1,20})\.jpg")
_END_OF_JPEG = b"\xff\xd9"


class SpooledFrame(NamedTuple):
    """A frame that waits on disk.

    Attributes:
        minute: Identity of its minute.
        frame_index: Decode index in that.
        captured_at_ms: Event time.
        time_source: Where that came from.
        path: Its JPEG.
        size_bytes: Of that.
    """

    minute: str
    frame_index: int
    captured_at_ms: int
    time_source: TimeSource
    path: Path
    size_bytes: int


class Spool:
    """One camera's frames that are on their way; one thread may add while another takes.

    Attributes:
        frames_lost: Frames that it has given up since it was opened.
    """

    def __init__(self, folder: Path, *, most_mb: int, why_full: Callable[[], str]) -> None:
        """Take up what is in `folder`: minutes that a session before this left open are over.

        Args:
            folder: Of this camera alone.
            most_mb: Above that the oldest frames are given up, and noted as lost.
            why_full: Tells what the frames wait for, as a clause.
        """
        self.frames_lost = 0
        self._folder = folder
        self._most_bytes = most_mb * _MB
        self._why_full = why_full
        self._lock = threading.Lock()
        self._minutes: dict[str, MediaManifest] = {}
        self._over: set[str] = set()
        self._waiting: deque[SpooledFrame] = deque()
        self._out: list[SpooledFrame] = []
        self._bytes = 0
        folder.mkdir(parents=True, exist_ok=True)
        for place in sorted(folder.iterdir()):
            self._take_up(place)

    def minutes(self) -> list[MediaManifest]:
        """Return the manifests of all minutes that are here, in their order."""
        with self._lock:
            return list(self._minutes.values())

    def minute(self, sha256: str) -> MediaManifest | None:
        """Return a minute's manifest, as it is known here; None: it was removed."""
        with self._lock:
            return self._minutes.get(sha256)

    def note(self, minute: MediaManifest, *, is_over: bool = False) -> None:
        """Note a minute that has begun, or what is new of it but for its losses, or that it is over."""
        with self._lock:
            known = self._minutes.get(minute.sha256)
            if known is not None and known.live is not None and minute.live is not None:
                live = msgspec.structs.replace(minute.live, losses=known.live.losses)
                minute = msgspec.structs.replace(minute, live=live)
            self._minutes[minute.sha256] = minute
            if is_over:
                self._over.add(minute.sha256)
            self._write(minute)

    def add(
        self, minute: str, frame_index: int, captured_at_ms: int, time_source: TimeSource, jpeg: bytes
    ) -> None:
        """Keep a frame of a minute that has begun; if the disk does not take it, note it as lost.

        That of a minute that was removed meanwhile is left out: another minute has begun by the next one.
        """
        if self.minute(minute) is None:
            return
        path = self._place(minute) / f"{frame_index}.{captured_at_ms}.{time_source}.jpg"
        frame = SpooledFrame(minute, frame_index, captured_at_ms, time_source, path, len(jpeg))
        try:
            replace_file(path, jpeg)
        except OSError as error:
            with self._lock:
                self._lose(frame, f"this machine's disk cannot be written ({error.strerror})")
            return
        with self._lock:
            self._waiting.append(frame)
            self._bytes += frame.size_bytes
            while self._bytes > self._most_bytes and self._give_up_oldest():
                pass

    def take(self, most: int) -> list[SpooledFrame]:
        """Hand out the oldest frames; they stay on disk until they are `done`, and are given up no more."""
        with self._lock:
            taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self._out += taken
            return taken

    def done(self, frames: Iterable[SpooledFrame]) -> None:
        """Remove frames that are stored, announced and noted."""
        for frame in frames:
            with self._lock:
                if frame not in self._out:
                    continue
                self._out.remove(frame)
                self._bytes -= frame.size_bytes
            frame.path.unlink(missing_ok=True)

    def lose(self, frame: SpooledFrame, reason: str) -> None:
        """Remove a frame that was handed out and can be kept nowhere, and note it as lost."""
        self.done([frame])
        with self._lock:
            self._lose(frame, reason)

    def sent_and_over(self) -> list[str]:
        """Return the minutes that are over, and of which no frame waits to be handed out."""
        with self._lock:
            waiting = {frame.minute for frame in self._waiting}
            return [sha256 for sha256 in self._minutes if sha256 in self._over - waiting]

    def remove(self, sha256: str) -> list[SpooledFrame]:
        """Remove a minute with all that is left of it; return the frames that were."""
        with self._lock:
            place = self._place(sha256)
            frames = [frame for frame in (*self._out, *self._waiting) if frame.minute == sha256]
            self._bytes -= sum(frame.size_bytes for frame in frames)
            self._waiting = deque(frame for frame in self._waiting if frame.minute != sha256)
            self._out = [frame for frame in self._out if frame.minute != sha256]
            self._minutes.pop(sha256)
            self._over.discard(sha256)
        shutil.rmtree(place, ignore_errors=True)
        return frames

    def _give_up_oldest(self) -> bool:
        if not self._waiting:
            return False
        oldest = self._waiting.popleft()
        self._bytes -= oldest.size_bytes
        self._lose(oldest, f"{self._most_bytes // _MB} MB of frames waited on disk, as {self._why_full()}")
        oldest.path.unlink(missing_ok=True)
        return True

    def _lose(self, frame: SpooledFrame, reason: str) -> None:
        """Note a loss, with those just before it in one."""
        self.frames_lost += 1
        minute = self._minutes[frame.minute]
        assert minute.live is not None  # noqa: S101 - for the type checker: minutes of cameras have it
        losses = list(minute.live.losses)
        at_ms = frame.captured_at_ms
        if losses and losses[-1].reason == reason:
            before = losses.pop()
            losses.append(NamedLoss(before.from_ms, at_ms, before.frames + 1, reason))
        else:
            losses.append(NamedLoss(at_ms, at_ms, 1, reason))
        live = msgspec.structs.replace(minute.live, losses=losses)
        self._minutes[frame.minute] = minute = msgspec.structs.replace(minute, live=live)
        self._write(minute)

    def _write(self, minute: MediaManifest) -> None:
        place = self._place(minute.sha256)
        with suppress(OSError):  # it goes into the store all the same, unless we are killed before
            place.mkdir(exist_ok=True)
            replace_file(place / _MANIFEST, encode(minute))

    def _place(self, minute: str) -> Path:
        live = self._minutes[minute].live if minute in self._minutes else None
        assert live is not None  # noqa: S101 - for the type checker: minutes of cameras have it
        return self._folder / f"{live.session_ms:015d}-{live.minute_ms:015d}"

    def _take_up(self, place: Path) -> None:
        try:
            minute = decode((place / _MANIFEST).read_bytes(), MediaManifest)
        except (OSError, Poison):
            shutil.rmtree(place, ignore_errors=True)  # it was killed before its first frame
            return
        self._minutes[minute.sha256] = minute
        self._over.add(minute.sha256)
        found = []
        for path in place.iterdir():
            match = _FRAME.fullmatch(path.name)
            if match is not None:
                size_bytes = path.stat().st_size
                source = cast("TimeSource", match[3])
                found.append(
                    SpooledFrame(minute.sha256, int(match[1]), int(match[2]), source, path, size_bytes)
                )
            elif path.name != _MANIFEST:
                path.unlink(missing_ok=True)
        last_ms = max([minute.last_captured_at_ms or 0, *(frame.captured_at_ms for frame in found)])
        self._minutes[minute.sha256] = msgspec.structs.replace(minute, last_captured_at_ms=last_ms)
        for frame in sorted(found, key=lambda frame: frame.frame_index):
            if frame.path.read_bytes().endswith(_END_OF_JPEG):
                self._waiting.append(frame)
                self._bytes += frame.size_bytes
            else:
                frame.path.unlink()
                self._lose(frame, "a power cut took it")
