"""The announced frames of a video: moved to what its record says now, or removed with the video.

All of it raises `Retryable` while store or log is away.
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
    """Return a medium's manifest, None if it has none, once what was begun of correcting it is finished."""
    while True:
        manifest = find_manifest(ports.store, record.sha256)
        correction = None if manifest is None else _open_correction(ports.store, manifest)
        if correction is None:
            return manifest
        corrections.finish(ports.store, ports.log, ports.settings, correction, progress)


def put_right(ports: StagePorts, record: VideoRecord, progress: Progress) -> MediaManifest | None:
    """Put a video's medium right where its manifest has another beginning or another source than its record.

    Killed anywhere, the same call goes on.

    Returns:
        Its manifest; None if nothing of it was ever announced.

    Raises:
        Poison: A manifest, or the note of what was begun, is damaged.
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
    """Return the correction that was begun and not finished, be it that its note alone is left."""
    for revision in {manifest.revision, max(manifest.revision - 1, 0)}:
        key = keys.correction_key(keys.media_id(manifest.sha256, revision))
        if (correction := find_record(store, key, Correction)) is not None:
            return correction
    return None


GONE_WITHIN_S = 3.0
"""After it was cancelled or stopped, what a job or a stream runs in is killed within that: nothing it writes
comes behind a removal."""


def remove_video(ports: StagePorts, record: VideoRecord, progress: Progress) -> None:
    """Forget a video's medium, and delete all of it from the store. After a kill it continues.

    Results of plug-ins go first: once its record is gone, no one would look for the rest. A process that
    works on it gets time to end, so that nothing it writes comes after this.

    The order of effects:

    1. Its medium is forgotten: its frames count no longer, and their pictures are deleted. Where the same
       bytes are another video by now, it is that one's: this was done before, and was cut behind step 3.
    2. The original and the previews are deleted.
    3. Other uploads of the same bytes may become a video again: the note whose they are is deleted.
    4. The record is deleted, by which all this was found.

    Raises:
        Poison: A manifest or a note is damaged.
        Misconfigured: It cannot be written.
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
        if derivative is not None:  # a bucket keeps its bytes elsewhere
            store.resumable(derivative, info.key).abort()
        if info.key != record.key:
            store.delete(info.key)
            failpoints.passing("removal.object")
    failpoints.passing("removal.emptied")
    give_up_claim(store, record.sha256, record.id)
    failpoints.passing("removal.unclaimed")
    store.delete(record.key)
    failpoints.passing("removal.removed")
