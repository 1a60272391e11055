"""Keeps a medium's manifest while its frames are announced: reads known frames and notes new ones."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from frametally import keys
from frametally.errors import Poison
from frametally.media.manifests import change_manifest, find_manifest, next_revision, weaker
from frametally.media.overlapping import runs_of
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.process.retrying import Patience
from frametally.records import FrameAnnouncement, MediaManifest
from frametally.rules.frame_bitmap import FrameBitmap
from frametally.rules.overlaps import Span, joined_runs
from frametally_producer.reading.sampling import ALL, denser

NOTE_EVERY_S = 3.0
"""Seconds between two writes of a manifest; after a crash, frames of this time are announced again."""


def picture_name(image_path: str) -> str:
    """Return a picture's name in its manifest, `<captured_at_ms>-<hex>`, from its image key."""
    return image_path.rpartition("/")[2].removesuffix("-0.jpg")


class Forgotten(Poison):
    """The medium was forgotten or corrected while it was produced."""


def load_manifest(store: ObjectStore, sha256: str, patience: Patience) -> MediaManifest | None:
    """Return the medium's manifest, or None if the store has none. Raises `Poison`, `GivenUp`."""
    try:
        return patience.until_done("the object store", lambda: find_manifest(store, sha256))
    except Poison as error:
        raise Poison(
            f"its manifest {keys.media_key(sha256)} is damaged ({error}); delete that manifest to produce "
            "the footage again"
        ) from error


def new_manifest(store: ObjectStore, patience: Patience, *, sha256: str, **fields: Any) -> MediaManifest:
    """Return a new manifest for a medium that has none, with the given fields. Raises `GivenUp`."""
    return MediaManifest(
        sha256=sha256,
        frames_expected=0,
        frames_put=0,
        frames_announced=0,
        state="producing",
        revision=patience.until_done("the object store", lambda: next_revision(store, sha256)),
        **fields,
    )


class ManifestKeeper:
    """Notes announced frames in a medium's manifest, every few seconds.

    Several producers may keep one medium's manifest. Each adds to the frames that the others noted, so none
    is lost, and learns which frames the others have announced.

    Attributes:
        samplings: The samplings whose frames this producer announces; after the first write, also those of
            other active producers.
        live: How a camera's minute was captured, to be written with the rest.
    """

    def __init__(
        self,
        store: ObjectStore,
        manifest: MediaManifest,
        patience: Patience,
        *,
        samplings: Iterable[str] = (ALL,),
        is_stored: bool,
    ) -> None:
        """Start with a new or loaded (`is_stored`) manifest, and write nothing yet."""
        self.manifest = manifest
        self.samplings = set(samplings)
        self.frames = FrameBitmap(manifest.announced_frames)
        self.pictures = set(manifest.announced_pictures)
        self.live = manifest.live
        self._store = store
        self._patience = patience
        self._screened = set(manifest.screened or ())
        self._runs = runs_of(manifest)
        self._written_at_s = float("-inf")
        self._is_stored = is_stored

    @property
    def is_new(self) -> bool:
        """Whether the store has no record of the medium, not even that it was forgotten."""
        return not self._is_stored and self.manifest.revision == 0

    def note(self, announcements: Sequence[FrameAnnouncement]) -> None:
        """Add announced frames, for the next write."""
        for announcement in announcements:
            if self.manifest.kind == "video":
                self.frames.add(announcement.frame_index)
            else:
                self.pictures.add(picture_name(announcement.image_path))
            if announcement.screened is not UNSET:
                self._screened.add(announcement.screened)
        self._widen((a.captured_at_ms, a.captured_at_ms) for a in announcements)

    def add_frames(self, frames: Mapping[int, int]) -> None:
        """Add announced frames of a video, event times by decode index, for the next write."""
        for frame_index in frames:
            self.frames.add(frame_index)
        self._widen((at_ms, at_ms) for at_ms in frames.values())

    def write(self, *, expected: int | None = None) -> None:
        """Add the known frames to the stored manifest now.

        `expected` is about how many frames the medium will have, or None once all have been announced. Raises
        `Forgotten` if the medium was forgotten or corrected since it was loaded, `Misconfigured` if the store
        cannot be written, and `GivenUp` if it is unavailable when a stop is requested.
        """
        sha256 = self.manifest.sha256
        manifest = self._patience.until_done(
            "the object store",
            lambda: change_manifest(self._store, sha256, lambda stored: self._merged(stored, expected)),
        )
        self.manifest = manifest or self.manifest
        failpoints.passing("producer.manifest")
        self._is_stored = True
        self._written_at_s = time.monotonic()

    def write_if_due(self, *, expected: int) -> None:
        """Write the manifest if the last write was some seconds ago. Raises as `write`."""
        if time.monotonic() - self._written_at_s >= NOTE_EVERY_S:
            self.write(expected=expected)

    def _merged(self, stored: MediaManifest | None, expected: int | None) -> MediaManifest:
        """Return the manifest to write, given the stored one; called again if the write fails."""
        if stored is None:
            if self._is_stored:
                raise Forgotten("was forgotten while it was being produced; produce it again if you want it")
            merged, complete = self.manifest, expected is None
        else:
            if stored.revision != self.manifest.revision:
                raise Forgotten("was corrected while it was being produced; produce it again to finish it")
            self.frames.update(stored.announced_frames)
            self.pictures.update(stored.announced_pictures)
            self._screened.update(stored.screened or ())
            self._widen(runs_of(stored))
            # The first producer that wrote the medium decided its name, source and time.
            merged = msgspec.structs.replace(
                stored,
                sampling=denser(stored.sampling, self.manifest.sampling),
                time_source=weaker(stored.time_source, self.manifest.time_source)
                if stored.kind == "pictures"
                else stored.time_source,
            )
            complete = self._is_complete(stored, merged, done=expected is None)
        announced = len(self.frames) + len(self.pictures)
        of_others = stored.frames_expected if stored is not None and stored.state == "producing" else 0
        return msgspec.structs.replace(
            merged,
            first_captured_at_ms=self._runs[0][0] if self._runs else None,
            last_captured_at_ms=self._runs[-1][1] if self._runs else None,
            frames_expected=announced if complete else max(expected or 0, of_others, announced),
            frames_put=announced,
            frames_announced=announced,
            state="complete" if complete else "producing",
            announced_frames=bytes(self.frames),
            announced_pictures=sorted(self.pictures),
            runs=self._runs if merged.kind == "video" else [],
            live=self.live,
            screened=sorted(self._screened) or UNSET,
        )

    def _is_complete(self, stored: MediaManifest, merged: MediaManifest, *, done: bool) -> bool:
        """Return whether all samplings requested so far are announced once this producer is `done`."""
        if stored.kind == "pictures":
            return done
        if stored.state == "complete":
            return merged.sampling == stored.sampling
        if not self._is_stored:
            self.samplings.add(stored.sampling)  # another producer may die, so this one does its work too
        return done and merged.sampling in self.samplings

    def _widen(self, runs: Iterable[Span]) -> None:
        self._runs = joined_runs([*self._runs, *runs])
