"""Notes of segments in the store, from which a machine with an empty data folder plans as others do.

One object per model and day: a line with a checksum, then the lines of the file of notes. A note counts only
if its segment is still listed with the same size, version and time; what it says of that is believed.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec

from frametally import keys
from frametally.errors import Misconfigured, Poison
from frametally.ports.object_store import ObjectInfo, ObjectMissing, ObjectStore
from frametally.process.reports import Skipped
from frametally.records import NOT_JSON
from frametally.rules.counted_boxes import COUNTING_VERSION
from frametally.rules.times import DAY_MS
from frametally_hadoop.job.params import MARGIN_MS
from frametally_hadoop.planning.segment_notes import SegmentNote

FEWEST = 2000
"""Of fewer segments no notes are stored or read: reading their headers takes seconds."""
_AT_ONCE = 2
NO_DAY = -(10**9)
"""The day of segments that hold no frame; it is beyond the calendar."""

NOTES = msgspec.json.Decoder(SegmentNote)
# What an earlier program did not know to note, or noted by other rules, is read again.
NOTES_LAYOUT = (msgspec.json.schema(SegmentNote), COUNTING_VERSION, MARGIN_MS)
_LAYOUT_CRC32 = zlib.crc32(msgspec.json.encode(NOTES_LAYOUT, order="sorted"))


def notes_key(model: str, number: int) -> str:
    """Return the key of the notes of a day, given as whole days since 1970, or of `NO_DAY`."""
    day = "none" if number == NO_DAY else keys.utc_day(number * DAY_MS)
    return f"{keys.NOTES}/model={model}/day={day}.jsonl"


def put_notes(store: ObjectStore, key: str, lines: bytes) -> None:
    """Store a day's notes, given as lines of JSON."""
    store.put(key, _head(lines) + lines, durable=False)


def take_notes(
    store: ObjectStore, infos: dict[str, ObjectInfo], whole: dict[str, int]
) -> Generator[tuple[ObjectInfo, SegmentNote], None, list[Skipped]]:
    """Yield the stored notes of these segments, given by key, and take these from `infos`.

    `whole` gets the number of notes of each object, by key, whose notes are all of these segments. The
    unreadable objects are returned.
    """
    try:
        stored = [info.key for info in store.list(keys.NOTES)]
    except Misconfigured as error:
        return [Skipped(keys.NOTES, str(error))]
    infos_of_days: dict[str, ObjectInfo] = {}  # of notes in the objects of several days
    unreadable: list[Skipped] = []
    with ThreadPoolExecutor(_AT_ONCE) as readers:
        for start in range(0, len(stored), _AT_ONCE):  # what is read ahead is bounded
            batch = stored[start : start + _AT_ONCE]
            for key, notes in zip(batch, readers.map(partial(_read, store), batch), strict=True):
                if isinstance(notes, Skipped):
                    unreadable.append(notes)
                    continue
                valid = 0
                for note in notes:
                    info = infos.get(note.info.key) or infos_of_days.get(note.info.key)
                    if info is None or info != note.info:
                        continue
                    valid += 1
                    if infos.pop(info.key, None) is not None:
                        if len(note.near_days) > 1:
                            infos_of_days[info.key] = info
                        yield info, note
                if valid == len(notes):
                    whole[key] = valid
    return unreadable


def _read(store: ObjectStore, key: str) -> list[SegmentNote] | Skipped:
    try:
        data = store.get(key)
        lines = data[data.find(b"\n") + 1 :]
        if not data.startswith(_head(lines)):
            raise Poison("it is damaged, or another version of frametally wrote it")
        return NOTES.decode_lines(lines)
    except ObjectMissing:
        return []
    except (Poison, Misconfigured, *NOT_JSON) as error:
        return Skipped(key, str(error))


def _head(lines: bytes) -> bytes:
    return b"frametally-notes %08x %s\n" % (_LAYOUT_CRC32, hashlib.sha256(lines).hexdigest().encode())
