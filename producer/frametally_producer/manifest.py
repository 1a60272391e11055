"""A medium's manifest while its frames are announced: what is known already, and noting what is new."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable

import msgspec

from frametally import failpoints, keys
from frametally.errors import Poison
from frametally.object_store import ObjectMissing, ObjectStore
from frametally.records import FrameAnnouncement, MediaManifest, TimeSource, decode, encode

NOTE_EVERY_S = 3.0
"""Seconds between two notes in a manifest: what a crash may make the next call announce again."""

# From the strongest to the weakest.
_TIME_SOURCES: tuple[TimeSource, ...] = ("start_time", "exif", "container", "file_name", "file_time")


def weaker(one: TimeSource, other: TimeSource) -> TimeSource:
    """Of two sources of time, the one to trust less."""
    return max(one, other, key=_TIME_SOURCES.index)


def pictures_identity(source: str, day: str) -> str:
    """Identity of one source's pictures of one UTC day: SHA-256, hex."""
    return hashlib.sha256(f"pictures/{source}/{day}".encode()).hexdigest()


def picture_name(image_path: str) -> str:
    """A picture's name in its manifest, `<captured_at_ms>-<12 hex>`, from its image key."""
    return image_path.rpartition("/")[2].removesuffix("-0.jpg")


def load_manifest(store: ObjectStore, sha256: str) -> MediaManifest | None:
    """The medium's manifest, or None if the store has none.

    Raises:
        Poison: It does not parse.
    """
    key = keys.media_key(sha256)
    try:
        return decode(store.get(key), MediaManifest)
    except ObjectMissing:
        return None
    except Poison as error:
        raise Poison(
            f"its manifest {key} is damaged ({error}); remove that object to produce it anew"
        ) from error


class FrameBitmap:
    """A set of decode indices: bit `i % 8` of byte `i // 8`."""

    def __init__(self, bitmap: bytes) -> None:
        """The set that `bitmap` holds."""
        self._bitmap = bytearray(bitmap)
        self._count = int.from_bytes(bitmap).bit_count()

    def __contains__(self, frame_index: int) -> bool:
        """Whether `frame_index` is in the set."""
        at = frame_index // 8
        return at < len(self._bitmap) and bool(self._bitmap[at] >> frame_index % 8 & 1)

    def __len__(self) -> int:
        """How many indices are in the set."""
        return self._count

    def __bytes__(self) -> bytes:
        """The bitmap."""
        return bytes(self._bitmap)

    def add(self, frame_index: int) -> None:
        """Put `frame_index` into the set."""
        if frame_index not in self:
            at = frame_index // 8
            self._bitmap.extend(bytes(max(0, at + 1 - len(self._bitmap))))
            self._bitmap[at] |= 1 << frame_index % 8
            self._count += 1


class ManifestKeeper:
    """Notes in a medium's manifest what has been announced, every few seconds.

    One producer at a time should keep a manifest: of two, the last to write would win, and frames that the
    other noted would be announced again, by the next call that meets them.

    Attributes:
        manifest: The manifest as it was loaded, or last written.
        frames: Decode indices of a video that have been announced.
        pictures: Names of pictures that have been announced.
    """

    def __init__(self, store: ObjectStore, manifest: MediaManifest) -> None:
        """Go on from `manifest`; nothing is written yet."""
        self.manifest = manifest
        self.frames = FrameBitmap(manifest.announced_frames)
        self.pictures = set(manifest.announced_pictures)
        self._store = store
        self._first_ms = manifest.first_captured_at_ms
        self._last_ms = manifest.last_captured_at_ms
        self._written_at_s = float("-inf")

    def note(self, announcements: Iterable[FrameAnnouncement]) -> None:
        """Remember that these have been announced, until the next write."""
        for announcement in announcements:
            if self.manifest.kind == "video":
                self.frames.add(announcement.frame_index)
            else:
                self.pictures.add(picture_name(announcement.image_path))
            at_ms = announcement.captured_at_ms
            self._first_ms = at_ms if self._first_ms is None else min(self._first_ms, at_ms)
            self._last_ms = at_ms if self._last_ms is None else max(self._last_ms, at_ms)

    def write(self, *, expected: int | None = None) -> None:
        """Write the manifest now.

        Args:
            expected: About how many frames the medium will have; None once all of it has been announced.
        """
        announced = len(self.frames) + len(self.pictures)
        self.manifest = msgspec.structs.replace(
            self.manifest,
            first_captured_at_ms=self._first_ms,
            last_captured_at_ms=self._last_ms,
            frames_expected=announced if expected is None else max(expected, announced),
            frames_put=announced,
            frames_announced=announced,
            state="complete" if expected is None else "producing",
            announced_frames=bytes(self.frames),
            announced_pictures=sorted(self.pictures),
        )
        self._store.put(keys.media_key(self.manifest.sha256), encode(self.manifest))
        failpoints.passing("producer.manifest")
        self._written_at_s = time.monotonic()

    def write_if_due(self, *, expected: int) -> None:
        """Write the manifest if the last write is some seconds ago."""
        if time.monotonic() - self._written_at_s >= NOTE_EVERY_S:
            self.write(expected=expected)
