"""Encodes and decodes segments, which consumers write for a run of messages.

A segment is JSON Lines: its header, the frame lines, the dead letters (see `records.SegmentHeader`). It is
written as a whole, once, and never changed; `chain.py` defines the order of a partition's segments.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from typing import NamedTuple, Protocol

from msgspec import UNSET
from msgspec.structs import replace

from frametally import keys
from frametally.errors import FrametallyError, Misconfigured, Poison, Retryable
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import plural
from frametally.records import DeadLetter, FrameDetections, decode, encode
from frametally.rules.seals import check_crc32
from frametally.segment_records import SegmentHeader, SegmentSource

# A header with a hundred sources is about 15 kB, so one ranged read is nearly always enough.
_HEADER_READ_BYTES = 32 * 1024


class CutShort(Retryable):
    """A segment has fewer lines than its header says; a body truncated in transit raises no other error."""


class RangeReader(Protocol):
    """The methods of an object store that reading lines of a segment requires."""

    def get_range(self, key: str, first_byte: int, next_byte: int) -> bytes:
        """Return the bytes of an object from `first_byte` to before `next_byte`."""


class Segment(NamedTuple):
    """A segment as read: its header and its lines, without line ends."""

    header: SegmentHeader
    frame_lines: list[bytes]
    dead_letter_lines: list[bytes]

    def frames(self) -> list[FrameDetections]:
        """Decode the frame lines. Raises `Poison` at one that is not a record."""
        return [decode(line, FrameDetections) for line in self.frame_lines]

    def dead_letters(self) -> list[DeadLetter]:
        """Decode the dead letters. Raises `Poison` at one that is not a record."""
        return [decode(line, DeadLetter) for line in self.dead_letter_lines]


def frame_line(frame: FrameDetections) -> bytes:
    """Encode a frame's line, without a line end; only the segment's header has the picture's digest."""
    return encode(frame if frame.picture_digest is UNSET else replace(frame, picture_digest=UNSET))


def encode_segment(
    *,
    model: str,
    log_id: str,
    topic: str,
    partition: int,
    first_offset: int,
    next_offset: int,
    frames: Sequence[FrameDetections],
    dead_letters: Sequence[DeadLetter],
) -> bytes:
    """Encode a segment; the bytes do not depend on the order of the messages."""
    body = bytearray()
    sources: list[SegmentSource] = []
    ordered = sorted(frames, key=lambda f: (f.source, f.captured_at_ms, f.frame_index, f.image_path))
    for source, group in groupby(ordered, key=lambda frame: frame.source):
        of_source = list(group)
        first_byte = len(body)
        body += b"".join(frame_line(frame) + b"\n" for frame in of_source)
        digests = [frame.picture_digest for frame in of_source if frame.picture_digest is not UNSET]
        sources.append(
            SegmentSource(
                source=source,
                frames=len(of_source),
                first_captured_at_ms=of_source[0].captured_at_ms,
                last_captured_at_ms=of_source[-1].captured_at_ms,
                first_byte=first_byte,
                next_byte=len(body),
                crc32=zlib.crc32(memoryview(body)[first_byte:]),
                picture_digests="".join(digests) if len(digests) == len(of_source) else UNSET,
            )
        )
    frames_bytes = len(body)
    for dead_letter in sorted(dead_letters, key=lambda letter: letter.offset):
        body += encode(dead_letter) + b"\n"
    header = SegmentHeader(
        model=model,
        log_id=log_id,
        topic=topic,
        partition=partition,
        first_offset=first_offset,
        next_offset=next_offset,
        frames=len(frames),
        dead_letters=len(dead_letters),
        sources=sources,
        dead_letters_crc32=zlib.crc32(memoryview(body)[frames_bytes:]),
    )
    return encode(header) + b"\n" + bytes(body)


def decode_segment(data: bytes, key: str) -> Segment:
    """Decode the segment in `data`; `key` names it in errors.

    Raises:
        Poison: The header is damaged, or the lines differ from those stored.
        CutShort: It does not have as many lines as its header says.
    """
    head, newline, body = data.partition(b"\n")
    if not newline:
        raise CutShort(f"segment {key} was cut short in its header: try again, or {SegmentHeader.remedy}")
    header = _decode_header(head, key)
    lines = body.split(b"\n")
    whole = lines.pop() == b""
    if not whole or len(lines) != header.frames + header.dead_letters:
        raise CutShort(
            f"segment {key} has {plural(len(lines), 'line')}, but its header says "
            f"{header.frames + header.dead_letters}: it was cut short; try again, or {SegmentHeader.remedy}"
        )
    lines_of = memoryview(body)
    frames_bytes = 0
    for part in header.sources:
        check_lines(lines_of[part.first_byte : part.next_byte], part.crc32, key, part.source)
        frames_bytes = part.next_byte
    check_lines(lines_of[frames_bytes:], header.dead_letters_crc32, key, "dead letters")
    return Segment(header, lines[: header.frames], lines[header.frames :])


