"""The ledger port: a cache of the object store's contents, so that only new objects take time to read.

It holds no data that the store lacks: `refresh` fills a lost or deleted ledger again from the store. All
figures are distinct frames, by the rules of `once` and `tombstones`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple, Protocol

from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress
from frametally.records import MediaManifest, Run
from frametally.undo_records import Tombstone

MOST_PUTS = 2000
"""Most segments that `Ledger.recent_puts` returns: a thousand cameras put about 600 a minute."""


class Refreshed(NamedTuple):
    """The result of a refresh: how many objects are new or changed, and how many were removed."""

    taken: int
    gone: int


class FrameTally(NamedTuple):
    """Distinct frames of one source and one medium (its name in frames) in one model's segments.

    Attributes:
        source: Slug of the source.
        media: The medium's name in the frames; empty if a dead letter does not name it.
        detected: Frames with detections.
        dead_lettered: Frames that have only dead letters.
    """

    source: str
    media: str
    detected: int
    dead_lettered: int


class ChainLink(NamedTuple):
    """The place of a segment, or of several that follow each other without a gap, in their partition.

    `key` is that of the first segment.
    """

    key: str
    log_id: str
    topic: str
    partition: int
    first_offset: int
    next_offset: int
    frames: int
    dead_letters: int


class SegmentPart(NamedTuple):
    """The lines of one source in a segment: bytes `first_byte` to `next_byte` of the object.

    `first_ms` and `last_ms` are their first and last captured_at_ms, `crc32` their checksum.
    """

    key: str
    first_byte: int
    next_byte: int
    first_ms: int
    last_ms: int
    crc32: int


class CountedHour(NamedTuple):
    """A UTC hour of a source in the segments that it is counted from; `hour` is since 1970.

    Attributes:
        digest: Digest of the source's lines in these segments, whatever their order.
        is_own: Whether some of the segments have frames within the hour, not only near it.
    """

    model: str
    source: str
    hour: int
    digest: tuple[int, int]
    is_own: bool


class SegmentOfHour(NamedTuple):
    """A segment with frames of a source's UTC hour, or, unless `is_own`, within a minute of it.

    The `digest` of an hour is the sum of its segments' digests.
    """

    source: str
    hour: int
    key: str
    size_bytes: int
    version: str
    is_own: bool
    digest: tuple[int, int]


class CountedRun(NamedTuple):
    """A day's current run, and the frames that it covers by source."""

    run: Run
    frames: dict[str, int]


class DeadFrame(NamedTuple):
    """A dead letter that is still open: no person dropped it, and its frame has not been detected since.

    `source` and `media` are empty if the message does not name them. `segment` is the key of the segment with
    it, `put_at_ms` when that was put (0 if unknown), and `offset` that of its message.
    """

    source: str
    media: str
    captured_at_ms: int | None
    cause: str
    segment: str
    offset: int
    put_at_ms: int = 0


class Extent(NamedTuple):
    """How much of a medium is in the segments: distinct frames (of the model with most), and UTC days."""

    frames: int
    days: int


class Ledger(Protocol):
    """The interface of every ledger adapter.

    All methods may raise `Retryable` (it is unavailable); those about segments may also raise `Damaged`.
    """

    url: str

    def refresh(self, store: ObjectStore, progress: Progress) -> Refreshed:
        """Read new and changed objects of the store, and forget removed ones.

        Repeating it changes nothing, and two processes may do it at once.

        Raises:
            Retryable: The store or the ledger is unavailable; what was read stays.
        """

    def refresh_headers(self, store: ObjectStore, progress: Progress, *, list_all: bool = False) -> None:
        """Read only the headers of new and changed segments, and forget removed ones.

        The next `refresh` reads their lines. If there are many segments, only new ones are listed unless
        `list_all` is set. Raises as `refresh`.
        """

    def clear(self) -> None:
        """Forget everything; the next refresh reads the whole store."""

    def counted_hours(self, *, with_margin: bool, without: Collection[str] = ()) -> Iterator[CountedHour]:
        """Yield the hours of segments by model, source and hour.

        Args:
            with_margin: Whether frames near an hour count towards it too, as for tracking.
            without: Keys of segments to leave out.
        """

    def segments_of_hours(
        self, model: str, sources: Collection[str], *, from_hour: int, to_hour: int
    ) -> list[SegmentOfHour]:
        """Return the segments of the hours `[from_hour, to_hour)` of sources, by source, hour and key."""

    def check_segments(self) -> None:
        """Compare the hours of all segments with their digests. Raises `Damaged`."""

    def hours_of_segments(self, segment_keys: Collection[str]) -> list[tuple[str, str, int]]:
        """Return `(key, model, hour)` for each hour that these segments count towards."""

    def unreadable_segments(self) -> list[tuple[str, str]]:
        """Return the keys of the segments with unreadable headers, and the reasons, by key."""

    def damaged_segments(self, model: str) -> list[str]:
        """Return the keys of a model's segments that cannot be read or used, sorted."""

    def segments_with_dead_letters(self) -> list[str]:
        """Return the keys of segments with dead letters, sorted."""

    def manifests(self) -> list[MediaManifest]:
        """Return every manifest, sorted by source, without `announced_frames` and `announced_pictures`."""

    def tombstones(self) -> list[Tombstone]:
        """Return every tombstone, by key."""

    def runs(self) -> list[CountedRun]:
        """Return the current runs, by model, interval and day; unreadable ones are in `problems`."""

    def models(self) -> list[str]:
        """Return the models that have segments, the one with the newest segment first."""

    def tallies(self, model: str) -> list[FrameTally]:
        """Count the model's distinct frames in segments, by source and medium, also forgotten ones."""

    def tally_between(
        self, model: str, source: str, media: str, *, from_ms: int | None, to_ms: int | None
    ) -> tuple[int, int]:
        """Return a tally's frames `(detected, dead_lettered)` with event times in `[from_ms, to_ms)`."""

    def extent(self, media: str, *, from_ms: int | None, to_ms: int | None) -> Extent:
        """Return how much of a medium was detected in `[from_ms, to_ms)`, by any model."""

    def chain(self, model: str, without: Collection[str] = ()) -> list[ChainLink]:
        """Return the model's segments as links, by log, topic, partition and first offset.

        There are as few links as possible; `without` has the keys of segments to leave out.
        """

    def recent_puts(self, model: str, span_ms: int) -> list[tuple[int, int]]:
        """Return `(put_at_ms, messages)` of the segments put in the last `span_ms` before the newest one.

        Sorted by time, in ms since 1970; the newest `MOST_PUTS` whose time the store knows.
        """

    def newest_frames(self, model: str) -> dict[str, int]:
        """Return the latest captured_at_ms of each source in the model's segments."""

    def dead_frames(self, model: str) -> list[DeadFrame]:
        """Return the model's open dead letters."""

    def parts(self, model: str, source: str, *, from_ms: int, to_ms: int) -> list[SegmentPart]:
        """Return where in the segments the source's lines of `[from_ms, to_ms)` can be, by key."""

    def problems(self, model: str | None) -> list[str]:
        """Return what cannot be read in the store, a line each; for segments and runs, only the model's."""

    def close(self) -> None:
        """Release connections."""
