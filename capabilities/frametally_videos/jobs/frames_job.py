"""The job `frames`: stores and announces an uploaded video's frames as `frametally produce` does.

The frames have the source and time of the video's record. If the medium's manifest has another start or
source, the job first corrects it as `frametally retime` and `frametally rename-source` do. After a kill, the
job can be repeated.
"""

from __future__ import annotations

from frametally.errors import Poison
from frametally.ports.object_store import ObjectStore
from frametally.ports.opened import StagePorts
from frametally.process.reports import Progress
from frametally.process.retrying import Patience
from frametally.records import MediaManifest, TimeSource
from frametally_producer.media.videos import VideoWork, begin_video, check_track, go_on_with
from frametally_producer.produce import begin
from frametally_producer.writing.manifest import ManifestKeeper
from frametally_producer.writing.production import ProduceCall
from frametally_videos.jobs.announced_medium import put_right
from frametally_videos.jobs.originals import open_original
from frametally_videos.records import VideoRecord


def make_frames(ports: StagePorts, record: VideoRecord, progress: Progress, patience: Patience) -> list[str]:
    """Store and announce a video's frames that are not announced yet.

    Returns:
        Problems of the file, a sentence each.

    Raises:
        Poison: The video has no frame, or its time is unknown.
        GivenUp: The command was stopped, or `patience` ended; the current frames are announced and recorded.
        Misconfigured: The store, the log or a folder cannot be written.
    """
    _started(record)
    call = ProduceCall(paths=(), settings=ports.settings)
    sampling = ports.settings.sample_fps
    with begin(call, store=ports.store, log=ports.log, progress=progress, patience=patience) as production:
        manifest = patience.until_done("the object store", lambda: put_right(ports, record, progress))
        with open_original(ports.store, record, patience, ports.settings) as video:
            check_track(video, manifest)
            track = video.track.number
            keeper = take_up(record, manifest, production.store, patience, sampling=sampling, track=track)
            if keeper is not None:
                VideoWork(video, keeper, production).run()
            return list(video.damage)


def take_up(
    record: VideoRecord,
    manifest: MediaManifest | None,
    store: ObjectStore,
    patience: Patience,
    *,
    sampling: str,
    track: int | None = None,
) -> ManifestKeeper | None:
    """Return a keeper of `manifest` or, without one, of a new manifest; None if no frame is missing.

    Raises:
        Poison: The video's time is unknown.
        GivenUp: The store is not available, and the command was stopped.
    """
    start_ms, time_source = _started(record)
    if manifest is not None:
        return go_on_with(manifest, store, patience, sampling=sampling)
    return begin_video(
        store,
        patience,
        sampling=sampling,
        sha256=record.sha256,
        track=record.facts.track if track is None else track,
        name=record.file_name,
        source=record.source,
        source_name=record.source_name,
        time_source=time_source,
        start_ms=start_ms,
    )


def _started(record: VideoRecord) -> tuple[int, TimeSource]:
    if record.facts.started_at_ms is None or record.facts.time_source is None:
        raise Poison("its time is unknown: set its start time")
    return record.facts.started_at_ms, record.facts.time_source
