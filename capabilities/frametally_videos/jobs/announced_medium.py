"""Moves a video's announced frames to the source and time of its record, or removes them with the video.

All functions raise `Retryable` while the store or the log is not available.
"""

from __future__ import annotations

import time
from contextlib import ExitStack

from frametally import keys
from frametally.files.names import key_of_part
from frametally.media import corrections
from frametally.media.forgetting import Target, forget
from frametally.media.manifests import find_manifest, find_record
from frametally.plugins import hooks
from frametally.ports.ledger import Extent
from frametally.ports.object_store import ObjectStore
from frametally.ports.opened import StagePorts
from frametally.process import failpoints
from frametally.process.reports import Progress
from frametally.records import MediaManifest
from frametally.undo_records import Correction
from frametally_videos.records import VideoRecord
from frametally_videos.uploads.content_claims import give_up_claim, holder_of


def _settled_manifest(ports: StagePorts, record: VideoRecord, progress: Progress) -> MediaManifest | None:
    """Finish any correction of a medium that has begun; return its manifest, or None if it has none."""
    while True:
        manifest = find_manifest(ports.store, record.sha256)
        correction = None if manifest is None else _open_correction(ports.store, manifest)
        if correction is None:
            return manifest
        corrections.finish(ports.store, ports.log, ports.settings, correction, progress)


def put_right(ports: StagePorts, record: VideoRecord, progress: Progress) -> MediaManifest | None:
    """Correct the start and the source of a video's medium if its manifest differs from the video's record.

    After a kill, the same call continues.

    Returns:
        Its manifest, or None if none of its frames was ever announced.

    Raises:
        Poison: A manifest or the note of a correction is damaged.
        Misconfigured: Its pictures cannot be distinguished from others.
    """

    def settled() -> MediaManifest | None:
        return _settled_manifest(ports, record, progress)

    manifest, start_ms = settled(), record.facts.started_at_ms
    if manifest is not None and start_ms is not None and manifest.start_ms is not None:
        corrections.retime(ports.store, manifest, start_ms=start_ms)
        manifest = settled()
    source = (record.source, record.source_name)
    if manifest is not None and (manifest.source, manifest.source_name) != source:
        corrections.rename_source(ports.store, manifest, source=record.source, source_name=record.source_name)
        manifest = settled()
    return manifest


def _open_correction(store: ObjectStore, manifest: MediaManifest) -> Correction | None:
    """Return the unfinished correction, even if only its note remains."""
    for revision in {manifest.revision, max(manifest.revision - 1, 0)}:
        key = keys.correction_key(keys.media_id(manifest.sha256, revision))
        if (correction := find_record(store, key, Correction)) is not None:
            return correction
    return None


GONE_WITHIN_S = 3.0
"""The process of a job or stream is killed within this time after a cancellation or stop, so that it writes
nothing after a removal."""


def remove_video(ports: StagePorts, record: VideoRecord, progress: Progress) -> None:
    """Forget a video's medium, and delete the video from the store. After a kill, the same call continues.

    Results of plug-ins are removed first, since without the record nothing would find them. A process that
    works on the video gets time to end, so that it writes nothing afterwards.

    The order of effects:

    1. The medium is forgotten: its frames no longer count, and their pictures are deleted. If another video
    has
       the same bytes by now, the medium is not this one's: an earlier call was killed after step 3.
    2. All objects of the video except its record are deleted.
    3. The video's claim to its bytes is deleted, so that another upload of them can become a video.
    4. The record, which leads to all of these, is deleted.

    Raises:
        Poison: A manifest or a note is damaged.
        Misconfigured: The store cannot be written.
    """
    with ExitStack() as removing:
        at_work = [removing.enter_context(remove(ports.settings, record.id)) for remove in hooks("removing")]
        if any(at_work):
            time.sleep(GONE_WITHIN_S)
        _remove_stored(ports, record, progress)


def _remove_stored(ports: StagePorts, record: VideoRecord, progress: Progress) -> None:
    store = ports.store
    if holder_of(store, record.sha256) in (None, record.id):
        manifest = _settled_manifest(ports, record, progress)
        if manifest is not None:
            whole = Target(manifest, None, None, Extent(0, 0))
            forget(store, [whole], delete_images=True, progress=progress)
    failpoints.passing("removal.forgotten")
    for info in list(store.list(keys.video_folder(record.id))):
        derivative = key_of_part(info.key)
        if derivative is not None:  # a bucket stores its bytes elsewhere
            store.resumable(derivative, info.key).abort()
        if info.key != record.key:
            store.delete(info.key)
            failpoints.passing("removal.object")
    failpoints.passing("removal.emptied")
    give_up_claim(store, record.sha256, record.id)
    failpoints.passing("removal.unclaimed")
    store.delete(record.key)
    failpoints.passing("removal.removed")
