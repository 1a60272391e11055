"""Reads a file to upload and its options, and notes the uploads under way from this machine."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from frametally.errors import Misconfigured, Poison
from frametally.process.retrying import GivenUp
from frametally_videos.records import VideoFields
from frametally_videos.upload_fields import read_file_name

Moved = Callable[[int], None]
"""Called with the number of bytes sent so far."""


class Clip(NamedTuple):
    """A file in the state at the start of its upload."""

    path: Path
    file_name: str
    size_bytes: int
    changed_at_ns: int
    fields: VideoFields

    def mark(self, place: str) -> str:
        """Return a mark that identifies this upload to a place: 64 hex digits."""
        whole = [place, os.fsencode(self.path.resolve()).hex(), self.size_bytes, self.changed_at_ns]
        return hashlib.sha256(msgspec.json.encode([whole, self.fields])).hexdigest()

    def open(self, at_byte: int) -> BinaryIO:
        """Open the file at a byte. Raises `Poison` if it has changed or cannot be read."""
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise _unreadable(self.path, error) from error
        self.check(file)
        file.seek(at_byte)
        return file

    def check(self, file: BinaryIO) -> None:
        """Close the file and raise `Poison` if it has changed."""
        status = os.fstat(file.fileno())
        if (status.st_size, status.st_mtime_ns) != (self.size_bytes, self.changed_at_ns):
            file.close()
            raise Poison(f"{self.path} changed while it was being uploaded: upload it when it is complete")


class Unconfirmed(Poison):
    """An upload would move counts; its bytes are kept until a person confirms that."""


class Uploaded(NamedTuple):
    """The result of uploading a file.

    Attributes:
        needs_time: Whether its time is unknown.
        time_is_guess: Whether its time is only a guess, from the file's date.
        remark: Sentences about moved counts and ignored fields, or empty.
    """

    video_id: str
    known: bool
    needs_time: bool
    time_is_guess: bool = False
    remark: str = ""


def look_at(path: Path, fields: VideoFields) -> Clip:
    """Return a file to upload, in its current state.

    Raises:
        Poison: It is not a file, or cannot be read.
        FieldRefused: Its name is not valid.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Poison(f"{path} is not a file: choose one")
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


@dataclass
class ClipReader:
    """Reads the next bytes of an open file for the sender, and reports progress."""

    file: BinaryIO
    _: KW_ONLY
    at_byte: int
    next_byte: int
    moved: Moved
    should_stop: Callable[[], bool]

    @property
    def left_bytes(self) -> int:
        """The number of bytes still to be read."""
        return self.next_byte - self.at_byte

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, empty at the end. Raises `GivenUp` after a stop."""
        if self.should_stop():
            raise GivenUp("stopped")
        data = self.file.read(self.left_bytes if size < 0 else min(size, self.left_bytes))
        self.at_byte += len(data)
        self.moved(self.at_byte)
        return data


def _unreadable(path: Path, error: OSError) -> Poison:
    return Poison(f"{path} cannot be read ({error.strerror}): choose a file that you can read")


UPLOAD_NOTES = "uploads-from-here"
"""Folder in the data directory."""


class UploadNotes:
    """Small files, one for each upload under way; anyone who can read one can continue its upload."""

    def __init__(self, data_dir: Path) -> None:
        """Keep notes in the data folder of a deployment, or of the user for uploads to another machine."""
        self._folder = data_dir / UPLOAD_NOTES

    def get(self, mark: str) -> str | None:
        """Return the note of an upload, or None if there is none."""
        try:
            return (self._folder / mark).read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError):
            return None  # the upload starts again

    def put(self, mark: str, text: str) -> None:
        """Write the note of an upload. Raises `Misconfigured` if that fails."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            staging = self._folder / f"{mark}.{os.getpid()}"
            handle = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            staging.replace(self._folder / mark)
        except OSError as error:
            raise Misconfigured(
                f"{self._folder}: frametally cannot record running uploads there ({error.strerror}); set "
                "FRAMETALLY_DATA_DIR to a folder that this user can write to"
            ) from error

    def mark_of(self, clip: Clip, place: str) -> str:
        """Return the mark of a file's upload; an upload that may move counts continues one that may not."""
        mark = clip.mark(place)
        if clip.fields.move_counts and self.get(mark) is None:
            fields = msgspec.structs.replace(clip.fields, move_counts=False)
            unconfirmed = clip._replace(fields=fields).mark(place)
            begun_mark = self.get(unconfirmed)
            if begun_mark is not None:
                self.put(mark, begun_mark)
                self.forget(unconfirmed)
        return mark

    def forget(self, mark: str) -> None:
        """Remove the note of an upload that has ended."""
        (self._folder / mark).unlink(missing_ok=True)
