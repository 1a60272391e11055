"""The ledger port: the contents of the object store, cached, so that only new objects take time.

Nothing in it is of its own: `refresh` reads what is new in the store, and a ledger that is lost or deleted is
filled again from the store alone. All figures are distinct frames, by the rules of `once` and `tombstones`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple, Protocol

from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress
from frametally.records import MediaManifest, Run
from frametally.undo_records import Tombstone

MOST_PUTS = 2000
"""Segments of which `Ledger.recent_puts` tells at most: a thousand cameras put about 600 a minute."""


class Refreshed(NamedTuple):
    """The result of a refresh: new, changed and removed objects."""

    taken: int
    gone: int


class FrameTally(NamedTuple):
    """Distinct frames of one source and one medium (its name in frames) in one model's segments.

    Attributes:
        source: Slug of the source.
        media: What the frames carry; empty where a dead letter does not tell.
        detected: Frames with detections.
        dead_lettered: Frames that have only dead letters.
    """

    source: str
    media: str
    detected: int
    dead_lettered: int


class ChainLink(NamedTuple):
    """The place of segments in their partition: one, or several that follow each other without a gap.

    `key` is the first's.
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
    """Where the lines of one source lie in a segment: bytes `first_byte` to `next_byte` of the object.

    `first_ms` and `last_ms` are the first and the last captured_at_ms in them, `crc32` their checksum if the
    segment has one.
    """

    key: str
    first_byte: int
    next_byte: int
    first_ms: int
    last_ms: int
    crc32: int | None = None


class CountedHour(NamedTuple):
    """A UTC hour of a source that is counted of segments, `hour` since 1970.

    Attributes:
        digest: Of the lines of its source in its segments, 32 hex digits, whatever their order.
        is_own: Whether some of the segments have frames of the hour itself, and not only near it.
        has_checksums: Whether all of its segments say the checksum of these lines.
    """

    model: str
    source: str
    hour: int
    digest: str
    is_own: bool
    has_checksums: bool


class SegmentOfHour(NamedTuple):
    """A segment with frames of a source's UTC hour, or, if it is not its own, within a minute of it."""

    source: str
    hour: int
    key: str
    size_bytes: int
    version: str
    is_own: bool


class CountedRun(NamedTuple):
    """A day's current run, and the frames that it covers by source."""

    run: Run
    frames: dict[str, int]


class DeadFrame(NamedTuple):
    """A dead letter that is still open: not dropped by a person, its frame not detected since.

    `source` and `media` are empty where the message does not tell them; `segment` is the key of the one that
    holds it, which was put at `put_at_ms` (0: unknown), and `offset` its message's.
    """

    source: str
    media: str
    captured_at_ms: int | None
    cause: str
    segment: str
    offset: int
    put_at_ms: int = 0


class Extent(NamedTuple):
    """How much of a medium is in the segments: distinct frames (of any one model, the most), UTC days."""

    frames: int
    days: int


class Ledger(Protocol):
    """The interface of every ledger adapter. All methods may raise `Retryable` (it is unavailable)."""

    url: str

    def refresh(self, store: ObjectStore, progress: Progress) -> Refreshed:
        """Read new and changed objects of the store, and forget removed ones.

        Doing so again changes nothing; two processes may do so at once.

        Raises:
            Retryable: The store or the ledger is away; what was taken in stays.
        """

    def refresh_headers(self, store: ObjectStore, progress: Progress, *, list_all: bool = False) -> None:
        """Read the headers of new and changed segments alone, and forget removed ones.

        The next `refresh` reads their lines. Of many segments, only new ones are listed, unless `list_all`
        asks for more. Raises as `refresh`.
        """

    def clear(self) -> None:
        """Forget everything; the next refresh reads the whole store."""

    def counted_hours(self, *, with_margin: bool, without: Collection[str] = ()) -> Iterator[CountedHour]:
        """Yield the hours of segments by model, source and hour.

        Args:
            with_margin: Whether an hour is counted of what is near it, too, as objects are tracked.
            without: Keys of segments that are left out.
        """

    def segments_of_hours(
        self, model: str, sources: Collection[str], *, from_hour: int, to_hour: int
    ) -> list[SegmentOfHour]:
        """Return the segments of the hours `[from_hour, to_hour)` of sources, by source, hour and key."""

    def hours_of_segments(self, segment_keys: Collection[str]) -> list[tuple[str, str, int]]:
        """Return `(key, model, hour)` of each hour that these segments are counted in."""

    def unreadable_segments(self) -> list[tuple[str, str]]:
        """Return the segments whose headers cannot be read, by key, and why."""

    def segments_with_dead_letters(self) -> list[str]:
        """Return the keys of segments that have some, sorted."""

    def manifests(self) -> list[MediaManifest]:
        """Return every manifest, sorted by source, without `announced_frames` and `announced_pictures`."""

    def tombstones(self) -> list[Tombstone]:
        """Return every tombstone, by key."""

    def runs(self) -> list[CountedRun]:
        """Return the current runs, by model, interval and day; those that cannot be read are problems."""

    def models(self) -> list[str]:
        """Return the models that have segments, that with the newest segment first."""

    def tallies(self, model: str) -> list[FrameTally]:
        """Count the distinct frames in the model's segments, by source and medium, forgotten ones too."""

    def tally_between(
        self, model: str, source: str, media: str, *, from_ms: int | None, to_ms: int | None
    ) -> tuple[int, int]:
        """Return a tally's frames `(detected, dead_lettered)` of event times `[from_ms, to_ms)`."""

    def extent(self, media: str, *, from_ms: int | None, to_ms: int | None) -> Extent:
        """Return how much of a medium was detected in `[from_ms, to_ms)`, whichever the model."""

    def chain(self, model: str, without: Collection[str] = ()) -> list[ChainLink]:
        """Return the model's segments, by log, topic, partition and first offset, as few links as can be.

        `without` has keys of segments that are left out.
        """

    def recent_puts(self, model: str, span_ms: int) -> list[tuple[int, int]]:
        """Return when segments were put in the last `span_ms` to the newest, in ms since 1970, and messages.

        Sorted, the newest `MOST_PUTS` alone; those of which the store does not say when are left out.
        """

    def newest_frames(self, model: str) -> dict[str, int]:
        """Return the latest captured_at_ms of each source in the model's segments."""

    def dead_frames(self, model: str) -> list[DeadFrame]:
        """Return the model's open dead letters."""

    def parts(self, model: str, source: str, *, from_ms: int, to_ms: int) -> list[SegmentPart]:
        """Return where lines of the source of `[from_ms, to_ms)` can be in the segments, by key."""

    def problems(self, model: str | None) -> list[str]:
        """Return what of the store cannot be read, a line each; of segments and runs, the model's only."""

    def close(self) -> None:
        """Release connections."""
