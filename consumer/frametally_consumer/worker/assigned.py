"""Tracks an assigned partition: its read and waiting messages, and the end of its chain."""

from __future__ import annotations

import time
from typing import NamedTuple

from frametally.records import DeadLetter, FrameDetections
from frametally.segments.chain import ChainEnd, SegmentChain

Outcome = FrameDetections | DeadLetter
"""The result of one message."""

_MOST_BATCH_BYTES = 8 * 1024 * 1024
"""A batch is written when it takes this much memory, however few messages it has."""


def _weight_bytes(outcome: Outcome) -> int:
    """Return the approximate memory of an outcome in bytes."""
    if isinstance(outcome, DeadLetter):
        return 500 + len(outcome.message)
    return 500 + 200 * len(outcome.detections)


class Batch(NamedTuple):
    """The content of one segment: every message of `[first_offset, next_offset)` that the log still had."""

    first_offset: int
    next_offset: int
    outcomes: dict[int, Outcome]

    @property
    def frames(self) -> list[FrameDetections]:
        """The detections of the messages that were analysed."""
        return [outcome for outcome in self.outcomes.values() if isinstance(outcome, FrameDetections)]

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """The dead letters of the other messages."""
        return [outcome for outcome in self.outcomes.values() if isinstance(outcome, DeadLetter)]

    @property
    def held(self) -> dict[int, str | None]:
        """The `image_path` of every message by offset, None if it could not be parsed."""
        return {offset: outcome.image_path for offset, outcome in self.outcomes.items()}


class AssignedPartition:
    """One partition assigned to one worker, for the worker's main thread.

    Other threads only read `dropped`.

    Attributes:
        dropped: Whether it was revoked or stopped, so that its unfinished work is useless.
        place: End of the chain, and the limit of the next segment; None during the look-up.
        read_to: Offset of the next message to take from the log.
        arrived_to: Offset up to which everything after the chain is held, or lost by the log.
        seek_to: Offset to which the log has to seek, or None.
        uncommitted: Offset to commit, or None.
    """

    def __init__(self, partition: int, chain: SegmentChain, *, log_begin: int) -> None:
        """Start with an assigned partition; call `start_at` next.

        `log_begin` is the offset of the log's oldest message at assignment.
        """
        self.partition = partition
        self.chain = chain
        self.dropped = False
        self.place: ChainEnd | None = None
        self.read_to = self.arrived_to = 0
        self.writing: Batch | None = None
        self.seek_to: int | None = None
        self.uncommitted: int | None = None
        self._log_begin = log_begin
        self._held: dict[int, Outcome] = {}
        self._held_bytes = 0
        self._opened_at_s: float | None = None
        self._nothing_from: int | None = None  # from this offset to the limit, the log has no messages

    def start_at(self, place: ChainEnd) -> None:
        """Continue at the end of the chain, and drop everything held."""
        self.place = place
        self._held.clear()
        self._held_bytes = 0
        self._opened_at_s = self._nothing_from = None
        self.read_to = self.seek_to = max(place.next_offset, self._log_begin)
        self.arrived_to = place.next_offset
        if self.read_to > self.arrived_to:  # lost; the next segment covers them
            self._arrive(self.read_to if place.limit is None else min(self.read_to, place.limit))

    def take(self, offset: int) -> tuple[int, int] | None:
        """Record a wanted polled message (call `wants` first).

        Returns the first and next offset of the messages that the log skipped before it, or None.
        """
        lost = (self.read_to, offset) if offset > self.read_to else None
        self.read_to = offset + 1
        return lost

    def wants(self, offset: int) -> bool:
        """Return whether to take the message just polled at this offset."""
        if self.place is None or self.seek_to is not None or offset < self.read_to:
            return False  # the log and this partition continue at different places
        limit = self.place.limit
        if limit is None or offset < limit:
            return True
        if self.read_to < limit:  # the log continues above and has no more of the missing messages
            self._nothing_from = self.read_to
            self.read_to = limit
            self._skip_to_limit()
        return False

    def add(self, offset: int, outcome: Outcome) -> None:
        """Hold the result of a message, in order, unless a stored segment has the message."""
        if offset >= self.arrived_to:
            self._held[offset] = outcome
            self._held_bytes += _weight_bytes(outcome)
            self._arrive(offset + 1)
            self._skip_to_limit()

    def _skip_to_limit(self) -> None:
        if self._nothing_from is not None and self.arrived_to >= self._nothing_from and self.place:
            self._nothing_from = None
            self._arrive(max(self.arrived_to, self.place.limit or 0))

    def _arrive(self, offset: int) -> None:
        if self._opened_at_s is None:
            self._opened_at_s = time.monotonic()
        self.arrived_to = offset

    @property
    def held_messages(self) -> int:
        """How many messages are held, in the batch being written or after it."""
        return len(self._held)

    @property
    def settled(self) -> bool:
        """Whether everything that has arrived is in the chain and committed."""
        return (
            self.place is not None
            and self.arrived_to == self.place.next_offset
            and self.writing is None
            and self.uncommitted is None
            and not self.at_limit
        )

    def is_full(self, batch_frames: int) -> bool:
        """Return whether two batches wait, so that no more is taken until one is written."""
        return len(self._held) >= 2 * batch_frames or self._held_bytes >= 2 * _MOST_BATCH_BYTES

    def next_batch(self, *, batch_frames: int, batch_s: float, everything: bool) -> Batch | None:
        """Return the batch that is full, old enough, at the limit or `everything`; None if none is due."""
        if self.place is None or self.writing is not None or self._opened_at_s is None:
            return None
        full = len(self._held) >= batch_frames or self._held_bytes >= _MOST_BATCH_BYTES
        old = time.monotonic() - self._opened_at_s >= batch_s
        if not (full or old or everything or self.arrived_to == self.place.limit):
            return None
        outcomes = dict(list(self._held.items())[:batch_frames])
        next_offset = self.arrived_to if len(outcomes) == len(self._held) else max(outcomes) + 1
        self.writing = Batch(self.place.next_offset, next_offset, outcomes)
        return self.writing

    def advance(self, next_offset: int) -> None:
        """Drop the messages that a chain ending at `next_offset` covers; keep later ones."""
        if self.place is None:
            raise ValueError("not started")
        self.place = self.place._replace(next_offset=next_offset)
        self.writing = None
        self.uncommitted = next_offset
        self._held = {offset: outcome for offset, outcome in self._held.items() if offset >= next_offset}
        self._held_bytes = sum(map(_weight_bytes, self._held.values()))
        self.arrived_to = max(self.arrived_to, next_offset)
        self._opened_at_s = time.monotonic() if self.arrived_to > next_offset else None
        self._skip_to_limit()
        if self.read_to < next_offset:
            self.read_to = self.seek_to = next_offset

    @property
    def at_limit(self) -> bool:
        """Whether the chain has reached an existing segment, so that its end is further on."""
        return (
            self.place is not None
            and self.place.limit is not None
            and self.place.next_offset >= self.place.limit
        )
