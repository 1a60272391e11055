"""Records of corrections: tombstones, changes under way, settled dead letters."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from frametally import keys
from frametally.records import MediaManifest, SealedRecord, TimeSource


class Tombstone(SealedRecord, frozen=True, kw_only=True):
    """Frames that no longer count, in whatever segment, and whenever they are detected.

    Lies at `tombstones/<sha256>/<revision>.json`; with a range, its bounds are part of the name.

    Attributes:
        media: `keys.media_id` of the medium; its frames carry it.
        from_ms: Event time of the first frames to forget; None means no limit.
        to_ms: Event time of the end of the range, exclusive; None means no limit.
        first_captured_at_ms: Event time of the first frame that can be meant; None if unknown.
        last_captured_at_ms: Event time of the last frame that can be meant; None if unknown.
        start_ms: `MediaManifest.start_ms` of that revision; None for pictures.
    """

    media: str
    source: str
    name: str
    start_ms: int | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    first_captured_at_ms: int | None = None
    last_captured_at_ms: int | None = None
    why: Literal["forget", "retime", "rename-source"]

    @property
    def key(self) -> str:  # noqa: D102
        return keys.tombstone_key(self.media, self.from_ms, self.to_ms)


class Correction(SealedRecord, frozen=True, kw_only=True):
    """A medium that is being put right (`corrections/<media>.json`), there until all of it is done.

    Attributes:
        images: Names (the last part of their keys) of the stored pictures to take along.
        source: Slug of the source that they go to.
        shift_ms: Added to every `captured_at_ms`.
        delete_images: Whether the pictures under their old keys are removed in the end.
        moves: If only some of a day's pictures move: what is added to the `captured_at_ms` of each, by its
            name in `images`; unset if all move by `shift_ms`.
    """

    why: Literal["retime", "rename-source"]
    manifest: MediaManifest
    images: list[str]
    source: str
    source_name: str
    shift_ms: int
    time_source: TimeSource
    delete_images: bool
    moves: dict[str, int] | msgspec.UnsetType = msgspec.UNSET

    remedy: ClassVar[str] = "restore it from a backup, or delete it and run the same command again"

    @property
    def key(self) -> str:  # noqa: D102
        return keys.correction_key(keys.media_id(self.manifest.sha256, self.manifest.revision))


class FootageChange(SealedRecord, frozen=True, kw_only=True):
    """A change of footage that a person asked for (`changes/<id>.json`), there until all of it is done.

    Attributes:
        id: 12 hex.
        target: The source, footage or dead letters that it changes, in words.
        media: Manifests of the media, in the order in which they are changed; without names of frames.
        from_ms: Event time of the first frames to forget; None means no limit.
        to_ms: Event time of the end of the range, exclusive; None means no limit.
        shifts_ms: Added to every `captured_at_ms`, for each of `media`; empty if times stay.
        source: Slug of the source that they go to; empty if they stay where they are.
        source_name: How that is written.
        delete_images: Whether pictures that are no longer needed are removed in the end.
        moves: For each of `media`, `Correction.moves`; unset if whole media move.
        of_source: Slug of the source, if all its footage in the range is forgotten; else empty.
    """

    what: Literal["forget", "retime", "rename-source"]
    id: str
    target: str
    media: list[MediaManifest]
    from_ms: int | None = None
    to_ms: int | None = None
    shifts_ms: list[int] = msgspec.field(default_factory=list)
    source: str = ""
    source_name: str = ""
    delete_images: bool = False
    moves: list[dict[str, int]] | msgspec.UnsetType = msgspec.UNSET
    of_source: str = ""

    remedy: ClassVar[str] = "restore it from a backup, or delete it and make the same change again"

    @property
    def key(self) -> str:  # noqa: D102
        return f"{keys.CHANGES}/{self.id}.json"


class DroppedDeadLetter(SealedRecord, frozen=True, kw_only=True):
    """A dead letter that a person settled (`dead-letters/dropped/<id>.json`): it needs no further work."""

    segment: str
    offset: int

    remedy: ClassVar[str] = "delete it, and run `frametally dead-letters drop` on the letter again"

    @property
    def key(self) -> str:  # noqa: D102
        return keys.dropped_key(keys.dead_letter_id(self.segment, self.offset))
