"""Keeps frames on disk between camera and store: in order, within a limit, and safe after a crash.

Each minute has a folder with its manifest, as far as this machine knows it, and a file for each frame that
is not yet in the store's manifest; after that the frame is removed. After a kill a few frames are announced
twice, which changes nothing, and none is lost. The file names show which frames were handed out: these may
be announced already, so no session gives them up, and none is both announced and lost.

Every command that removes what a source filmed knows these files by `waiting_frames`.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import NamedTuple, cast

import msgspec

from frametally.errors import Poison
from frametally.files.replacing import replace_file
from frametally.files.work_lock import locked
from frametally.live_records import NamedLoss
from frametally.records import MediaManifest, TimeSource, decode, encode
from frametally.rules.times import in_range
from frametally.rules.tombstones import Range

_MB = 1_000_000
_MANIFEST = "minute.json"
_FRAME = re.compile(r"(\d{1,10})\.(-?\d{1,15})\.([a-z_]{1,20})\.(out\.)?jpg")
_PART_OF_FRAME = re.compile(r"\.?\d{1,10}\.(-?\d{1,15})\..+")
"""A frame, or what a kill left of one that was being written."""
_END_OF_JPEG = b"\xff\xd9"
REMOVED = "it was forgotten, erased or removed while it waited on disk"
_MOST_OUT = 1 / 4
"""Largest part of handed-out, unnoted frames on disk; more would leave no room for the newest frames."""


class SpooledFrame(NamedTuple):
    """A frame that waits on disk, with the identity of its minute and its decode index in it.

    Attributes:
        number: Its place among all frames to be stored since the spool was opened.
        is_out: Whether it was handed out, in this session or an earlier one.
    """

    minute: str
    frame_index: int
    captured_at_ms: int
    time_source: TimeSource
    path: Path
    size_bytes: int
    number: int
    is_out: bool


class WaitingFrame(NamedTuple):
    """The file of a frame that waits in the spool of a source, whether or not a process has it open."""

    source: str
    minute: str
    captured_at_ms: int
    path: Path


def spool_folder(data_dir: Path, source: str) -> Path:
    """Return the folder of the frames of a source's camera that are not yet in the store."""
    return data_dir / "live" / source


def spooled_sources(data_dir: Path, source: str = "*") -> list[str]:
    """Return the sources, or this one, with a minute on this machine's disk, sorted."""
    return sorted({place.parent.name for place in (data_dir / "live").glob(f"{source}/*/")})


@contextmanager
def spool_lock(folder: Path, on_held: Callable[[], None]) -> Iterator[None]:
    """Let one process at a time use a spool; `on_held` is called while another does, and may raise."""
    folder.mkdir(parents=True, exist_ok=True)
    with locked(os.open(folder, os.O_RDONLY | os.O_CLOEXEC), look_every_s=0.2, on_held=on_held):
        yield


def waiting_frames(data_dir: Path, source: str) -> Iterator[WaitingFrame]:
    """Yield the frames of a source that wait on this machine's disk, by minute and time."""
    for place in sorted(spool_folder(data_dir, source).glob("*/")):
        sha256 = ""
        with suppress(OSError, Poison):  # a minute without a record is nobody's, and its frames go, too
            sha256 = decode((place / _MANIFEST).read_bytes(), MediaManifest).sha256
        matches = [(_PART_OF_FRAME.fullmatch(path.name), path) for path in place.iterdir()]
        frames = sorted((int(match[1]), path) for match, path in matches if match is not None)
        yield from (WaitingFrame(source, sha256, at_ms, path) for at_ms, path in frames)


