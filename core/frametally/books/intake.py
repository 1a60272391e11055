"""Turns the store's objects into a ledger's rows. Reads the store; does not know a database."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from frametally import keys
from frametally.books.runs import RunReplaced, read_run
from frametally.errors import Misconfigured, Poison
from frametally.media.manifests import without_names
from frametally.ports.object_store import ObjectInfo, ObjectMissing, ObjectStore
from frametally.records import (
    DeadLetter,
    FrameAnnouncement,
    FrameDetections,
    MediaManifest,
    Run,
    SealedRecord,
    decode,
    decode_at,
    encode,
)
from frametally.rules.places import base_model, is_of_places
from frametally.rules.times import MOST_TIME_MS
from frametally.segment_records import SegmentHeader
from frametally.segments.contents import CutShort, Segment, check_belongs, decode_segment
from frametally.segments.dead_letters import cause_of
from frametally.undo_records import DroppedDeadLetter, Tombstone

_MOST = 2**62

RECORD_OF_KIND: dict[str, type[SealedRecord]] = {
    "manifest": MediaManifest,
    "tombstone": Tombstone,
    "dropped": DroppedDeadLetter,
}
FOLDER_OF_KIND = {"manifest": keys.MEDIA, "tombstone": keys.TOMBSTONES, "dropped": keys.DROPPED}


class TakenObject(NamedTuple):
    """A small object as it was read: its record as JSON, or why there is none."""

    info: ObjectInfo
    record: str | None = None
    problem: str | None = None


class TakenRun(NamedTuple):
    """A day's current run, and the frames that it covers by source."""

    info: ObjectInfo
    model: str
    record: str | None = None
    frames: tuple[tuple[str, int], ...] = ()
    problem: str | None = None


class FrameKey(NamedTuple):
    """One frame's identity: `frame` is 64 bits of its image_path's hash."""

    source: str
    media: str
    captured_at_ms: int
    frame: int


class TakenDeadLetter(NamedTuple):
    """One dead letter; `frame` is None where the message does not tell which frame it meant."""

    offset: int
    frame: FrameKey | None
    cause: str


class TakenSegment(NamedTuple):
    """A segment as it was read; without a header it could not be."""

    info: ObjectInfo
    model: str
    header: SegmentHeader | None = None
    header_bytes: int = 0
    frames: tuple[FrameKey, ...] = ()
    dead_letters: tuple[TakenDeadLetter, ...] = ()
    problem: str | None = None


def take_object(store: ObjectStore, info: ObjectInfo, kind: str) -> TakenObject | None:
    """Read a manifest, a tombstone or a dropped dead letter; None if it is gone by now."""
    try:
        record = decode_at(info.key, store.get(info.key), RECORD_OF_KIND[kind])
    except ObjectMissing:
        return None
    except Poison as error:
        return TakenObject(info, problem=str(error))
    if isinstance(record, MediaManifest):
        record = without_names(record)
    return TakenObject(info, encode(record).decode())


def take_run(store: ObjectStore, info: ObjectInfo) -> TakenRun | None:
    """Read the run that a pointer names; None if it was replaced and is gone by now.

    Of a series of places it is the model's: the frames of places are those of its sources once more.
    """
    pointer = keys.parse_run_pointer_key(info.key)
    model = base_model(pointer.model) if pointer else ""
    try:
        run = decode_at(info.key, store.get(info.key), Run)
    except ObjectMissing:
        return None
    except Poison as error:
        return TakenRun(info, model, problem=str(error))
    frames: Counter[str] = Counter()
    try:
        coverage = read_run(store, run)[1]
    except RunReplaced:
        return None
    except Poison as error:
        return TakenRun(info, model, problem=str(error))
    for record in coverage if not is_of_places(run.model) else ():
        frames[record.source] += record.frames
    return TakenRun(info, model, encode(run).decode(), tuple(frames.items()))


def take_segment(store: ObjectStore, info: ObjectInfo) -> TakenSegment | None:
    """Read a segment with the frames that it speaks of; None if it is gone by now."""
    parsed = keys.parse_segment_key(info.key)
    model = parsed.model if parsed else ""
    try:
        data = store.get(info.key)
        segment = decode_segment(data, info.key)
        check_belongs(segment.header, info.key)
        _check_numbers(segment.header, info.key)
    except ObjectMissing:
        return None
    except (Poison, CutShort, Misconfigured) as error:
        return TakenSegment(info, model, problem=str(error))
    problems: list[str] = []
    frames = tuple(_frames_of(segment, info.key, problems))
    dead_letters = tuple(_dead_letters_of(segment, info.key, problems))
    header_bytes = data.index(b"\n") + 1
    return TakenSegment(
        info, model, segment.header, header_bytes, frames, dead_letters, "; ".join(problems) or None
    )


def _frames_of(segment: Segment, key: str, problems: list[str]) -> Iterable[FrameKey]:
    for number, line in enumerate(segment.frame_lines, start=2):
        try:
            frame = decode(line, FrameDetections)
        except Poison as error:
            problems.append(f"segment {key}, line {number}: {error}")
            continue
        if not _is_time(frame.captured_at_ms):
            problems.append(f"segment {key}, line {number}: captured_at_ms is out of range")
            continue
        yield FrameKey(frame.source, frame.media, frame.captured_at_ms, _hash(frame.image_path))


def _dead_letters_of(segment: Segment, key: str, problems: list[str]) -> Iterable[TakenDeadLetter]:
    for number, line in enumerate(segment.dead_letter_lines, start=2 + segment.header.frames):
        try:
            letter = decode(line, DeadLetter)
        except Poison as error:
            problems.append(f"segment {key}, line {number}: {error}")
            continue
        yield TakenDeadLetter(letter.offset, _frame_meant(letter), cause_of(letter))


def _frame_meant(letter: DeadLetter) -> FrameKey | None:
    """Return the frame that the message announced, as far as it still tells."""
    if letter.source is None or letter.image_path is None:
        return None
    try:
        announced = decode(letter.message, FrameAnnouncement)
        media, captured_at_ms = announced.media, announced.captured_at_ms
    except Poison:
        name = keys.parse_image_name(letter.image_path.rpartition("/")[2])
        media, captured_at_ms = "", name.captured_at_ms if name else 0
    if not _is_time(captured_at_ms):
        return None
    return FrameKey(letter.source, media, captured_at_ms, _hash(letter.image_path))


def _check_numbers(header: SegmentHeader, key: str) -> None:
    """Refuse numbers that no database holds and no frame has."""
    times = [ms for part in header.sources for ms in (part.first_captured_at_ms, part.last_captured_at_ms)]
    if not 0 <= header.first_offset <= header.next_offset < _MOST or not all(map(_is_time, times)):
        raise Poison(f"segment {key}: its header has impossible numbers; restore the segment")


def _is_time(captured_at_ms: int) -> bool:
    return abs(captured_at_ms) <= MOST_TIME_MS


def _hash(image_path: str) -> int:
    digest = hashlib.blake2b(image_path.encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
