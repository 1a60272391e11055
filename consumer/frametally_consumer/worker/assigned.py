"""A partition while it is assigned: its read and waiting messages, and the end of its chain."""

from __future__ import annotations

import time
from typing import NamedTuple

from frametally.records import DeadLetter, FrameDetections
from frametally.segments.chain import ChainEnd, SegmentChain

Outcome = FrameDetections | DeadLetter
"""What became of one message."""

_MOST_BATCH_BYTES = 8 * 1024 * 1024
"""A batch is written when it takes that much memory, however few messages it has."""


def _weight_bytes(outcome: Outcome) -> int:
    """Return about how many bytes of memory an outcome takes."""
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
        """The frames of the messages that became detections."""
        return [outcome for outcome in self.outcomes.values() if isinstance(outcome, FrameDetections)]

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """The messages that were set aside."""
        return [outcome for outcome in self.outcomes.values() if isinstance(outcome, DeadLetter)]

    @property
    def held(self) -> dict[int, str | None]:
        """Every message's offset with its `image_path`, None where it could not be parsed."""
        return {offset: outcome.image_path for offset, outcome in self.outcomes.items()}


class AssignedPartition:
    """One partition in the hands of one worker; for use by the worker's main thread.

    Other threads only read `dropped`.

    Attributes:
        dropped: It was revoked or stopped: its unfinished work is worth nothing any more.
        place: End of the chain, and what limits the next segment; None while it is being looked up.
        read_to: Offset of the next message to take from the log.
        arrived_to: Everything from the end of the chain up to here is held, or lost by the log.
        seek_to: Offset to which the log has to seek, None if it is there.
        uncommitted: Offset to commit, None if it is.
    """

    def __init__(self, partition: int, chain: SegmentChain, *, log_begin: int) -> None:
        """Take up the partition; `start_at` has to follow.

        `log_begin` is the offset of the oldest message that the log still had at assignment.
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
        self._nothing_from: int | None = None  # from there to the limit the log has no message

    def start_at(self, place: ChainEnd) -> None:
        """Go on at the end of the chain; all that was held is dropped."""
        self.place = place
        self._held.clear()
        self._held_bytes = 0
        self._opened_at_s = self._nothing_from = None
        self.read_to = self.seek_to = max(place.next_offset, self._log_begin)
        self.arrived_to = place.next_offset
        if self.read_to > self.arrived_to:  # lost: the next segment covers it
            self._arrive(self.read_to if place.limit is None else min(self.read_to, place.limit))

    def take(self, offset: int) -> tuple[int, int] | None:
        """Take note of a polled message at this offset, which is wanted (ask `wants` first).

        Returns the offsets that the log has left out before it, first and next, if there are any.
        """
        lost = (self.read_to, offset) if offset > self.read_to else None
        self.read_to = offset + 1
        return lost

    def wants(self, offset: int) -> bool:
        """Return whether to take a message at this offset that was just polled."""
        if self.place is None or self.seek_to is not None or offset < self.read_to:
            return False  # where the log goes on is not where this partition does
        limit = self.place.limit
        if limit is None or offset < limit:
            return True
        if self.read_to < limit:  # the log goes on above: it has nothing more of what is missing
            self._nothing_from = self.read_to
            self.read_to = limit
            self._skip_to_limit()
        return False

    def add(self, offset: int, outcome: Outcome) -> None:
        """Hold the result of a message; results come in order. Messages in a stored segment are left out."""
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
        """How many messages are held, in the batch that is being written or behind it."""
        return len(self._held)

    @property
    def settled(self) -> bool:
        """Whether all that has arrived is in the chain and committed."""
        return (
            self.place is not None
            and self.arrived_to == self.place.next_offset
            and self.writing is None
            and self.uncommitted is None
            and not self.at_limit
        )

    def is_full(self, batch_frames: int) -> bool:
        """Return whether two batches wait, one perhaps on its way: no more is taken until one is written."""
        return len(self._held) >= 2 * batch_frames or self._held_bytes >= 2 * _MOST_BATCH_BYTES

    def next_batch(self, *, batch_frames: int, batch_s: float, everything: bool) -> Batch | None:
        """Return the batch that is full, old enough, at the limit, or `everything`; None if none is due."""
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
        """Drop the messages that the chain covers now that it ends at `next_offset`; later ones stay held."""
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
        """Whether the chain was completed up to a segment that was there: its end is further on."""
        return (
            self.place is not None
            and self.place.limit is not None
            and self.place.next_offset >= self.place.limit
        )
