"""Turns the store's objects into a ledger's rows, without knowing its database."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from frametally import keys
from frametally.books.runs import RunReplaced, read_run
from frametally.errors import Misconfigured, Poison
from frametally.media.manifests import without_names
from frametally.ports.object_store import ObjectInfo, ObjectMissing, ObjectStore
from frametally.records import (
    NOT_JSON,
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
from frametally.rules.known import HOUR_MARGIN_MS
from frametally.rules.places import base_model, is_of_places
from frametally.rules.times import DAY_MS, FIRST_MS, HOUR_MS, MOST_TIME_MS, NEXT_MS
from frametally.segment_records import SegmentHeader, SegmentSource
from frametally.segments.contents import (
    CutShort,
    Segment,
    check_belongs,
    decode_segment,
    read_header,
    read_source,
)
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
    """A small object as read: its record as JSON, or the reason why there is none."""

    info: ObjectInfo
    record: str | None = None
    problem: str | None = None


class TakenRun(NamedTuple):
    """A day's current run and the frames that it covers, by source."""

    info: ObjectInfo
    model: str
    record: str | None = None
    frames: tuple[tuple[str, int], ...] = ()
    problem: str | None = None


class FrameKey(NamedTuple):
    """One frame's identity; `frame` is 64 bits of the hash of its image_path."""

    source: str
    media: str
    captured_at_ms: int
    frame: int


class TakenDeadLetter(NamedTuple):
    """One dead letter; `frame` is None if the message does not identify its frame."""

    offset: int
    frame: FrameKey | None
    cause: str


class SourceHour(NamedTuple):
    """An hour since 1970 that a segment counts in; `is_own` if it has frames of it, not only near it."""

    source: str
    hour: int
    is_own: bool


class TakenSegment(NamedTuple):
    """A segment as read; it has no header if it is unreadable.

    Without `is_read`, only the header was read: frames and dead letters are missing.
    """

    info: ObjectInfo
    model: str
    header: SegmentHeader | None = None
    header_bytes: int = 0
    hours: tuple[SourceHour, ...] = ()
    is_read: bool = False
    frames: tuple[FrameKey, ...] = ()
    dead_letters: tuple[TakenDeadLetter, ...] = ()
    problem: str | None = None


def take_object(store: ObjectStore, info: ObjectInfo, kind: str) -> TakenObject | None:
    """Read a manifest, a tombstone or a dropped dead letter; return None if it no longer exists."""
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
    """Read the run that a pointer names; return None if it was replaced and removed.

    The run of a series of places has no frames here: they are the frames of its model's sources again.
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
        frames[record.source] += record.analysed
    return TakenRun(info, model, encode(run).decode(), tuple(frames.items()))


def take_header(store: ObjectStore, info: ObjectInfo) -> TakenSegment | None:
    """Read a segment's header, and its lines only if one of its sources spans more than two days.

    Return None if it no longer exists.
    """
    try:
        header, header_bytes = read_header(store, info.key)
        check_belongs(header, info.key)
        _check_numbers(header, info.key)
        hours = hours_of(header, lambda part: _times_of_lines(store, info.key, part, header_bytes))
    except ObjectMissing:
        return None
    except (Poison, Misconfigured) as error:
        return _unreadable(info, error)
    return TakenSegment(info, header.model, header, header_bytes, hours)


def take_segment(store: ObjectStore, info: ObjectInfo) -> TakenSegment | None:
    """Read a segment with its frames and dead letters; return None if it no longer exists."""
    try:
        data = store.get(info.key)
        segment = decode_segment(data, info.key)
        header = segment.header
        check_belongs(header, info.key)
        _check_numbers(header, info.key)
        problems: list[str] = []
        frames = tuple(_frames_of(segment, info.key, problems))
        dead_letters = tuple(_dead_letters_of(segment, info.key, problems))
        hours = hours_of(header, lambda part: [ms for source, _, ms, _ in frames if source == part.source])
    except ObjectMissing:
        return None
    except (Poison, CutShort, Misconfigured) as error:
        return _unreadable(info, error)
    header_bytes, problem = data.index(b"\n") + 1, "; ".join(problems) or None
    return TakenSegment(info, header.model, header, header_bytes, hours, True, frames, dead_letters, problem)


def _unreadable(info: ObjectInfo, error: Exception) -> TakenSegment:
    parsed = keys.parse_segment_key(info.key)
    return TakenSegment(info, parsed.model if parsed else "", problem=str(error))


def hours_of(
    header: SegmentHeader, times_of: Callable[[SegmentSource], Iterable[int]]
) -> tuple[SourceHour, ...]:
    """Return the hours that a segment counts in, by source and hour.

    If a source spans more than two days, as pictures can, use the times of its frames.

    Raises:
        Poison: An hour is beyond the calendar.
    """
    source_hours: list[SourceHour] = []
    for part in header.sources:
        first_ms, last_ms = part.first_captured_at_ms, part.last_captured_at_ms
        if last_ms - first_ms <= 2 * DAY_MS:
            hours = _hours_between(part.source, first_ms, last_ms)
        else:
            near = {hour for ms in times_of(part) for hour in _hours_between(part.source, ms, ms)}
            own = {hour.hour for hour in near if hour.is_own}
            hours = sorted(hour for hour in near if hour.is_own or hour.hour not in own)
        if hours and not FIRST_MS <= hours[0].hour * HOUR_MS <= hours[-1].hour * HOUR_MS < NEXT_MS:
            raise Poison(f"segment {header.key} has frames beyond the calendar; {header.remedy}")
        source_hours += hours
    return tuple(sorted(source_hours))


def _hours_between(source: str, first_ms: int, last_ms: int) -> Sequence[SourceHour]:
    """Return the hours that frames from the first to the last count in, sorted.

    An hour is tracked with a margin, so frames near it belong to it as well.
    """
    near = (first_ms - HOUR_MARGIN_MS) // HOUR_MS, (last_ms + HOUR_MARGIN_MS) // HOUR_MS
    return _hours_in(source, *near, first_ms // HOUR_MS, last_ms // HOUR_MS)


@lru_cache(maxsize=10_000)  # few segments have other hours than the one before
def _hours_in(source: str, near_first: int, near_last: int, first: int, last: int) -> Sequence[SourceHour]:
    own = range(first, last + 1)
    return sorted(SourceHour(source, hour, hour in own) for hour in {near_first, near_last, *own})


class _Time(msgspec.Struct):
    captured_at_ms: int


def _times_of_lines(store: ObjectStore, key: str, part: SegmentSource, header_bytes: int) -> Iterator[int]:
    decoder = msgspec.json.Decoder(_Time)
    for line in read_source(store, key, header_bytes, part):
        try:
            time_ms = decoder.decode(line).captured_at_ms
        except NOT_JSON:
            continue  # the job reports it
        if part.first_captured_at_ms <= time_ms <= part.last_captured_at_ms:
            yield time_ms


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
    """Return the frame that the message announced, if it can be identified."""
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
    """Reject numbers that do not fit a database or that no frame can have."""
    is_possible = 0 <= header.first_offset <= header.next_offset < _MOST
    for part in header.sources:
        is_possible &= _is_time(part.first_captured_at_ms) and _is_time(part.last_captured_at_ms)
    if not is_possible:
        raise Poison(f"segment {key}: its header has impossible numbers; restore the segment")


def _is_time(captured_at_ms: int) -> bool:
    return abs(captured_at_ms) <= MOST_TIME_MS


def _hash(image_path: str) -> int:
    digest = hashlib.blake2b(image_path.encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
