"""Removes old originals, objects without a video, and forgotten videos.

All functions raise `Retryable` while the store or the catalogue is not available.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from frametally import keys
from frametally.errors import Poison
from frametally.media.kept_data import kept_parts
from frametally.media.manifests import find_manifest, find_record, list_records, read_records, tombstones_of
from frametally.media.screening import screen_of
from frametally.ports.object_store import ObjectInfo, ObjectMissing, ObjectStore
from frametally.ports.opened import StorePorts
from frametally.process import failpoints
from frametally.records import decode_at
from frametally.rules.times import DAY_MS, FIRST_MS, NEXT_MS
from frametally.settings.loading import Settings
from frametally_videos.catalogue.catalogue_rows import JobKind
from frametally_videos.records import UploadRecord, VideoRecord

if TYPE_CHECKING:
    from frametally_videos.catalogue.video_catalogue import VideoCatalogue

_CHANGED_VERSION: tuple[JobKind, str] = ("playable", "screened")
"""The job that makes the version that replaces an original; an earlier playable one may show all of it."""


def remove_old_originals(store: ObjectStore, *, days: int, now_ms: int) -> list[str]:
    """Remove originals that are more than `days` days older than `now_ms`; with 0 days, none.

    Keep originals that still have frames to announce, such as those of videos that wait for their time, and
    originals without a video.

    Returns:
        The IDs of their videos.
    """
    video_ids = []
    for info in store.list(keys.VIDEOS) if days else ():
        video_id = keys.parse_original_key(info.key)
        if video_id is None or info.modified_at_ms >= now_ms - days * DAY_MS:
            continue
        if is_taken(store, video_id):
            store.delete(info.key)
            video_ids.append(video_id)
    return video_ids


def remove_screened_original(
    settings: Settings, store: ObjectStore, catalogue: VideoCatalogue, video_id: str
) -> bool:
    """Remove a video's original if its source's pictures are changed before they are stored.

    The original stays until its frames are announced and no job needs it, and while a legal hold covers it.
    Where a changed version replaces it, this queues that version's job, and the original goes after the job
    has ended.

    Returns:
        Whether this call removed it.

    Raises:
        Misconfigured: The policy cannot be read.
        Poison: The video's record is damaged.
    """
    key = keys.original_key(video_id)
    video = find_record(store, keys.video_key(video_id), VideoRecord)
    screen = None if video is None else screen_of(settings, store, video.source)
    if video is None or screen is None or not is_taken(store, video_id) or store.head(key) is None:
        return False
    jobs = [job for job in catalogue.jobs(video_id) if job.kind not in ("gold", "removal")]
    if screen.originals == "blur" and all((job.kind, job.options) != _CHANGED_VERSION for job in jobs):
        catalogue.queue(video_id, *_CHANGED_VERSION)
        return False
    if any(job.state in ("queued", "running") for job in jobs) or _is_held(settings, store, video):
        return False
    failpoints.passing("original.screened")
    store.delete(key)
    return True


def _is_held(settings: Settings, store: ObjectStore, video: VideoRecord) -> bool:
    """Return whether a legal hold covers a video with frames; if not, note that its original goes."""
    manifest = find_manifest(store, video.sha256)
    if manifest is None:
        return False
    first_ms, last_ms = manifest.first_captured_at_ms, manifest.last_captured_at_ms
    span = (
        manifest.source,
        FIRST_MS if first_ms is None else first_ms,
        NEXT_MS if last_ms is None else last_ms + 1,
    )
    parts = kept_parts(StorePorts(settings, store))
    return any(part.holds(*span, removal_id) for removal_id in ("", video.id) for part in parts)


def screened_originals(settings: Settings, store: ObjectStore, catalogue: VideoCatalogue) -> list[str]:
    """Return the IDs of videos with an original whose source's pictures are changed before they are stored.

    Raises:
        Misconfigured: The policy cannot be read.
    """
    sources = catalogue.sources()
    screened = {slug for slug in set(sources.values()) if screen_of(settings, store, slug) is not None}
    video_ids = [keys.parse_original_key(info.key) for info in (store.list(keys.VIDEOS) if screened else ())]
    return [video_id for video_id in video_ids if video_id and sources.get(video_id) in screened]


def objects_of_no_video(store: ObjectStore) -> list[ObjectInfo]:
    """Return the objects in folders of videos that have neither a record nor an upload.

    Raises:
        Poison: The record of an upload is damaged, so that the owner of its bytes is unknown.
    """
    objects_of_ids = [
        (info, video_id)
        for info in store.list(keys.VIDEOS)
        if keys.is_video_id(video_id := info.key.split("/")[1])
    ]
    # In this order: an upload's record exists from before its first byte until its video has a record.
    uploading_ids = {upload.video_id for upload in read_records(store, keys.UPLOADS, UploadRecord)}
    of_none = {
        video_id
        for _, video_id in objects_of_ids
        if video_id not in uploading_ids and store.head(keys.video_key(video_id)) is None
    }
    return [info for info, video_id in objects_of_ids if video_id in of_none]


def forgotten_videos(store: ObjectStore, catalogue: VideoCatalogue) -> list[VideoRecord]:
    """Return the existing videos whose frames were all forgotten, except those that jobs work on.

    Raises:
        Poison: A manifest or a tombstone is damaged.
    """
    forgotten = []
    for info in list_records(store, keys.VIDEOS):
        if keys.parse_video_key(info.key) is None:
            continue
        try:
            video = decode_at(info.key, store.get(info.key), VideoRecord)
        except (ObjectMissing, Poison):  # `status` reports damaged records
            continue
        if video.state == "received" and is_forgotten(store, video):
            jobs = catalogue.jobs(video.id)
            if all(job.kind != "frames" or job.state not in ("queued", "running") for job in jobs):
                forgotten.append(video)
    return forgotten


def is_forgotten(store: ObjectStore, video: VideoRecord) -> bool:
    """Return whether all frames of a video were forgotten after its upload, and none was made since.

    Raises:
        Poison: Its manifest or a tombstone is damaged.
    """
    if find_manifest(store, video.sha256) is not None:
        return False
    for stone in tombstones_of(store, video.sha256):
        if stone.why == "forget" and keys.forgotten_revision(stone.key) is not None:
            info = store.head(stone.key)
            if info is not None and info.modified_at_ms > video.uploaded_at_ms:
                return True
    return False


def is_taken(store: ObjectStore, video_id: str) -> bool:
    """Return whether all frames of a video are announced, so that nothing needs its original."""
    key = keys.video_key(video_id)
    try:
        video = decode_at(key, store.get(key), VideoRecord)
        manifest = find_manifest(store, video.sha256)
    except (ObjectMissing, Poison):
        return False
    return manifest is not None and manifest.state == "complete"
