"""Records of a segment's first line; see `records` for the rules."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from frametally import keys
from frametally.records import SealedRecord

DIGEST_CHARACTERS = 4


class SegmentSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where one source's lines are in a segment.

    `first_byte` and `next_byte` count from the first byte after the header line; `crc32` is that of the bytes
    between them. `picture_digests` has four characters for each line, in their order: 24 bits of its
    picture's SHA-256 in base64. It is unset if they were not measured.
    """

    source: str
    frames: int
    first_captured_at_ms: int
    last_captured_at_ms: int
    first_byte: int
    next_byte: int
    crc32: int
    picture_digests: str | msgspec.UnsetType = msgspec.UNSET

    def picture_digest(self, number: int) -> str | msgspec.UnsetType:
        """Return the digest of the picture of a line, the first being 0; unset if it was not measured."""
        if self.picture_digests is msgspec.UNSET:
            return msgspec.UNSET
        return self.picture_digests[number * DIGEST_CHARACTERS : (number + 1) * DIGEST_CHARACTERS]


class SegmentHeader(SealedRecord, frozen=True, kw_only=True):
    """Line 1 of a segment: the messages of a log that it accounts for, and a description of its lines.

    The frame lines follow (sorted by source, captured_at_ms, frame_index, image_path), then the dead
    letters by offset: `frames + dead_letters` lines in all. `dead_letters_crc32` is that of the latter's
    bytes.
    """

    model: str
    log_id: str
    topic: str
    partition: int
    first_offset: int
    next_offset: int
    frames: int
    dead_letters: int
    sources: list[SegmentSource]
    dead_letters_crc32: int

    remedy: ClassVar[str] = (
        "restore it from a backup, or move it out of metadata/ and start the consumer again, which then "
        "analyses the frames that the log still has"
    )

    @property
    def key(self) -> str:  # noqa: D102
        return keys.segment_key(self.model, self.log_id, self.topic, self.partition, self.first_offset)