class Spool:
    """The unsent frames of one camera; one thread may add while another takes.

    Attributes:
        frames_lost: Frames given up since it was opened.
    """

    def __init__(self, folder: Path, *, most_mb: int, why_full: Callable[[], str]) -> None:
        """Load what is in `folder`: minutes that an earlier session left open are over.

        Above `most_mb`, the oldest frames are given up and recorded as lost. `why_full` returns the reason
        why frames wait, as a clause.
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
        self._numbers = count()
        self._coming: dict[int, tuple[str, int]] = {}  # minute and time by number
        self._gone: list[tuple[str, Range, int]] = []  # minute or "", range, and the number before which
        self._lost_last: SpooledFrame | None = None
        folder.mkdir(parents=True, exist_ok=True)
        for place in sorted(folder.glob("*/")):
            self._take_up(place)
        self._keep_bound()

    def minutes(self) -> list[MediaManifest]:
        """Return the manifests of all spooled minutes, in order."""
        with self._lock:
            return list(self._minutes.values())

    def minute(self, sha256: str) -> MediaManifest | None:
        """Return a minute's manifest as known here, or None if it was removed."""
        with self._lock:
            return self._minutes.get(sha256)

    def begin(self, minute: MediaManifest) -> None:
        """Record a minute that has begun."""
        with self._lock:
            self._minutes[minute.sha256] = minute
            self._write(minute)

    def note(self, minute: MediaManifest, *, is_over: bool = False) -> None:
        """Record changes of a minute except its losses, or its end; ignores removed minutes."""
        with self._lock:
            minute_before = self._minutes.get(minute.sha256)
            if minute_before is None:
                return
            coming_ms = [at_ms for sha256, at_ms in self._coming.values() if sha256 == minute.sha256]
            if coming_ms and minute.last_captured_at_ms is not None:  # a kill would lose these frames
                last_ms = max(minute.start_ms or 0, min(minute.last_captured_at_ms, min(coming_ms) - 1))
                minute = msgspec.structs.replace(minute, last_captured_at_ms=last_ms)
            if minute_before.live is not None and minute.live is not None:
                live = msgspec.structs.replace(minute.live, losses=minute_before.live.losses)
                minute = msgspec.structs.replace(minute, live=live)
            self._minutes[minute.sha256] = minute
            if is_over:
                self._over.add(minute.sha256)
            self._write(minute)

    def expect(self, minute: str, captured_at_ms: int) -> int:
        """Return the number of a frame that `add` will get later; until then its minute is not over."""
        with self._lock:
            number = next(self._numbers)
            self._coming[number] = minute, captured_at_ms
            return number

    def add(
        self,
        minute: str,
        frame_index: int,
        captured_at_ms: int,
        time_source: TimeSource,
        jpeg: bytes | str,
        *,
        number: int | None = None,
    ) -> bool:
        """Store a frame of a minute that has begun, or record it as lost if the disk refuses it.

        Instead of a JPEG, `jpeg` can be the reason why the frame is lost. `number`: as `expect` returned.

        Returns:
            Whether it is stored or recorded; if False, its minute was removed, and another must report it.
        """
        number = self.expect(minute, captured_at_ms) if number is None else number
        try:
            with self._lock:
                if minute not in self._minutes:
                    self.frames_lost += 1
                    return False
                path = self._place(minute) / f"{frame_index}.{captured_at_ms}.{time_source}.jpg"
            frame = SpooledFrame(
                minute, frame_index, captured_at_ms, time_source, path, len(jpeg), number, is_out=False
            )
            return self._add(frame, jpeg)
        finally:
            with self._lock:
                self._coming.pop(number, None)

    def _add(self, frame: SpooledFrame, jpeg: bytes | str) -> bool:
        reason = jpeg if isinstance(jpeg, str) else ""
        if any(frame.number < before and _is_in(frame, sha256, span) for sha256, span, before in self._gone):
            reason = REMOVED
        try:
            if not reason and isinstance(jpeg, bytes):
                replace_file(frame.path, jpeg)
        except OSError as error:
            reason = f"this machine's disk could not be written ({error.strerror})"
        with self._lock:
            if frame.minute not in self._minutes:
                self.frames_lost += 1
                frame.path.unlink(missing_ok=True)
                return False
            if reason:
                self._lose(frame, reason)
                return True
            self._waiting.append(frame)
            self._bytes += frame.size_bytes
            self._keep_bound()
            return True

    def miss(self, minute: str, loss: NamedLoss) -> bool:
        """Record frames of a minute that never arrived as lost; return False if it was removed, as `add`."""
        with self._lock:
            self.frames_lost += loss.frames
            self._lost_last = None
            return minute in self._minutes and self._note_losses(minute, [*self._losses_of(minute), loss])

    def ends(self) -> tuple[SpooledFrame, SpooledFrame] | None:
        """Return the oldest and the newest frame that wait to be handed out, or None."""
        with self._lock:
            return (self._waiting[0], self._waiting[-1]) if self._waiting else None

    def take(self, most: int, *, span_ms: int = 0) -> list[SpooledFrame]:
        """Hand out the oldest frames, at least one; they stay on disk until they are `done`.

        Handed-out frames are not given up, so they may use only a part of the disk space. With `span_ms` they
        are of one span of this length of event time.
        """
        batch: list[SpooledFrame] = []
        left_bytes, first_span = self._most_bytes * _MOST_OUT, 0
        with self._lock:
            while self._waiting and len(batch) < most:
                left_bytes -= self._waiting[0].size_bytes
                span = span_ms and self._waiting[0].captured_at_ms // span_ms
                if batch and (left_bytes < 0 or span != first_span):
                    break
                first_span = span
                batch.append(_handed_out(self._waiting.popleft()))
            self._out += batch
        return batch

    @property
    def is_tight(self) -> bool:
        """Whether so many frames are handed out that some must be `done` first."""
        with self._lock:
            return sum(frame.size_bytes for frame in self._out) > self._most_bytes * _MOST_OUT

    def close_outages(self, at_ms: int) -> None:
        """Record that the camera is back with a frame of that event time."""
        with self._lock:
            for sha256, minute in self._minutes.items():
                changed_minute = closed_outages(minute, [at_ms])
                if changed_minute is not None:
                    self._minutes[sha256] = changed_minute
                    self._write(changed_minute)

    def done(self, frames: Iterable[SpooledFrame]) -> None:
        """Remove frames that are stored, announced and noted; record this progress in their minutes."""
        frames = sorted(frames, key=lambda frame: frame.captured_at_ms)
        newest_ms = {frame.minute: frame.captured_at_ms for frame in frames}
        with self._lock:
            for sha256, at_ms in newest_ms.items():
                minute = self._minutes.get(sha256)
                if minute is not None and at_ms > (minute.last_captured_at_ms or 0):
                    self._minutes[sha256] = msgspec.structs.replace(minute, last_captured_at_ms=at_ms)
                    self._write(self._minutes[sha256])
        for frame in frames:
            with self._lock:
                kept = next((other for other in self._out if other.number == frame.number), None)
                if kept is None:
                    continue
                self._out.remove(kept)
                self._bytes -= kept.size_bytes
            frame.path.unlink(missing_ok=True)

    def lose(self, frame: SpooledFrame, reason: str) -> None:
        """Record a handed-out frame that cannot be stored as lost, and remove it."""
        with self._lock:
            self._lose(frame, reason)
        self.done([frame])

    def sent_and_over(self) -> list[str]:
        """Return the minutes that are over and have no frame waiting."""
        with self._lock:
            unsent = {frame.minute for frame in self._waiting}
            unsent |= {minute for minute, _ in self._coming.values()}
            return [sha256 for sha256 in self._minutes if sha256 in self._over - unsent]

    def remove(self, sha256: str) -> list[SpooledFrame]:
        """Remove a minute with all its files; return its frames, which are lost."""
        with self._lock:
            place = self._place(sha256)
            frames = [frame for frame in (*self._out, *self._waiting) if frame.minute == sha256]
            self._bytes -= sum(frame.size_bytes for frame in frames)
            self.frames_lost += len(frames)
            self._waiting = deque(frame for frame in self._waiting if frame.minute != sha256)
            self._out = [frame for frame in self._out if frame.minute != sha256]
            self._minutes.pop(sha256)
            self._over.discard(sha256)
        shutil.rmtree(place, ignore_errors=True)
        return frames

    def drop(self, span: Range, minute: str = "") -> None:
        """Remove the frames of a range that was forgotten or erased, of one minute, or of all.

        It also removes the frames that `expect` announced before. No other frame of the range is removed.
        Frames that are handed out stay until they are `done`, and those that an earlier session handed out
        are not lost: they may be announced.
        """
        with self._lock:
            self._gone.append((minute, span, next(self._numbers)))
            frames = [frame for frame in self._waiting if _is_in(frame, minute, span)]
            self._waiting = deque(frame for frame in self._waiting if not _is_in(frame, minute, span))
            for frame in frames:
                self._bytes -= frame.size_bytes
                if not frame.is_out:
                    self._lose(frame, REMOVED)
                frame.path.unlink(missing_ok=True)

    def change(self, make: Callable[[bytes], bytes]) -> None:
        """Replace the pictures that wait here by what `make` returns for them.

        A picture that `make` cannot change (`Poison`) is lost. Raises as `make` otherwise.
        """
        with self._lock:
            frames = [*self._out, *self._waiting]
        for frame in frames:
            jpeg, reason = b"", ""
            try:
                before = _handed_out_or_not(frame).read_bytes()
                if (jpeg := make(before)) == before:
                    continue
            except OSError:
                continue  # stored meanwhile
            except Poison as error:
                reason = str(error)
            with self._lock:
                self._replace(frame.number, jpeg, reason)

    def _replace(self, number: int, jpeg: bytes, reason: str) -> None:
        """Replace the picture of a frame that is still here, or lose it for a reason."""
        for frames in (self._out, self._waiting):
            frame = next((frame for frame in frames if frame.number == number), None)
            if frame is None:
                continue
            if not reason:
                with suppress(OSError):  # it stays as it is; `FrameWriter` changes it before it is stored
                    replace_file(frame.path, jpeg)
                    frames[frames.index(frame)] = frame._replace(size_bytes=len(jpeg))
                    self._bytes += len(jpeg) - frame.size_bytes
            elif not frame.is_out:  # else `FrameWriter` refuses it
                frames.remove(frame)
                self._bytes -= frame.size_bytes
                self._lose(frame, reason)
                frame.path.unlink(missing_ok=True)

    def _keep_bound(self) -> None:
        """Give up the oldest frames that were not handed out, until the limit is kept."""
        while self._bytes > self._most_bytes:
            oldest = next((frame for frame in self._waiting if not frame.is_out), None)
            if oldest is None:
                return
            self._waiting.remove(oldest)
            self._bytes -= oldest.size_bytes
            self._lose(
                oldest,
                f"{self._most_bytes // _MB} MB of frames were waiting on disk, the maximum: "
                f"{self._why_full()}",
            )
            oldest.path.unlink(missing_ok=True)

    def _lose(self, frame: SpooledFrame, reason: str) -> None:
        """Record a loss, merged with the preceding one if no stored frame is between them.

        It is recorded before the frame is removed; after a kill in between, the next session removes it.
        """
        self.frames_lost += 1
        last, self._lost_last = self._lost_last, frame
        is_next = last is not None and (last.minute, last.number + 1) == (frame.minute, frame.number)
        losses = self._losses_of(frame.minute)
        at_ms = frame.captured_at_ms
        if losses and is_next and losses[-1].reason == reason:
            before = losses.pop()
            losses.append(NamedLoss(before.from_ms, at_ms, before.frames + 1, reason))
        else:
            losses.append(NamedLoss(at_ms, at_ms, 1, reason))
        self._note_losses(frame.minute, losses)

    def _losses_of(self, minute: str) -> list[NamedLoss]:
        live = self._minutes[minute].live
        assert live is not None  # noqa: S101 - for the type checker: minutes of cameras have it
        return list(live.losses)

    def _note_losses(self, sha256: str, losses: list[NamedLoss]) -> bool:
        minute = self._minutes[sha256]
        assert minute.live is not None  # noqa: S101 - for the type checker: minutes of cameras have it
        live = msgspec.structs.replace(minute.live, losses=losses)
        self._minutes[sha256] = minute = msgspec.structs.replace(minute, live=live)
        self._write(minute)
        return True

    def _write(self, minute: MediaManifest) -> None:
        place = self._place(minute.sha256)
        with suppress(OSError):  # it is still stored, unless we are killed first
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
            shutil.rmtree(place, ignore_errors=True)  # killed before its first frame
            return
        self._minutes[minute.sha256] = minute
        self._over.add(minute.sha256)
        losses = minute.live.losses if minute.live is not None else []
        lost_last_ms = {loss.to_ms for loss in losses}  # one of these frames may still be there
        files: dict[int, tuple[int, TimeSource, Path, bool]] = {}
        for path in place.iterdir():
            match = _FRAME.fullmatch(path.name)
            if match is not None and int(match[2]) not in lost_last_ms:
                files[int(match[1])] = int(match[2]), cast("TimeSource", match[3]), path, bool(match[4])
            elif path.name != _MANIFEST:
                path.unlink(missing_ok=True)
        last_ms = max([minute.last_captured_at_ms or 0, *(at_ms for at_ms, *_ in files.values())])
        self._minutes[minute.sha256] = msgspec.structs.replace(minute, last_captured_at_ms=last_ms)
        for frame_index, (at_ms, source, path, is_out) in sorted(files.items()):
            jpeg = path.read_bytes()
            number = next(self._numbers)
            frame = SpooledFrame(minute.sha256, frame_index, at_ms, source, path, len(jpeg), number, is_out)
            if jpeg.endswith(_END_OF_JPEG):
                self._waiting.append(frame)
                self._bytes += frame.size_bytes
            else:
                self._lose(frame, "its file was cut short by a power failure")
                path.unlink()