def check_lines(data: bytes | memoryview, crc32: int, key: str, part_name: str) -> None:
    """Compare lines of the segment under `key`, such as those of one source, with their CRC-32.

    Raises:
        Poison: The lines differ from those stored; the message names the segment and `part_name`.
    """
    try:
        check_crc32(zlib.crc32(data), crc32)
    except Poison as error:
        raise Poison(f"segment {key}, {part_name}: {error}; {SegmentHeader.remedy}") from error


def read_lines(
    store: RangeReader, key: str, first_byte: int, next_byte: int, crc32: int, part_name: str
) -> list[bytes]:
    """Read the lines in a range of bytes of the segment under `key`, without line ends.

    Raises:
        Retryable: The bytes arrived truncated.
        Poison: As `check_lines`.
        ObjectMissing: There is no such segment.
    """
    data = store.get_range(key, first_byte, next_byte)
    if len(data) != next_byte - first_byte:
        raise Retryable(f"segment {key} arrived incomplete: try again, or {SegmentHeader.remedy}")
    check_lines(data, crc32, key, part_name)
    return data.split(b"\n")[:-1]


def read_source(store: RangeReader, key: str, body_start: int, part: SegmentSource) -> list[bytes]:
    """Read one source's lines of a segment whose body begins at `body_start`. Raises as `read_lines`."""
    start = body_start + part.first_byte
    return read_lines(store, key, start, body_start + part.next_byte, part.crc32, part.source)


def read_segment(store: ObjectStore, key: str) -> Segment:
    """Read the segment under `key`. Raises as `decode_segment` does, and `ObjectMissing`."""
    return decode_segment(store.get(key), key)


def read_header(store: ObjectStore, key: str) -> tuple[SegmentHeader, int]:
    """Read the header of the segment under `key`, and the position of the first byte after its line.

    Raises:
        Poison: The object is not a segment.
        ObjectMissing: There is no such object.
    """
    size = _HEADER_READ_BYTES
    while True:
        data = store.get_range(key, 0, size)
        head, newline, _ = data.partition(b"\n")
        if newline:
            return _decode_header(head, key), len(head) + 1
        if len(data) < size:
            raise Poison(
                f"{key} is not a segment, because it has no header line; move it out of {keys.METADATA}/"
            )
        size *= 8


def list_segments(store: ObjectStore) -> Iterator[str]:
    """List the keys of all segments of all models and logs, sorted."""
    return (info.key for info in store.list(keys.METADATA) if keys.SEGMENT_KEY.fullmatch(info.key))


def check_belongs(header: SegmentHeader, key: str) -> None:
    """Check that the header matches its key.

    Raises:
        Misconfigured: It belongs to another log, partition or model.
    """
    expected = keys.segment_key(
        header.model, header.log_id, header.topic, header.partition, header.first_offset
    )
    if expected != key:
        raise Misconfigured(
            f"segment {key} says that it is {expected}: someone moved or overwrote it; put it back"
        )


def _decode_header(head: bytes, key: str) -> SegmentHeader:
    try:
        return decode(head, SegmentHeader)
    except Poison as error:
        raise Poison(f"segment {key}: its first line is {error}") from error


def counted_digests(store: ObjectStore, image_keys: set[str]) -> dict[str, set[str]]:
    """Return what segments say of some pictures; erased frames say nothing."""
    digests: defaultdict[str, set[str]] = defaultdict(set)
    for segment_key in list_segments(store):
        with suppress(FrametallyError):  # the check of segments reports it
            segment = read_segment(store, segment_key)
            lines = iter(segment.frames())
            for part in segment.header.sources:
                for number, line in zip(range(part.frames), lines, strict=False):
                    digest = part.picture_digest(number)
                    if (
                        line.image_path in image_keys and digest is not UNSET and digest.strip("A")
                    ):  # only "A": erased
                        digests[line.image_path].add(digest)
    return digests
