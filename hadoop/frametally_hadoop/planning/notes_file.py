"""The SQLite file of notes: one state, and the notes of each day in pieces, as they were added.

The state has its own checksum, and names the days with a digest of their pieces; both change in one
transaction. No result depends on the file: where it is missing, damaged, or of a program that notes other
fields, it is empty.
"""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from frametally.errors import Poison
from frametally.records import NOT_JSON
from frametally.segments.stretches import SegmentStretch
from frametally_hadoop.planning.segment_notes import SegmentNote
from frametally_hadoop.planning.stored_notes import NOTES, NOTES_LAYOUT

_TABLES = """
CREATE TABLE IF NOT EXISTS state (content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS pieces (place INTEGER NOT NULL, content BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS pieces_place ON pieces (place);
"""
_PATIENCE_S = 60.0


class Damaged(Poison):
    """The contents of the file do not match their checksum."""


class NotedDay(msgspec.Struct):
    """The state of one model's day.

    Attributes:
        place: Which pieces are its own.
        sources: Of all its notes, sorted.
        own_sources: Of those with frames of the day itself, sorted.
        digest: Of its pieces.
        notes: Their number.
        stored: As many of them are in the store.
    """

    place: int
    sources: list[str] = []
    own_sources: list[str] = []
    digest: str = ""
    notes: int = 0
    stored: int = 0


class State(msgspec.Struct):
    """The noted state.

    Attributes:
        segments: Their number.
        listed_at_ms: When all segments were listed, not new ones alone, in ms since 1970.
        days: By model and whole day since 1970.
        inputs: Identities of days that were made before, by what they were made from.
    """

    segments: int = 0
    listed_at_ms: int = 0
    stretches: list[SegmentStretch] = []
    with_dead_letters: list[str] = []
    days: dict[str, dict[int, NotedDay]] = {}
    inputs: dict[str, str] = {}

    def list_days(self) -> list[tuple[str, int, NotedDay]]:
        """Return each day with its model and number."""
        return [(model, number, day) for model, days in self.days.items() for number, day in days.items()]


_ENCODER = msgspec.json.Encoder()
_STATE = msgspec.json.Decoder(State)
# What an earlier program did not know to note is read again.
_LAYOUT_CRC32 = zlib.crc32(msgspec.json.encode([NOTES_LAYOUT, msgspec.json.schema(State)], order="sorted"))


class NotesFile:
    """The file, or without a path the memory of one process. All methods may raise `sqlite3.Error`."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold a transaction of the only writer, which is undone if the block raises."""
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def read_state(self) -> State:
        """Return the state, within `writing`; one of another layout is forgotten. Raises `Damaged`."""
        row = self._open().execute("SELECT content FROM state").fetchone()
        try:
            checksums, _, content = row[0].partition(b"\n") if row else (b"0" * 16, b"", b"")
            if int(checksums[:8], 16) != _LAYOUT_CRC32:
                self._open().execute("DELETE FROM pieces")
                return State()
            if int(checksums[8:], 16) != zlib.crc32(content):
                raise Damaged("its checksum does not match its bytes")
            return _STATE.decode(content)
        except (AttributeError, TypeError, ValueError, *NOT_JSON) as error:
            raise Damaged(str(error)) from error

    def write_state(self, state: State) -> None:
        """Replace the state, within `writing`."""
        content = _ENCODER.encode(state)
        self._open().execute("DELETE FROM state")
        line = b"%08x%08x\n%s" % (_LAYOUT_CRC32, zlib.crc32(content), content)
        self._open().execute("INSERT INTO state VALUES (?)", [line])

    def add(self, day: NotedDay, notes: Sequence[SegmentNote]) -> None:
        """Add a piece to a day, within `writing`."""
        piece = _ENCODER.encode_lines(notes)
        day.digest = _digest(day.digest, piece)
        day.notes += len(notes)
        self._open().execute("INSERT INTO pieces VALUES (?, ?)", [day.place, piece])

    def remove(self, day: NotedDay) -> None:
        """Remove a day's pieces, within `writing`."""
        self._open().execute("DELETE FROM pieces WHERE place = ?", [day.place])

    def read(self, day: NotedDay) -> list[SegmentNote]:
        """Return a day's notes, as they came. Raises `Damaged`."""
        try:
            return NOTES.decode_lines(self.read_lines(day))
        except NOT_JSON as error:
            raise Damaged(str(error)) from error

    def read_lines(self, day: NotedDay) -> bytes:
        """Return a day's notes as lines of JSON. Raises `Damaged`."""
        query = "SELECT content FROM pieces WHERE place = ? ORDER BY rowid"
        digest, pieces = "", []
        try:
            for (piece,) in self._open().execute(query, [day.place]):
                digest = _digest(digest, piece)
                pieces.append(piece)
        except TypeError as error:
            raise Damaged(str(error)) from error
        if digest != day.digest:
            raise Damaged("its checksum does not match its bytes")
        return b"".join(pieces)

    def may_have(self, day: NotedDay, text: str) -> bool:
        """Return whether the text is in a piece of the day."""
        query = "SELECT 1 FROM pieces WHERE place = ? AND instr(content, ?) LIMIT 1"
        return self._open().execute(query, [day.place, text.encode()]).fetchone() is not None

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self.path or ":memory:", timeout=_PATIENCE_S, isolation_level=None)
            # A machine that crashes may damage the file: the next reader notices that.
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(_TABLES)
            self._connection = connection
        return self._connection


def _digest(before: str, piece: bytes) -> str:
    return hashlib.sha256(before.encode() + piece).hexdigest()