def _is_in(frame: SpooledFrame, minute: str, span: Range) -> bool:
    return minute in ("", frame.minute) and in_range(frame.captured_at_ms, *span)


def _handed_out_or_not(frame: SpooledFrame) -> Path:
    """Return where the file of a frame is, which may have been handed out meanwhile."""
    return frame.path if frame.path.exists() else frame.path.with_suffix(".out.jpg")


def _handed_out(frame: SpooledFrame) -> SpooledFrame:
    path = frame.path
    if not frame.is_out:
        with suppress(OSError):  # the reader gets the reason
            path = path.rename(path.with_suffix(".out.jpg"))
    return frame._replace(path=path, is_out=True)


def closed_outages(minute: MediaManifest | None, starts_ms: Iterable[int]) -> MediaManifest | None:
    """Return a minute whose open outages end with the first footage after them; None if none of them does.

    `starts_ms` are the event times at which footage begins, in order.
    """
    if minute is None or minute.live is None:
        return None
    starts_ms = list(starts_ms)
    outages = [
        outage
        if outage.to_ms is not None
        else msgspec.structs.replace(
            outage, to_ms=next((ms for ms in starts_ms if ms > outage.from_ms), None)
        )
        for outage in minute.live.outages
    ]
    if outages == minute.live.outages:
        return None
    return msgspec.structs.replace(minute, live=msgspec.structs.replace(minute.live, outages=outages))
