"""The jobs `metadata` and `checks`: what is found out about a video, each as a record beside the original."""

from __future__ import annotations

import msgspec

from frametally import keys
from frametally.errors import Poison
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.process.reports import Progress
from frametally.process.retrying import GivenUp, Patience
from frametally.records import decode_at, encode
from frametally_producer.reading.video_file import Video
from frametally_videos.checking.picture_pass import MOST_LOOKS, PictureLook, looks
from frametally_videos.checking.video_quality import MADE_BY, check_video, with_clock
from frametally_videos.checking.video_times import found_times
from frametally_videos.describing.video_metadata import describe
from frametally_videos.jobs.originals import find_record, open_original
from frametally_videos.media_records import VideoMetadata, VideoQuality
from frametally_videos.ports.video_catalogue import Artifact, ArtifactKind
from frametally_videos.records import VideoRecord


def make_metadata(
    record: VideoRecord, *, store: ObjectStore, patience: Patience, max_pixels: int, sampling: str
) -> list[Artifact]:
    """Find out what a video's bytes tell, and put it in place of what was found out before.

    Raises:
        Poison: It is gone, or no video that can be opened.
        GivenUp: A stop was asked for.
        Misconfigured: The store cannot be written.
    """
    with open_original(store, record, patience, max_pixels=max_pixels) as video:
        metadata = describe(video, record, sampling=sampling)
    facts = (find_record(store, record.id, patience) or record).facts  # its time may have been said meanwhile
    metadata = msgspec.structs.replace(
        metadata, started_at_ms=facts.started_at_ms, time_source=facts.time_source
    )
    return [_put(store, patience, "metadata", metadata)]


def make_quality(
    record: VideoRecord, *, store: ObjectStore, progress: Progress, patience: Patience, max_pixels: int
) -> list[Artifact]:
    """Check a video, and put what was found in place of what was found before.

    Its pictures are looked at once by each version of the checks: its event time may change, they do not.

    Raises:
        Poison: It is gone, no video that can be opened, or no frame of it can be decoded.
        GivenUp: A stop was asked for.
        Misconfigured: The store cannot be written.
    """
    quality = _checked_before(store, record, patience)
    if quality is None:
        with open_original(store, record, patience, max_pixels=max_pixels) as video:
            times = found_times(video)
        with open_original(store, record, patience, max_pixels=max_pixels) as video:
            quality = check_video(record, times, _looks(video, times.frames, progress, patience))
    quality = with_clock(quality, find_record(store, record.id, patience) or record)
    return [_put(store, patience, "quality", quality)]


def _looks(video: Video, frames: int, progress: Progress, patience: Patience) -> list[PictureLook]:
    found: list[PictureLook] = []
    for look in looks(video, frames=frames):
        found.append(look)
        if patience.stopping:
            raise GivenUp("stopped")
        progress.update(len(found), min(frames, MOST_LOOKS))
    if not found:
        raise Poison("holds no frame that can be decoded; play it to see, or export it again")
    return found


def _checked_before(store: ObjectStore, record: VideoRecord, patience: Patience) -> VideoQuality | None:
    key = keys.quality_of_video_key(record.id)
    try:
        data = patience.until_done("the object store", lambda: store.get(key))
        quality = decode_at(key, data, VideoQuality)
    except (ObjectMissing, Poison):
        return None
    return quality if (quality.made_by, quality.sha256) == (MADE_BY, record.sha256) else None


def _put(
    store: ObjectStore, patience: Patience, kind: ArtifactKind, record: VideoMetadata | VideoQuality
) -> Artifact:
    data = encode(record)
    patience.until_done("the object store", lambda: store.put(record.key, data))
    return Artifact(kind, record.key, "application/json", len(data))
