"""Notes what has been read of a store's objects beside the data of this machine, so that each is read once.

`<data_dir>/<what>-<8 hex of the store's address>.jsonl` has a line per object. A note belongs to the object
as it was listed (size, version, date), so one that was put again is read again. The file is not part of
any result: without it, or where it is damaged or of a program that notes other fields, all is read once more.
"""

from __future__ import annotations

import contextlib
import hashlib
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from frametally.errors import Poison
from frametally.files.replacing import replace_file
from frametally.ports.object_store import ObjectInfo
from frametally.process.collection import no_collection
from frametally.records import NOT_JSON
from frametally.rules.seals import check_crc32


class ObjectNote(msgspec.Struct, frozen=True, array_like=True):
    """Base of notes: `info` is the object as it was listed before it was read."""

    info: ObjectInfo


NoteT = TypeVar("NoteT", bound=ObjectNote)


class ObjectNotes(Generic[NoteT]):
    """The notes of one kind of one store's objects, on one machine."""

    def __init__(self, note_type: type[NoteT], name: str, data_dir: Path | None, store_url: str) -> None:
        """Read them; a file that is missing or damaged holds none, and without a folder there is none."""
        self._path: Path | None = None
        # A store in memory is gone with its process: nothing that is noted of it would be of another.
        if data_dir is not None and not store_url.startswith("memory:"):
            self._path = data_dir / f"{name}-{hashlib.sha256(store_url.encode()).hexdigest()[:8]}.jsonl"
        self._decoder = msgspec.json.Decoder(note_type)
        # The checksum is also of the layout: what an earlier program did not know to note is read again.
        self._layout_crc32 = zlib.crc32(msgspec.json.encode(msgspec.json.schema(note_type), order="sorted"))
        self._saved: list[NoteT] = []
        with contextlib.suppress(OSError, ValueError, Poison, *NOT_JSON), no_collection():
            self._saved = self._read(self._path) if self._path else []
        self._notes = {note.info.key: note for note in self._saved}

    def find(self, info: ObjectInfo) -> NoteT | None:
        """Return the note of an object as it is listed, None if it has none."""
        note = self._notes.get(info.key)
        return note if note and note.info == info else None

    def find_any(self, key: str) -> NoteT | None:
        """Return the last note under a key, whatever became of the object."""
        return self._notes.get(key)

    def add(self, note: NoteT) -> None:
        """Take one more, to be kept by `save`."""
        self._notes[note.info.key] = note

    def save(self, listed: Iterable[ObjectInfo]) -> None:
        """Write the notes of what is listed, if the file has others.

        That it could not be written is not worth an error: then the objects are read again.
        """
        notes = [note for info in listed if (note := self.find(info)) is not None]
        if self._path is None or notes == self._saved:
            return
        lines = msgspec.json.Encoder().encode_lines(notes)
        with contextlib.suppress(OSError):
            replace_file(self._path, b"%08x\n%s" % (zlib.crc32(lines, self._layout_crc32), lines))
            self._saved = notes

    def _read(self, path: Path) -> list[NoteT]:
        """Read the notes; the first line is their checksum, as one bit could move frames to another day."""
        crc32, _, lines = path.read_bytes().partition(b"\n")
        check_crc32(zlib.crc32(lines, self._layout_crc32), int(crc32, 16))
        return self._decoder.decode_lines(lines)
