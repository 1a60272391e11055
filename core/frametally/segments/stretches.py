"""Represents the segments that a reader knows as a few stretches of consecutive segments.

A partition's segments are one chain, so the first and last key of a stretch can describe a million of them. A
segment in no stretch is new: it is before the first, after the last, or fills a gap.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from frametally import keys
from frametally.ports.object_store import KeyRanges, ObjectInfo, ObjectStore
from frametally.rules.times import DAY_MS

MOST_LISTED = 20_000
"""Up to this many segments, all are listed each time."""


class SegmentStretch(NamedTuple):
    """One or more segments of one partition, each beginning where the previous one ends."""

    first_key: str
    last_key: str
    first_offset: int
    next_offset: int
    frames: int = 0
    dead_letters: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether it has a line for every message."""
        return self.next_offset - self.first_offset == self.frames + self.dead_letters


class Stretches:
    """The stretches of all partitions; a partition is the part of a segment's key before its offset."""

    def __init__(self, stretches: Iterable[SegmentStretch] = ()) -> None:
        """Start with stretches that do not touch, in any order."""
        self._stretches: defaultdict[str, list[SegmentStretch]] = defaultdict(list)
        for stretch in sorted(stretches):
            self._stretches[partition_of(stretch.first_key)].append(stretch)

    def __iter__(self) -> Iterator[SegmentStretch]:
        return (stretch for partition in sorted(self._stretches) for stretch in self._stretches[partition])

    def keys(self) -> KeyRanges:
        """Return the key ranges of the segments."""
        return KeyRanges(sorted((stretch.first_key, stretch.last_key) for stretch in self))

    def add(self, segment: SegmentStretch) -> bool:
        """Add a segment; return False, and add nothing, if a later one is already there.

        Segments with losses stay separate, so that each is named.
        """
        first_key, last_key, first_offset, next_offset, frames, dead_letters = segment
        stretches = self._stretches[partition_of(first_key)]
        if stretches:
            last = stretches[-1]
            if first_key <= last.last_key:
                return False
            if first_offset == last.next_offset and segment.is_whole and last.is_whole:
                offsets = last.first_offset, next_offset
                figures = last.frames + frames, last.dead_letters + dead_letters
                stretches[-1] = SegmentStretch(last.first_key, last_key, *offsets, *figures)
                return True
        stretches.append(segment)
        return True

    def remove(self, segment: SegmentStretch) -> bool:
        """Remove the first segment of a stretch; return False if no stretch begins with this segment."""
        stretches = self._stretches[partition := partition_of(segment.first_key)]
        number = bisect_left(stretches, segment.first_key, key=lambda stretch: stretch.first_key)
        if number == len(stretches) or stretches[number].first_key != segment.first_key:
            return False
        stretch = stretches[number]
        rest = stretch._replace(
            first_key=f"{partition}-{segment.next_offset:020d}.jsonl",
            first_offset=segment.next_offset,
            frames=stretch.frames - segment.frames,
            dead_letters=stretch.dead_letters - segment.dead_letters,
        )
        stretches[number : number + 1] = [rest] if segment.last_key != stretch.last_key else []
        return True

    def replace(self, partition: str, segments: Iterable[SegmentStretch]) -> None:
        """Replace the segments of a partition with these."""
        self._stretches.pop(partition, None)
        for segment in sorted(segments):
            self.add(segment)


def partition_of(key: str) -> str:
    """Return the common part of the keys of a partition's segments."""
    return key.rpartition("-")[0]


def lists_all(segments: int, listed_at_ms: int, now_ms: int) -> bool:
    """Return whether to list all segments, not only new ones, given the time of the last full list.

    Many segments are listed in full once a day, to find those that a person or the store's retention has
    removed or put again.
    """
    return not are_many(segments) or not 0 <= now_ms - listed_at_ms < DAY_MS


def are_many(segments: int) -> bool:
    """Return whether there are too many segments to list all each time."""
    return segments > MOST_LISTED


def list_new_segments(store: ObjectStore, stretches: Stretches) -> Iterator[ObjectInfo]:
    """List the segments that are in no stretch, sorted by key."""
    infos = store.list_unless(keys.METADATA, stretches.keys())
    return (info for info in infos if keys.SEGMENT_KEY.fullmatch(info.key))
