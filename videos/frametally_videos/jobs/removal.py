"""The job `removal`: nothing of a video is left, neither in the counts nor in the store."""

from __future__ import annotations

import time
from contextlib import ExitStack

from frametally import keys
from frametally.files.names import key_of_part
from frametally.media.forgetting import Target, forget
from frametally.plugins import hooks
from frametally.ports.frame_log import FrameLog
from frametally.ports.ledger import Extent
from frametally.ports.object_store import ObjectStore
from frametally.process import failpoints
from frametally.process.reports import Progress
from frametally.settings.loading import Settings
from frametally_videos.jobs.announcement_mending import settled_manifest
from frametally_videos.records import VideoRecord
from frametally_videos.uploads.content_claims import give_up_claim, holder_of

GONE_WITHIN_S = 3.0
"""After it was cancelled or stopped, what a job or a stream runs in is killed within that: nothing it writes
comes behind a removal."""


def remove_video(
    record: VideoRecord, *, settings: Settings, store: ObjectStore, log: FrameLog, progress: Progress
) -> None:
    """Forget a video's medium, and delete all that lies in the store of it. Killed anywhere, it goes on.

    What plug-ins have of it goes first: once its record is gone, nobody would look for what is left. Where
    something was at work on it, that is given its time to end: nothing it writes comes behind this.

    The order of effects:

    1. Its medium is forgotten: its frames count no longer, and their pictures are deleted. Where the same
       bytes are another video by now, it is that one's: this was done before, and was cut behind step 3.
    2. The original and the previews are deleted.
    3. Other uploads of the same bytes may become a video again: the note whose they are is deleted.
    4. The record is deleted, by which all this was found.

    Raises:
        Poison: A manifest or a note is damaged.
        Retryable: The store or the log is away.
        Misconfigured: It cannot be written.
    """
    with ExitStack() as removing:
        at_work = [removing.enter_context(remove(settings, record.id)) for remove in hooks("removing")]
        if any(at_work):
            time.sleep(GONE_WITHIN_S)
        _remove_stored(record, settings, store, log, progress)


def _remove_stored(
    record: VideoRecord, settings: Settings, store: ObjectStore, log: FrameLog, progress: Progress
) -> None:
    if holder_of(store, record.sha256) in (None, record.id):
        manifest = settled_manifest(record.sha256, settings=settings, store=store, log=log, progress=progress)
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
