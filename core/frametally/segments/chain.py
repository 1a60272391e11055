"""Chains a partition's segments from offset 0, without gaps or overlaps, whichever process writes or dies.

Each worker follows these rules for every partition that it is assigned:

1. Its position is the end of the chain. To find that end at assignment, it looks for the last segment that
   begins at or below the committed offset and follows the chain from there (`SegmentChain.resume`). If the
   committed offset is above the end, segments are missing, and the worker goes back.
2. Every batch becomes a segment, even without a good frame. Messages that the log no longer has are lost: the
   next segment covers their offsets and has no lines for them.
3. Segments are put strictly in order, each only after the previous one exists; the put creates and never
   replaces (`SegmentChain.put`). No segment extends past the beginning of an existing one.
4. After losing a race, it reads the winner's segment, checks that it has every message of its own batch in
   that range, and continues at the winner's `next_offset`. A segment of another log, or one that does not
   parse, stops the partition; it is never adopted.
5. Offsets are committed after the segment exists. On revocation, unfinished work is dropped.
"""

from __future__ import annotations

import bisect
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple

from frametally import keys
from frametally.errors import Misconfigured, Poison
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.records import DeadLetter, FrameDetections
from frametally.segment_records import SegmentHeader
from frametally.segments.contents import (
    CutShort,
    Segment,
    check_belongs,
    encode_segment,
    read_header,
    read_segment,
)

_READS_OF_A_SHORT_SEGMENT = 3
_DETECTED_ANEW = (
    "move that object out of metadata/ and start the consumer again, which then detects its frames again"
)
_RESTORE = (
    "restore that object from a backup: its messages are committed, so the log does not send them again"
)


class ChainBroken(Misconfigured):
    """The partition cannot continue until a person has dealt with the segment that the message names."""


class ChainEnd(NamedTuple):
    """Where to continue in a partition.

    Attributes:
        next_offset: End of the chain so far, where the next segment begins.
        limit: Where an existing segment above that end begins, or None. The segments in between are missing,
            and no new segment may extend past this offset.
    """

    next_offset: int
    limit: int | None


class PutResult(NamedTuple):
    """Where the chain ends now, and whether another worker's segment brought it there."""

    next_offset: int
    adopted: bool


def models_with_segments(store: ObjectStore) -> list[str]:
    """Return the ids of the models that have detected, sorted. This takes one listing per model."""
    folders: list[str] = []
    after = None
    while (info := next(store.list(keys.METADATA, after), None)) is not None:
        folders.append(info.key.split("/")[1])
        after = f"{keys.METADATA}/{folders[-1]}/\uffff"  # after every key of that model
    return sorted(folder.removeprefix("model=") for folder in folders if folder.startswith("model="))


def logs_with_segments(store: ObjectStore, model: str, topic: str) -> list[str]:
    """Return the ids of the logs of `topic` that the model has segments of.

    This takes one listing per log: an id belongs to one topic, so its first segment is enough.
    """
    log_ids: list[str] = []
    folder = f"{keys.METADATA}/model={model}"
    after = None
    while (info := next(store.list(folder, after), None)) is not None:
        name = info.key.removeprefix(f"{folder}/").partition("/")[0]
        parsed = keys.parse_segment_key(info.key)
        if parsed is not None and parsed.topic == topic:
            log_ids.append(parsed.log_id)
        after = f"{folder}/{name}/\uffff"  # after every key of that log
    return log_ids


