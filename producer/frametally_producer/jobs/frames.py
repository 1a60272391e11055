"""The job `frames`: an uploaded video's frames, stored and announced as `frametally produce` does it.

What is announced is as the video's record says, whatever the footage was produced as before: where its
manifest has another beginning or another source, it is put right as `frametally retime` and
`frametally rename-source` do. All of it can be done again, wherever it was cut.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from frametally.errors import Poison
from frametally.media.manifests import next_revision
from frametally.ports.frame_log import FrameLog
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress
from frametally.records import MediaManifest
from frametally.settings.loading import Settings
from frametally.video_records import VideoRecord
from frametally_producer.jobs.mending import put_right
from frametally_producer.jobs.originals import open_original
from frametally_producer.media.video_work import VideoWork
from frametally_producer.produce import begin
from frametally_producer.reading.sampling import denser
from frametally_producer.writing.manifest import ManifestKeeper
from frametally_producer.writing.production import ProduceCall, Production


def make_frames(
    record: VideoRecord,
    *,
    settings: Settings,
    store: ObjectStore,
    log: FrameLog,
    progress: Progress,
    should_stop: Callable[[], bool],
) -> list[str]:
    """Store and announce those of a video's frames that are not announced yet.

    Returns:
        What is wrong with its file, a sentence each.

    Raises:
        Poison: It has no frame, or nothing says when it was filmed.
        GivenUp: A stop was asked for; what was in hand is announced and noted.
        Misconfigured: The store, the log or a folder cannot be written.
    """
    if record.facts.started_at_ms is None or record.facts.time_source is None:
        raise Poison("nothing says when it was filmed: give it a time")
    call = ProduceCall(paths=(), settings=settings, should_stop=should_stop)
    with begin(call, store=store, log=log, progress=progress) as production:
        known = production.patience.until_done(
            "the object store",
            lambda: put_right(record, settings=settings, store=store, log=log, progress=progress),
        )
        with open_original(store, record, production.patience, max_pixels=production.max_pixels) as opened:
            keeper = _keeper(record, known, production)
            if keeper is not None:
                VideoWork(opened, keeper, production).run()
            return list(opened.damage)


def _keeper(
    record: VideoRecord, known: MediaManifest | None, production: Production
) -> ManifestKeeper | None:
    """Take up the video's manifest, new or known; None if nothing of it is missing."""
    store, patience, asked = production.store, production.patience, production.settings.sample_fps
    if known is None:
        revision = patience.until_done("the object store", lambda: next_revision(store, record.sha256))
        manifest = _new_manifest(record, asked, revision)
        return ManifestKeeper(store, manifest, patience, samplings={asked}, is_stored=False)
    sampling = denser(known.sampling, asked)
    if known.state == "complete" and sampling == known.sampling:
        return None
    # What was begun before is finished, whatever is asked for now.
    samplings = {sampling} if known.state == "complete" else {sampling, known.sampling}
    manifest = msgspec.structs.replace(known, sampling=sampling)
    return ManifestKeeper(store, manifest, patience, samplings=samplings, is_stored=True)


def _new_manifest(record: VideoRecord, sampling: str, revision: int) -> MediaManifest:
    assert record.facts.time_source is not None  # noqa: S101 - for the type checker
    return MediaManifest(
        sha256=record.sha256,
        name=record.file_name,
        source=record.source,
        source_name=record.source_name,
        kind="video",
        time_source=record.facts.time_source,
        sampling=sampling,
        start_ms=record.facts.started_at_ms,
        frames_expected=0,
        frames_put=0,
        frames_announced=0,
        state="producing",
        revision=revision,
    )
