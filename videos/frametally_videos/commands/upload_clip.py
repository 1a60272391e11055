"""A file that is to be uploaded, what is said of it, and what became of it."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from frametally.errors import Poison
from frametally.process.retrying import GivenUp
from frametally_videos.records import VideoFields
from frametally_videos.upload_fields import read_file_name

Moved = Callable[[int], None]
"""Is told how many bytes are there by now."""


class Clip(NamedTuple):
    """One file as it was when its upload began.

    Attributes:
        path: Where it lies.
        file_name: Its name as it is kept.
        size_bytes: Its size.
        changed_at_ns: When it was changed last.
        fields: What is said of it.
    """

    path: Path
    file_name: str
    size_bytes: int
    changed_at_ns: int
    fields: VideoFields

    def mark(self, place: str) -> str:
        """Return what tells this upload, to that place, from all others: 64 hex."""
        whole = [place, os.fsencode(self.path.resolve()).hex(), self.size_bytes, self.changed_at_ns]
        return hashlib.sha256(msgspec.json.encode([whole, self.fields])).hexdigest()

    def open(self, at_byte: int) -> BinaryIO:
        """Open the file at a byte. Raises `Poison` if it has changed, or cannot be read."""
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise _unreadable(self.path, error) from error
        self.check(file)
        file.seek(at_byte)
        return file

    def check(self, file: BinaryIO) -> None:
        """Refuse a file that was changed since. Raises `Poison`, and closes it then."""
        status = os.fstat(file.fileno())
        if (status.st_size, status.st_mtime_ns) != (self.size_bytes, self.changed_at_ns):
            file.close()
            raise Poison(f"{self.path} was changed while it was uploaded: upload it once it is whole")


class Unconfirmed(Poison):
    """An upload would move counts: what was sent of it is kept until somebody confirms that."""


class Uploaded(NamedTuple):
    """What a file became.

    Attributes:
        video_id: Its video's.
        known: Whether the video was there already.
        needs_time: Whether nothing says when it was filmed.
        time_is_guess: Whether only the file's date says it.
        remark: What was moved, or not taken of what was said; empty: nothing.
    """

    video_id: str
    known: bool
    needs_time: bool
    time_is_guess: bool = False
    remark: str = ""


def look_at(path: Path, fields: VideoFields) -> Clip:
    """Return what is to be uploaded of a file.

    Raises:
        Poison: It is no file, or cannot be read.
        FieldRefused: Its name cannot be.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Poison(f"{path} is no file: name one")
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
    except OSError as error:
        raise _unreadable(path, error) from error
    return Clip(
        path,
        read_file_name(path.name),
        status.st_size,
        status.st_mtime_ns,
        msgspec.structs.replace(fields, last_modified_ms=status.st_mtime_ns // 1_000_000),
    )


class ClipReader:
    """The next bytes of an open file, read by whoever sends them; says how far it is."""

    def __init__(
        self, file: BinaryIO, *, at_byte: int, next_byte: int, moved: Moved, should_stop: Callable[[], bool]
    ) -> None:
        """Read bytes `at_byte`, where the file stands, to `next_byte` (exclusive)."""
        self._file = file
        self._at = at_byte
        self._next = next_byte
        self._moved = moved
        self._should_stop = should_stop

    @property
    def left_bytes(self) -> int:
        """How many bytes are still to be read."""
        return self._next - self._at

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; none at the end. Raises `GivenUp` once a stop is asked for."""
        if self._should_stop():
            raise GivenUp("stopped")
        data = self._file.read(self.left_bytes if size < 0 else min(size, self.left_bytes))
        self._at += len(data)
        self._moved(self._at)
        return data


def _unreadable(path: Path, error: OSError) -> Poison:
    return Poison(f"{path} cannot be read ({error.strerror}): name a file that this user may read")
