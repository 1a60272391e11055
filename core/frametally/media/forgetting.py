"""Forgets media, or ranges of them.

Tombstones name forgotten footage, and every reader of segments honours them. Stored detections and counts are
not rewritten; the next `frametally aggregate` counts the affected days again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from frametally.errors import Misconfigured
from frametally.media.erasing import images_of
from frametally.media.manifests import delete_manifest, find_manifest, media_of
from frametally.packs.packed_store import delete_pictures
from frametally.ports.ledger import Extent, Ledger
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.process.reports import Progress
from frametally.records import MediaManifest, encode
from frametally.undo_records import Tombstone


class Target(NamedTuple):
    """The part of one medium to forget: event times `[from_ms, to_ms)`, both None for all of it.

    `extent` is how much of this part was detected.
    """

    manifest: MediaManifest
    from_ms: int | None
    to_ms: int | None
    extent: Extent = Extent(0, 0)

    @property
    def whole(self) -> bool:
        """Whether all of the medium is forgotten."""
        return self.from_ms is None and self.to_ms is None


def plan_forgetting(
    ledger: Ledger, manifests: Sequence[MediaManifest], *, from_ms: int | None, to_ms: int | None
) -> list[Target]:
    """Return the parts of these media in `[from_ms, to_ms)`; media completely within it are whole."""
    targets = []
    for target in targets_in(manifests, from_ms=from_ms, to_ms=to_ms):
        manifest, start, end, _ = target
        targets.append(target._replace(extent=ledger.extent(media_of(manifest), from_ms=start, to_ms=end)))
    return targets


def targets_in(manifests: Sequence[MediaManifest], *, from_ms: int | None, to_ms: int | None) -> list[Target]:
    """Return the same as `plan_forgetting`, without how much was detected."""
    targets = []
    for manifest in manifests:
        first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
        start, end = from_ms, to_ms
        if first_ms is not None and last_ms is not None and manifest.state == "complete":
            if (to_ms is not None and first_ms >= to_ms) or (from_ms is not None and last_ms < from_ms):
                continue
            if (from_ms is None or from_ms <= first_ms) and (to_ms is None or last_ms < to_ms):
                start = end = None
        targets.append(Target(manifest, start, end))
    return targets


def forget(store: ObjectStore, targets: Sequence[Target], *, delete_images: bool, progress: Progress) -> None:
    """Forget frames of media. If it is killed at any point, the same call finishes it.

    The order of effects:

    1. Put the tombstones. From here on, the frames no longer count anywhere.
    2. If asked, delete the stored pictures, including old ones from before `retime` and `rename-source`. The
       manifests, which are needed to find them, still exist.
    3. Delete the manifests of completely forgotten media. If these are produced again, they are new revisions
       with the source and time given then.
    """
    for target in targets:
        put_tombstone(store, target.manifest, from_ms=target.from_ms, to_ms=target.to_ms, why="forget")
        failpoints.passing("forget.tombstone")
    if delete_images:
        now = [(store_manifest(store, target.manifest), target.from_ms, target.to_ms) for target in targets]
        image_keys = images_of(store, now)
        for number, key in enumerate(delete_pictures(store, image_keys)):
            progress.update(number, len(image_keys), key)
            failpoints.passing("forget.picture")
    for number, target in enumerate(targets, 1):
        if target.whole:
            delete_manifest(store, target.manifest.sha256, revision=target.manifest.revision)
        progress.update(number, len(targets), target.manifest.name)


def put_tombstone(
    store: ObjectStore,
    manifest: MediaManifest,
    *,
    from_ms: int | None = None,
    to_ms: int | None = None,
    why: str,
) -> None:
    """Put the tombstone of a medium's revision, or of a range of it; repeating this changes nothing."""
    media = media_of(manifest)
    # For a medium that may still grow, or for a range, the affected days are unknown, so no limits are set.
    is_complete = manifest.state == "complete" and from_ms is None and to_ms is None
    stone = Tombstone(
        media=media,
        source=manifest.source,
        name=manifest.name,
        start_ms=manifest.start_ms,
        from_ms=from_ms,
        to_ms=to_ms,
        first_captured_at_ms=manifest.first_captured_at_ms if is_complete else None,
        last_captured_at_ms=manifest.last_captured_at_ms if is_complete else None,
        why=why,  # type: ignore[arg-type]
    )
    store.put(stone.key, encode(stone), if_absent=True)


def store_manifest(store: ObjectStore, manifest: MediaManifest) -> MediaManifest:
    """Return the manifest as it is in the store now. Raises `Misconfigured` if it no longer exists."""
    stored = find_manifest(store, manifest.sha256)
    if stored is None:
        raise Misconfigured(f"{manifest.name} has been forgotten in the meantime, so nothing was changed")
    return stored
