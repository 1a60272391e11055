"""What of uploaded videos ends: old originals, what lies in the store of no video, and forgotten videos."""

from __future__ import annotations

from frametally import keys
from frametally.errors import Poison
from frametally.media.manifests import find_manifest, list_records, read_records, tombstones_of
from frametally.ports.object_store import ObjectInfo, ObjectMissing, ObjectStore
from frametally.records import decode_at
from frametally.rules.times import DAY_MS
from frametally_videos.ports.video_catalogue import VideoCatalogue
from frametally_videos.records import UploadRecord, VideoRecord


def remove_old_originals(store: ObjectStore, *, days: int, now_ms: int) -> list[str]:
    """Remove originals that came more than `days` days before `now_ms`; 0 days: none.

    One whose frames are not all taken stays, such as that of a video which waits for its time: nothing could
    be counted of it any more. So does what is no video's.

    Returns:
        The ids of their videos.

    Raises:
        Retryable: The store is away.
    """
    removed = []
    for info in store.list(keys.VIDEOS) if days else ():
        video_id = keys.parse_original_key(info.key)
        if video_id is None or info.modified_at_ms >= now_ms - days * DAY_MS:
            continue
        if _is_taken(store, video_id):
            store.delete(info.key)
            removed.append(video_id)
    return removed


def objects_of_no_video(store: ObjectStore) -> list[ObjectInfo]:
    """Return, by key, what lies in folders of videos that have no record, and no upload leads to one.

    Raises:
        Retryable: The store is away.
        Poison: The record of an upload is damaged, so that it cannot be told whose its bytes are.
    """
    left = [
        (info, video_id)
        for info in store.list(keys.VIDEOS)
        if keys.is_video_id(video_id := info.key.split("/")[1])
    ]
    # In this order: an upload has its record before its first byte, and until its video has one.
    coming = {upload.video_id for upload in read_records(store, keys.UPLOADS, UploadRecord)}
    of_none = {
        video_id
        for _, video_id in left
        if video_id not in coming and store.head(keys.video_key(video_id)) is None
    }
    return [info for info, video_id in left if video_id in of_none]


def forgotten_videos(store: ObjectStore, catalogue: VideoCatalogue) -> list[VideoRecord]:
    """Return the videos that are still there though all their frames were forgotten; none that is at work.

    Raises:
        Retryable: The store or the catalogue is away.
        Poison: A manifest or a tombstone of one is damaged.
    """
    forgotten = []
    for info in list_records(store, keys.VIDEOS):
        if keys.parse_video_key(info.key) is None:
            continue
        try:
            video = decode_at(info.key, store.get(info.key), VideoRecord)
        except (ObjectMissing, Poison):  # `status` names a damaged one
            continue
        if video.state == "received" and is_forgotten(store, video):
            jobs = catalogue.jobs(video.id)
            if all(job.kind != "frames" or job.state not in ("queued", "running") for job in jobs):
                forgotten.append(video)
    return forgotten


def is_forgotten(store: ObjectStore, video: VideoRecord) -> bool:
    """Return whether all frames of a video were forgotten since it came, and none was made since.

    Raises:
        Retryable: The store is away.
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


def _is_taken(store: ObjectStore, video_id: str) -> bool:
    key = keys.video_key(video_id)
    try:
        video = decode_at(key, store.get(key), VideoRecord)
        manifest = find_manifest(store, video.sha256)
    except (ObjectMissing, Poison):
        return False
    return manifest is not None and manifest.state == "complete"