@dataclass(frozen=True)
class SegmentChain:
    """One worker's access to the chain of one partition."""

    store: ObjectStore
    _: KW_ONLY
    model: str
    log_id: str
    topic: str
    partition: int

    def _key(self, first_offset: int) -> str:
        return keys.segment_key(self.model, self.log_id, self.topic, self.partition, first_offset)

    def resume(self, committed_offset: int) -> ChainEnd:
        """Return the end of the chain that leads to or past `committed_offset`.

        It does not notice segments missing between others, for which it would have to read every header;
        `frametally status` does.

        Raises:
            ChainBroken: A segment on the way does not parse, or belongs elsewhere.
        """
        first_offsets = []
        for info in self.store.list(keys.segment_folder(self.model, self.log_id)):
            parsed = keys.parse_segment_key(info.key)
            if parsed and (parsed.topic, parsed.partition) == (self.topic, self.partition):
                first_offsets.append(parsed.first_offset)
        first_offsets.sort()
        end = self._end(first_offsets, committed_offset)
        above = [offset for offset in first_offsets if offset > end]
        return ChainEnd(end, min(above, default=None))

    def _end(self, first_offsets: Sequence[int], committed_offset: int) -> int:
        if not first_offsets or first_offsets[0] > 0:
            return 0  # a chain begins at 0; the segments before the first one are missing
        end = self._next_offset(first_offsets, committed_offset, committed_offset)
        while True:
            # The chain may continue: its writer may have died before it could commit.
            further = self._next_offset(first_offsets, end, committed_offset)
            if further <= end:
                return end
            end = further

    def _next_offset(self, first_offsets: Sequence[int], offset: int, committed_offset: int) -> int:
        """Return the end of the last segment that begins at or below `offset`."""
        last = first_offsets[bisect.bisect_right(first_offsets, offset) - 1]
        return self._header(last, committed_offset).next_offset

    def put(
        self,
        *,
        first_offset: int,
        next_offset: int,
        frames: Sequence[FrameDetections],
        dead_letters: Sequence[DeadLetter],
        image_paths: Mapping[int, str | None],
    ) -> PutResult:
        """Put the segment of `[first_offset, next_offset)`, or adopt the one that another worker put there.

        A segment is only adopted if it belongs here, is complete and has every message that this worker
        holds. It then counts as if this worker had put it.

        Args:
            first_offset: End of the chain so far.
            next_offset: Offset of the last message + 1.
            frames: One per message with detections.
            dead_letters: One per other message.
            image_paths: The path of every message by its offset, None if it could not be parsed.

        Raises:
            ChainBroken: The existing object cannot be adopted.
        """
        data = encode_segment(
            model=self.model,
            log_id=self.log_id,
            topic=self.topic,
            partition=self.partition,
            first_offset=first_offset,
            next_offset=next_offset,
            frames=frames,
            dead_letters=dead_letters,
        )
        failpoints.passing("chain.encoded")
        if self.store.put(self._key(first_offset), data, if_absent=True):
            failpoints.passing("chain.put")
            return PutResult(next_offset, adopted=False)
        failpoints.passing("chain.race-lost")
        adopted_to = self._adopt(first_offset, image_paths)
        failpoints.passing("chain.adopted")
        return PutResult(adopted_to, adopted=True)

    def _adopt(self, first_offset: int, image_paths: Mapping[int, str | None]) -> int:
        key = self._key(first_offset)
        try:
            segment = self._read(key)
            check_belongs(segment.header, key)
            paths = {frame.image_path for frame in segment.frames()}
            dead_offsets = {letter.offset for letter in segment.dead_letters()}
        except (Poison, Misconfigured, CutShort) as error:
            raise self._broken(error, _DETECTED_ANEW) from error
        next_offset = segment.header.next_offset
        for offset, image_path in image_paths.items():
            if offset < next_offset and image_path not in paths and offset not in dead_offsets:
                reason = (
                    f"segment {key} ends at {next_offset} but has no entry for offset {offset} ({image_path})"
                )
                raise self._broken(reason, _DETECTED_ANEW)
        return next_offset

    def _read(self, key: str) -> Segment:
        """Return the segment; if it arrives truncated, read it again before giving up."""
        for _ in range(_READS_OF_A_SHORT_SEGMENT - 1):
            with contextlib.suppress(CutShort):
                return read_segment(self.store, key)
        return read_segment(self.store, key)

    def _header(self, first_offset: int, committed_offset: int) -> SegmentHeader:
        key = self._key(first_offset)
        try:
            header, _ = read_header(self.store, key)
            check_belongs(header, key)
        except (Poison, Misconfigured) as error:
            raise self._broken(
                error, _DETECTED_ANEW if first_offset >= committed_offset else _RESTORE
            ) from error
        return header

    def _broken(self, reason: object, remedy: str) -> ChainBroken:
        return ChainBroken(f"partition {self.partition} of {self.topic} stops: {reason}; {remedy}")
