"""Bringing what was announced of a video before under the source and the time that its record says now."""

from __future__ import annotations

from frametally import keys
from frametally.media import corrections
from frametally.media.manifests import find_manifest
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process.reports import Progress
from frametally.records import MediaManifest, decode_at
from frametally.settings.loading import Settings
from frametally.undo_records import Correction
from frametally_videos.records import VideoRecord


def settled_manifest(
    sha256: str, *, settings: Settings, store: ObjectStore, log: FrameLog, progress: Progress
) -> MediaManifest | None:
    """Return a medium's manifest, None if it has none, once what was begun of putting it right is finished.

    Raises:
        Poison: It, or the note of what was begun, is damaged.
        Retryable: The store or the log is away.
    """
    while True:
        manifest = find_manifest(store, sha256)
        begun = None if manifest is None else _begun(store, manifest)
        if begun is None:
            return manifest
        corrections.finish(store, log, settings, begun, progress)


def put_right(
    record: VideoRecord, *, settings: Settings, store: ObjectStore, log: FrameLog, progress: Progress
) -> MediaManifest | None:
    """Put a video's medium right where its manifest has another beginning or another source than its record.

    Killed anywhere, the same call goes on.

    Returns:
        Its manifest; None if nothing of it was ever announced.

    Raises:
        Poison: A manifest, or the note of what was begun, is damaged.
        Retryable: The store or the log is away.
        Misconfigured: Its pictures cannot be told from others.
    """

    def settled() -> MediaManifest | None:
        return settled_manifest(record.sha256, settings=settings, store=store, log=log, progress=progress)

    manifest, start_ms = settled(), record.facts.started_at_ms
    if manifest is not None and start_ms is not None and manifest.start_ms is not None:
        corrections.retime(store, manifest, start_ms=start_ms)
        manifest = settled()
    wanted = (record.source, record.source_name)
    if manifest is not None and (manifest.source, manifest.source_name) != wanted:
        corrections.rename_source(store, manifest, source=record.source, source_name=record.source_name)
        manifest = settled()
    return manifest


def _begun(store: ObjectStore, manifest: MediaManifest) -> Correction | None:
    """Return the correction that was begun and not finished, be it that its note alone is left."""
    for revision in {manifest.revision, max(manifest.revision - 1, 0)}:
        key = keys.correction_key(keys.media_id(manifest.sha256, revision))
        try:
            return decode_at(key, store.get(key), Correction)
        except ObjectMissing:
            continue
    return None
