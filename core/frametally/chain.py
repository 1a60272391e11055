"""The chain of a partition's segments: without gap or overlap, whoever writes them, whatever dies.

Each worker keeps to these rules for every partition that it is assigned:

1. Its position is the committed offset, or the `next_offset` of the last segment that it wrote or adopted.
   At assignment it looks for the last segment that begins at or below its position, and goes on at that
   segment's `next_offset` if that is larger (`SegmentChain.resume`).
2. Every batch becomes a segment, also one without a good frame.
3. Segments are put strictly in order, each only after the one before exists; the put creates, and never
   replaces (`SegmentChain.put`).
4. On a lost race it reads the winner's segment, checks that every message that it holds in that range is in
   there, and goes on at the winner's `next_offset`. A segment of another log, or one that does not parse,
   stops the partition; it is never adopted.
5. Offsets are committed after the segment exists. On revocation, unfinished work is dropped.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from frametally import keys
from frametally.errors import Misconfigured, Poison
from frametally.object_store import ObjectStore
from frametally.records import DeadLetter, FrameDetections, SegmentHeader
from frametally.segments import CutShort, Segment, check_belongs, encode_segment, read_header, read_segment

_READS_OF_A_SHORT_SEGMENT = 3
_DETECTED_ANEW = (
    "move that object out of metadata/ and start the consumer again: its frames are then detected anew"
)
_RESTORE = "restore that object from a backup: its messages are committed and will not come again"


class ChainBroken(Misconfigured):
    """The partition cannot go on before a person has looked at the segment that the message names."""


class PutResult(NamedTuple):
    """Where the chain ends now, and whether another worker's segment brought it there."""

    next_offset: int
    adopted: bool


class SegmentChain:
    """One worker's hold on the chain of one partition."""

    def __init__(self, store: ObjectStore, *, model: str, log_id: str, topic: str, partition: int) -> None:
        """Name the chain; nothing is read yet."""
        self._store = store
        self._model = model
        self._log_id = log_id
        self._topic = topic
        self._partition = partition

    def _key(self, first_offset: int) -> str:
        return keys.segment_key(self._model, self._log_id, self._topic, self._partition, first_offset)

    def resume(self, committed_offset: int) -> int:
        """The offset to go on at: `committed_offset`, or the end of the chain that lies at or above it.

        Raises:
            ChainBroken: A segment on the way does not parse, or belongs elsewhere.
        """
        first_offsets = []
        for info in self._store.list(keys.segment_folder(self._model, self._log_id)):
            parsed = keys.parse_segment_key(info.key)
            if parsed and (parsed.topic, parsed.partition) == (self._topic, self._partition):
                first_offsets.append(parsed.first_offset)
        position = committed_offset
        while True:
            below = [offset for offset in first_offsets if offset <= position]
            if not below:
                return position
            next_offset = self._header(max(below), committed_offset).next_offset
            if next_offset <= position:
                return position
            # The chain may go on from there: whoever wrote it died before it could commit.
            position = next_offset

    def put(
        self,
        *,
        first_offset: int,
        next_offset: int,
        frames: Sequence[FrameDetections],
        dead_letters: Sequence[DeadLetter],
        held: Mapping[int, str | None],
    ) -> PutResult:
        """Put the segment of `[first_offset, next_offset)`, or adopt the one that another worker put there.

        Args:
            first_offset: End of the chain so far.
            next_offset: The last message's offset + 1.
            frames: One per message that became detections.
            dead_letters: One per message that did not.
            held: Every message's offset with its `image_path` (None where it could not be parsed).

        Raises:
            ChainBroken: The object that is there cannot be adopted.
        """
        data = encode_segment(
            model=self._model,
            log_id=self._log_id,
            topic=self._topic,
            partition=self._partition,
            first_offset=first_offset,
            next_offset=next_offset,
            frames=frames,
            dead_letters=dead_letters,
        )
        if self._store.put(self._key(first_offset), data, if_absent=True):
            return PutResult(next_offset, adopted=False)
        return PutResult(self._adopt(first_offset, held), adopted=True)

    def _adopt(self, first_offset: int, held: Mapping[int, str | None]) -> int:
        key = self._key(first_offset)
        try:
            segment = self._read(key)
            check_belongs(segment.header, key)
            paths = {frame.image_path for frame in segment.frames()}
            dead_offsets = {letter.offset for letter in segment.dead_letters()}
        except (Poison, Misconfigured, CutShort) as error:
            raise self._broken(error, _DETECTED_ANEW) from error
        next_offset = segment.header.next_offset
        for offset, image_path in held.items():
            if offset < next_offset and image_path not in paths and offset not in dead_offsets:
                reason = (
                    f"segment {key} ends at {next_offset} but has nothing of offset {offset} ({image_path})"
                )
                raise self._broken(reason, _DETECTED_ANEW)
        return next_offset

    def _read(self, key: str) -> Segment:
        """The segment; one that comes short is read again before it is believed."""
        for _ in range(_READS_OF_A_SHORT_SEGMENT - 1):
            with contextlib.suppress(CutShort):
                return read_segment(self._store, key)
        return read_segment(self._store, key)

    def _header(self, first_offset: int, committed_offset: int) -> SegmentHeader:
        key = self._key(first_offset)
        try:
            header, _ = read_header(self._store, key)
            check_belongs(header, key)
        except (Poison, Misconfigured) as error:
            raise self._broken(
                error, _DETECTED_ANEW if first_offset >= committed_offset else _RESTORE
            ) from error
        return header

    def _broken(self, reason: object, remedy: str) -> ChainBroken:
        return ChainBroken(f"partition {self._partition} of {self._topic} stops: {reason}; {remedy}")
